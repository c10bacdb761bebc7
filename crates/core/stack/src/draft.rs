//! What people wrote about a service.

use std::collections::BTreeMap;

use adsum_model::{CheckKind, RestartCondition, Rollback, Spec, Update, print_duration};

use crate::update::print_ratio;
use crate::{limit, publish, route};

/// A wish as it was written. What is left out has its default (see [`adsum_model::Spec`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// Program and arguments.
    pub command: Option<Vec<String>>,
    pub replicas: Option<i64>,
    pub env: Option<BTreeMap<String, String>>,
    /// An absolute path.
    pub workdir: Option<String>,
    /// `1000`, `nobody`, `nobody:nogroup`.
    pub user: Option<String>,
    pub limits: LimitsDraft,
    /// `nofile=1024:2048` or `nproc=64`.
    pub ulimits: Option<Vec<String>>,
    pub check: CheckDraft,
    pub restart: RestartDraft,
    pub stop: StopDraft,
    pub update: UpdateDraft,
    /// How the way back goes; it does not go back itself.
    pub rollback: PaceDraft,
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

/// 0 is without a limit, too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitsDraft {
    /// `256m`, `1.5g`.
    pub memory: Option<String>,
    /// Processors: `0.5`.
    pub cpu: Option<String>,
    pub pids: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestartDraft {
    /// `any`, `on-failure` or `none`.
    pub condition: Option<String>,
    pub delay: Option<String>,
    pub max_delay: Option<String>,
    /// Without a limit when none.
    pub max_attempts: Option<i64>,
    /// `max_delay` when none.
    pub window: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopDraft {
    /// `SIGTERM`, `TERM`, `term` or `15`.
    pub signal: Option<String>,
    pub grace: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateDraft {
    pub pace: PaceDraft,
    pub drain_timeout: Option<String>,
}

/// How instances of one version are replaced by those of another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaceDraft {
    /// 0 is all at a time.
    pub parallelism: Option<i64>,
    /// `start-first` or `stop-first`.
    pub order: Option<String>,
    pub delay: Option<String>,
    pub monitor: Option<String>,
    /// A share of the instances: `0.25`.
    pub max_failure_ratio: Option<String>,
    /// `pause`, `continue` or `rollback`.
    pub failure_action: Option<String>,
}

impl Draft {
    /// Writes down a spec, all but its name.
    pub fn of(spec: &Spec) -> Draft {
        Draft {
            command: Some(spec.task.command.clone()),
            replicas: Some(spec.replicas.into()),
            env: Some(spec.task.env.clone()),
            workdir: spec.task.workdir.clone(),
            user: spec.task.user.clone(),
            limits: LimitsDraft::of(&spec.task.limits),
            ulimits: Some(limit::written(&spec.task.ulimits)),
            check: CheckDraft::of(spec),
            restart: RestartDraft::of(spec),
            stop: StopDraft {
                signal: Some(spec.stop.signal.clone()),
                grace: Some(print_duration(spec.stop.grace)),
            },
            update: UpdateDraft {
                pace: PaceDraft::of_update(&spec.update),
                drain_timeout: Some(print_duration(spec.update.drain_timeout)),
            },
            rollback: PaceDraft::of_rollback(&spec.rollback),
            exclusive: Some(spec.exclusive),
            tags: Some(spec.tags.clone()),
            routes: Some(route::written(&spec.routing.routes)),
            publish: Some(spec.routing.publish.iter().map(publish::print).collect()),
            labels: Some(spec.labels.clone()),
        }
    }
}

impl PaceDraft {
    fn of_update(update: &Update) -> PaceDraft {
        PaceDraft {
            parallelism: Some(update.parallelism.into()),
            order: Some(update.order.as_str().to_string()),
            delay: Some(print_duration(update.delay)),
            monitor: Some(print_duration(update.monitor)),
            max_failure_ratio: Some(print_ratio(update.max_failure_ratio)),
            failure_action: Some(update.failure_action.as_str().to_string()),
        }
    }

    fn of_rollback(rollback: &Rollback) -> PaceDraft {
        PaceDraft {
            parallelism: Some(rollback.parallelism.into()),
            order: Some(rollback.order.as_str().to_string()),
            delay: Some(print_duration(rollback.delay)),
            monitor: Some(print_duration(rollback.monitor)),
            max_failure_ratio: Some(print_ratio(rollback.max_failure_ratio)),
            failure_action: Some(rollback.failure_action.as_str().to_string()),
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
            window: spec.restart.window.map(print_duration),
        }
    }
}
