//! The JSON of a draft.
//!
//! ```text
//! {"command": ["serve"], "replicas": 2, "env": {"A": "1"}, "workdir": "/srv", "exclusive": false, "tags": ["v1"],
//!  "check": {"kind": "http", "path": "/healthz", "interval": "10s", "timeout": "5s", "retries": 3, "start_period": "30s"},
//!  "user": "nobody", "limits": {"memory": "256m", "cpu": "0.5", "pids": 100}, "ulimits": ["nofile=1024:2048"],
//!  "restart": {"condition": "any", "delay": "200ms", "max_delay": "30s", "max_attempts": 5, "window": "30s"},
//!  "stop": {"signal": "SIGTERM", "grace": "10s"},
//!  "update": {"parallelism": 1, "order": "start-first", "delay": "0s", "monitor": "5s", "max_failure_ratio": 0.25,
//!             "failure_action": "rollback", "drain_timeout": "30s"},
//!  "rollback": {"parallelism": 0, "order": "start-first", "monitor": "5s", "failure_action": "pause"},
//!  "routes": ["Host(shop.local) && PathPrefix(/api); strip-prefix=/api"], "publish": ["8080", "5432/tcp"],
//!  "labels": {"adsum.gateway.retries": "1"}}
//! ```
//!
//! `null` is as good as nothing. Reading goes on after a mistake, so that all of them are found.

use std::collections::BTreeMap;

use adsum_stack::{CheckDraft, Draft, LimitsDraft, PaceDraft, Problem, RestartDraft, StopDraft, UpdateDraft};
use serde_json::{Map, Value, json};

/// Reads a draft as far as it can be read. A `name` in it has to be the service's own.
pub(crate) fn read(name: &str, value: &Value) -> (Draft, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut fields = Fields::of("", Some(value), &mut problems);
    if let Some(other) = fields.text("name").filter(|other| other != name) {
        fields.wrong("name", &other, format!("is not the name in the path: leave it out, or give '{name}'"));
    }
    let draft = Draft {
        command: fields.list("command"),
        replicas: fields.number("replicas"),
        env: fields.map("env"),
        workdir: fields.text("workdir"),
        user: fields.text("user"),
        limits: limits(&mut fields),
        ulimits: fields.list("ulimits"),
        check: check(&mut fields),
        restart: restart(&mut fields),
        stop: stop(&mut fields),
        update: update(&mut fields),
        rollback: fields.nested("rollback", pace),
        exclusive: fields.flag("exclusive"),
        tags: fields.list("tags"),
        routes: fields.list("routes"),
        publish: fields.list("publish"),
        labels: fields.map("labels"),
    };
    fields.finish();
    (draft, problems)
}

/// The same form, with nothing for what there is none of.
pub(crate) fn write(draft: &Draft) -> Value {
    let Draft { check, restart, stop, limits, .. } = draft;
    let mut value = json!({
        "command": draft.command,
        "replicas": draft.replicas,
        "env": draft.env,
        "workdir": draft.workdir,
        "user": draft.user,
        "limits": {"memory": limits.memory, "cpu": limits.cpu, "pids": limits.pids},
        "ulimits": draft.ulimits,
        "check": {
            "kind": check.kind, "path": check.path, "command": check.command, "interval": check.interval,
            "timeout": check.timeout, "retries": check.retries, "start_period": check.start_period,
        },
        "restart": {
            "condition": restart.condition, "delay": restart.delay, "max_delay": restart.max_delay,
            "max_attempts": restart.max_attempts, "window": restart.window,
        },
        "stop": {"signal": stop.signal, "grace": stop.grace},
        "update": write_update(&draft.update),
        "rollback": write_pace(&draft.rollback),
        "exclusive": draft.exclusive,
        "tags": draft.tags,
        "routes": draft.routes,
        "publish": draft.publish,
        "labels": draft.labels,
    });
    drop_nulls(&mut value);
    value
}

fn drop_nulls(value: &mut Value) {
    if let Value::Object(object) = value {
        object.retain(|_, value| !value.is_null());
        object.values_mut().for_each(drop_nulls);
    }
}

fn check(fields: &mut Fields<'_>) -> CheckDraft {
    fields.nested("check", |fields| CheckDraft {
        kind: fields.text("kind"),
        path: fields.text("path"),
        command: fields.list("command"),
        interval: fields.text("interval"),
        timeout: fields.text("timeout"),
        retries: fields.number("retries"),
        start_period: fields.text("start_period"),
    })
}

fn limits(fields: &mut Fields<'_>) -> LimitsDraft {
    fields.nested("limits", |fields| LimitsDraft {
        memory: fields.text("memory"),
        cpu: fields.text_or_number("cpu"),
        pids: fields.number("pids"),
    })
}

fn restart(fields: &mut Fields<'_>) -> RestartDraft {
    fields.nested("restart", |fields| RestartDraft {
        condition: fields.text("condition"),
        delay: fields.text("delay"),
        max_delay: fields.text("max_delay"),
        max_attempts: fields.number("max_attempts"),
        window: fields.text("window"),
    })
}

fn stop(fields: &mut Fields<'_>) -> StopDraft {
    fields.nested("stop", |fields| StopDraft { signal: fields.text("signal"), grace: fields.text("grace") })
}

fn update(fields: &mut Fields<'_>) -> UpdateDraft {
    fields.nested("update", |fields| UpdateDraft {
        pace: pace(fields),
        drain_timeout: fields.text("drain_timeout"),
    })
}

