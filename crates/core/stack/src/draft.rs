//! What people wrote about a service.

use std::collections::BTreeMap;

use adsum_model::{CheckKind, RestartCondition, Spec, print_duration};

use crate::{publish, route};

/// A wish as it was written. What is left out has its default (see [`adsum_model::Spec`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// Program and arguments.
    pub command: Option<Vec<String>>,
    pub replicas: Option<i64>,
    pub env: Option<BTreeMap<String, String>>,
    /// An absolute path.
    pub workdir: Option<String>,
    pub check: CheckDraft,
    pub restart: RestartDraft,
    pub stop: StopDraft,
    pub update: UpdateDraft,
    pub exclusive: Option<bool>,
    pub tags: Option<Vec<String>>,
    /// `RULE`, or `RULE; priority=10; weight=50; strip-prefix=/api`.
    pub routes: Option<Vec<String>>,
    /// `8080`, `8080:80`, `8080/tcp`, or `published=8080,target=80,protocol=tcp`.
    pub publish: Option<Vec<String>>,
    /// Those that begin with `adsum.` are settings of the gateway.
    pub labels: Option<BTreeMap<String, String>>,
}

/// Durations are written like `500ms`, `30s`, `5m`, `1h30m`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckDraft {
    /// `http`, `tcp`, `command` or `process`; without it, what a path or a command asks for, else `tcp`.
    pub kind: Option<String>,
    /// Of an `http` check.
    pub path: Option<String>,
    /// Of a `command` check.
    pub command: Option<Vec<String>>,
    pub interval: Option<String>,
    pub timeout: Option<String>,
    pub retries: Option<i64>,
    pub start_period: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestartDraft {
    /// `any`, `on-failure` or `none`.
    pub condition: Option<String>,
    pub delay: Option<String>,
    pub max_delay: Option<String>,
    /// Without a limit when none.
    pub max_attempts: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopDraft {
    /// `SIGTERM`, `TERM`, `term` or `15`.
    pub signal: Option<String>,
    pub grace: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateDraft {
    /// 0 is all at a time.
    pub parallelism: Option<i64>,
    /// `start-first` or `stop-first`.
    pub order: Option<String>,
    pub drain_timeout: Option<String>,
}

impl Draft {
    /// Writes down a spec, all but its name.
    pub fn of(spec: &Spec) -> Draft {
        Draft {
            command: Some(spec.task.command.clone()),
            replicas: Some(spec.replicas.into()),
            env: Some(spec.task.env.clone()),
            workdir: spec.task.workdir.clone(),
            check: CheckDraft::of(spec),
            restart: RestartDraft::of(spec),
            stop: StopDraft {
                signal: Some(spec.stop.signal.clone()),
                grace: Some(print_duration(spec.stop.grace)),
            },
            update: UpdateDraft {
                parallelism: Some(spec.update.parallelism.into()),
                order: Some(spec.update.order.as_str().to_string()),
                drain_timeout: Some(print_duration(spec.update.drain_timeout)),
            },
            exclusive: Some(spec.exclusive),
            tags: Some(spec.tags.clone()),
            routes: Some(route::written(&spec.routing.routes)),
            publish: Some(spec.routing.publish.iter().map(publish::print).collect()),
            labels: Some(spec.labels.clone()),
        }
    }
}

impl CheckDraft {
    fn of(spec: &Spec) -> CheckDraft {
        let check = &spec.check;
        let (path, command) = match &check.kind {
            CheckKind::Http { path } => (Some(path.clone()), None),
            CheckKind::Command { command } => (None, Some(command.clone())),
            CheckKind::Tcp | CheckKind::Process => (None, None),
        };
        CheckDraft {
            kind: Some(check.kind.as_str().to_string()),
            path,
            command,
            interval: Some(print_duration(check.interval)),
            timeout: Some(print_duration(check.timeout)),
            retries: Some(check.retries.into()),
            start_period: Some(print_duration(check.start_period)),
        }
    }
}

impl RestartDraft {
    fn of(spec: &Spec) -> RestartDraft {
        let condition = match spec.restart.condition {
            RestartCondition::Any => "any",
            RestartCondition::OnFailure => "on-failure",
            RestartCondition::None => "none",
        };
        RestartDraft {
            condition: Some(condition.to_string()),
            delay: Some(print_duration(spec.restart.delay)),
            max_delay: Some(print_duration(spec.restart.max_delay)),
            max_attempts: spec.restart.max_attempts.map(i64::from),
        }
    }
}