fn pace(fields: &mut Fields<'_>) -> PaceDraft {
    PaceDraft {
        parallelism: fields.number("parallelism"),
        order: fields.text("order"),
        delay: fields.text("delay"),
        monitor: fields.text("monitor"),
        max_failure_ratio: fields.text_or_number("max_failure_ratio"),
        failure_action: fields.text("failure_action"),
    }
}

fn write_update(update: &UpdateDraft) -> Value {
    let mut value = write_pace(&update.pace);
    value["drain_timeout"] = json!(update.drain_timeout);
    value
}

fn write_pace(pace: &PaceDraft) -> Value {
    // As a number, for whoever reads it.
    let ratio = pace.max_failure_ratio.as_ref();
    let ratio = ratio.map(|text| serde_json::from_str(text).unwrap_or_else(|_| json!(text)));
    json!({
        "parallelism": pace.parallelism, "order": pace.order, "delay": pace.delay, "monitor": pace.monitor,
        "max_failure_ratio": ratio, "failure_action": pace.failure_action,
    })
}

/// The fields of one object, and what is wrong with them.
struct Fields<'a> {
    /// `check.` for those of the check.
    prefix: String,
    object: Option<&'a Map<String, Value>>,
    known: Vec<&'static str>,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Fields<'a> {
    fn of(prefix: &str, value: Option<&'a Value>, problems: &'a mut Vec<Problem>) -> Fields<'a> {
        let object = value.and_then(Value::as_object);
        if let (None, Some(value)) = (object, value) {
            let field = if prefix.is_empty() { "body" } else { prefix };
            problems.push(Problem::new(field, value, "is no object: write it like {\"name\": value}"));
        }
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}.") };
        Fields { prefix, object, known: Vec::new(), problems }
    }

    /// Complains of fields that nobody asked for.
    fn finish(self) {
        for (name, value) in self.object.into_iter().flatten() {
            if !self.known.contains(&name.as_str()) {
                let known = self.known.join(", ");
                let field = format!("{}{name}", self.prefix);
                self.problems.push(Problem::new(
                    field,
                    value,
                    format!("is in no known field: known are {known}"),
                ));
            }
        }
    }

    fn wrong(&mut self, name: &str, value: impl std::fmt::Display, message: impl Into<String>) {
        self.problems.push(Problem::new(format!("{}{name}", self.prefix), value, message));
    }

    /// What stands there, if it is anything.
    fn get(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.object?.get(name).filter(|value| !value.is_null())
    }

    fn read<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Value) -> Option<T>,
        message: &str,
    ) -> Option<T> {
        let value = self.get(name)?;
        let read = read(value);
        if read.is_none() {
            self.wrong(name, value, message);
        }
        read
    }

    fn text(&mut self, name: &'static str) -> Option<String> {
        self.read(name, |value| value.as_str().map(str::to_string), "is no text: put it in quotes")
    }

    /// As it is written: `0.5`.
    fn text_or_number(&mut self, name: &'static str) -> Option<String> {
        let read = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        self.read(name, read, "is neither text nor a number: write it like 0.5")
    }

    fn number(&mut self, name: &'static str) -> Option<i64> {
        self.read(name, Value::as_i64, "is no whole number: give one without quotes")
    }

    fn flag(&mut self, name: &'static str) -> Option<bool> {
        self.read(name, Value::as_bool, "is neither true nor false: give one of them without quotes")
    }

    fn list(&mut self, name: &'static str) -> Option<Vec<String>> {
        let texts =
            |value: &Value| value.as_array()?.iter().map(|item| item.as_str().map(str::to_string)).collect();
        self.read(name, texts, "is no list of texts: write it like [\"a\", \"b\"]")
    }

    fn map(&mut self, name: &'static str) -> Option<BTreeMap<String, String>> {
        let texts = |value: &Value| {
            let pairs = value.as_object()?.iter();
            pairs.map(|(name, value)| Some((name.clone(), value.as_str()?.to_string()))).collect()
        };
        self.read(name, texts, "is no object of texts: write it like {\"NAME\": \"value\"}")
    }

    fn nested<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Fields<'_>) -> T) -> T {
        let value = self.get(name);
        let prefix = format!("{}{name}", self.prefix);
        let mut fields = Fields::of(&prefix, value, self.problems);
        let draft = read(&mut fields);
        fields.finish();
        draft
    }
}

#[cfg(test)]
mod tests {
    use adsum_model::Spec;

    use super::*;

    #[test]
    fn a_draft_that_was_written_reads_back() {
        let mut spec = Spec::new("web".parse().unwrap(), vec!["serve".into(), "-v".into()]);
        spec.labels.insert("owner".to_string(), "me".to_string());
        let mut draft = Draft::of(&spec);
        draft.routes = Some(vec!["Path(/); priority=1".to_string()]);
        draft.publish = Some(vec!["80/tcp".to_string()]);
        assert_eq!(read("web", &write(&draft)), (draft, vec![]));
        assert_eq!(write(&Draft::of(&spec)).pointer("/check/path"), None);
    }

    #[test]
    fn every_mistake_of_form_is_found() {
        let value = json!({
            "name": "other", "comand": ["x"], "replicas": "2", "env": {"A": 1}, "exclusive": 1, "tags": "v1",
            "check": {"kind": 7, "intervall": "1s"}, "stop": [],
        });
        let (_, problems) = read("web", &value);
        let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "name",
                "replicas",
                "env",
                "check.kind",
                "check.intervall",
                "stop",
                "exclusive",
                "tags",
                "comand"
            ]
        );
        assert_eq!(problems[1].to_string(), "replicas: '\"2\"' is no whole number: give one without quotes");
        assert_eq!(read("web", &json!([1])).1.len(), 1);
    }
}
