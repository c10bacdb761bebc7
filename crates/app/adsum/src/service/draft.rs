//! Flags to the draft of a service: only what was said is in it, so that one draft serves as a whole wish (`create`)
//! and as a merge patch (`update`).

use std::path::{Path, PathBuf};

use adsum_model::print_duration;
use serde_json::{Map, Value, json};

use super::environment::{self, Variable};
use super::flags::{CheckFlags, RemoveFlags, RouteFlags, SpecFlags};

#[derive(Debug, Default, PartialEq)]
pub(super) struct Draft(Map<String, Value>);

impl Draft {
    /// What the flags say. Paths are as seen from `here`.
    pub(super) fn of(flags: &SpecFlags, here: &Path) -> anyhow::Result<Draft> {
        let mut draft = Draft::default();
        draft.set(&["replicas"], flags.replicas);
        for file in &flags.env_file {
            draft.add_variables(&environment::read_file(file)?);
        }
        draft.set(&["workdir"], flags.workdir.as_ref().map(|path| text(&here.join(path))));
        draft.user(flags.user.as_deref());
        draft.set(&["limits", "memory"], flags.limit.limit_memory.clone());
        draft.set(&["limits", "cpu"], flags.limit.limit_cpu.clone());
        draft.set(&["limits", "pids"], flags.limit.limit_pids);
        draft.check(&flags.check);
        draft.set(&["restart", "condition"], flags.restart.restart_condition.map(|it| it.as_str()));
        draft.set(&["restart", "delay"], flags.restart.restart_delay.map(print_duration));
        draft.set(&["restart", "max_attempts"], flags.restart.restart_max_attempts);
        draft.set(&["restart", "window"], flags.restart.restart_window.map(print_duration));
        draft.set(&["stop", "signal"], flags.stop_signal.clone());
        draft.set(&["stop", "grace"], flags.stop_grace_period.map(print_duration));
        draft.set_all("update", flags.update.settings());
        draft.set_all("rollback", flags.rollback.settings());
        draft.set(&["exclusive"], flags.exclusive);
        draft.set(&["tags"], (!flags.tags.is_empty()).then(|| json!(flags.tags)));
        Ok(draft)
    }

    pub(super) fn add_variables(&mut self, variables: &[Variable]) {
        for variable in variables {
            self.set(&["env", &variable.key], Some(variable.value.clone()));
        }
    }

    pub(super) fn remove_variables(&mut self, keys: &[String]) {
        for key in keys {
            self.set(&["env", key], Some(Value::Null));
        }
    }

    /// Those of a service that is to be.
    pub(super) fn add_ulimits(&mut self, ulimits: &[String]) {
        self.set(&["ulimits"], (!ulimits.is_empty()).then(|| json!(ulimits)));
    }

    /// Those of a service that is there: what it has besides stays.
    pub(super) fn change_ulimits(&mut self, add: &[String], remove: &[String]) {
        self.set(&["ulimits", "add"], (!add.is_empty()).then(|| json!(add)));
        self.set(&["ulimits", "remove"], (!remove.is_empty()).then(|| json!(remove)));
    }

    /// Routes, ports and labels of a service that is to be.
    pub(super) fn add_routing(&mut self, flags: &RouteFlags) {
        self.set(&["routes"], (!flags.routes.is_empty()).then(|| json!(flags.routes)));
        self.set(&["publish"], (!flags.publish.is_empty()).then(|| json!(flags.publish)));
        self.add_labels(&flags.labels);
    }

    /// The same of a service that is there: what it has besides stays.
    pub(super) fn change_routing(&mut self, add: &RouteFlags, remove: &RemoveFlags) {
        for key in &remove.label_rm {
            self.set(&["labels", key], Some(Value::Null));
        }
        self.add_labels(&add.labels);
        for (name, add, remove) in
            [("routes", &add.routes, &remove.route_rm), ("publish", &add.publish, &remove.publish_rm)]
        {
            self.set(&[name, "add"], (!add.is_empty()).then(|| json!(add)));
            self.set(&[name, "remove"], (!remove.is_empty()).then(|| json!(remove)));
        }
    }

    fn add_labels(&mut self, labels: &[(String, String)]) {
        for (key, value) in labels {
            self.set(&["labels", key], Some(value.clone()));
        }
    }

    /// The command; a program that is named with a `/` is one of the directory that it was named in.
    pub(super) fn command(&mut self, command: &[String], here: &Path) {
        let Some((program, arguments)) = command.split_first() else { return };
        let program = if program.contains('/') { text(&here.join(program)) } else { program.clone() };
        let words: Vec<&String> = std::iter::once(&program).chain(arguments).collect();
        self.set(&["command"], Some(json!(words)));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As a merge patch: a new kind of check leaves nothing of the old one.
    pub(super) fn into_patch(mut self) -> Value {
        if self.0.get("check").is_some_and(|check| check.get("kind").is_some()) {
            for detail in ["path", "command"] {
                if self.0["check"].get(detail).is_none() {
                    self.set(&["check", detail], Some(Value::Null));
                }
            }
        }
        Value::Object(self.0)
    }

    pub(super) fn into_json(self) -> Value {
        Value::Object(self.0)
    }

    /// An empty name is nobody's: the agent's own user again.
    fn user(&mut self, name: Option<&str>) {
        self.set(&["user"], name.map(|name| if name.is_empty() { Value::Null } else { name.into() }));
    }

    fn check(&mut self, flags: &CheckFlags) {
        let kind = match flags {
            CheckFlags { health_http: Some(_), .. } => Some("http"),
            CheckFlags { health_tcp: true, .. } => Some("tcp"),
            CheckFlags { health_cmd: Some(_), .. } => Some("command"),
            CheckFlags { no_healthcheck: true, .. } => Some("process"),
            CheckFlags { .. } => None,
        };
        self.set(&["check", "kind"], kind);
        self.set(&["check", "path"], flags.health_http.clone());
        self.set(&["check", "command"], flags.health_cmd.as_ref().map(|line| json!(["/bin/sh", "-c", line])));
        self.set(&["check", "interval"], flags.health_interval.map(print_duration));
        self.set(&["check", "timeout"], flags.health_timeout.map(print_duration));
        self.set(&["check", "retries"], flags.health_retries);
        self.set(&["check", "start_period"], flags.health_start_period.map(print_duration));
    }

    /// What of a part was said.
    fn set_all(&mut self, part: &str, settings: impl IntoIterator<Item = (&'static str, Value)>) {
        for (name, value) in settings {
            self.set(&[part, name], Some(value).filter(|value| !value.is_null()));
        }
    }

    fn set(&mut self, path: &[&str], value: Option<impl Into<Value>>) {
        let (Some(value), Some((last, parents))) = (value, path.split_last()) else { return };
        let mut map = &mut self.0;
        for parent in parents {
            let entry = map.entry(*parent).or_insert_with(|| json!({}));
            map = entry.as_object_mut().expect("only objects have something under them");
        }
        map.insert((*last).to_string(), value.into());
    }
}

/// Without `.` parts. JSON has text only: what is no text in a path becomes a replacement letter, and the agent
/// names the path that it does not find.
fn text(path: &Path) -> String {
    let path: PathBuf = path.components().collect();
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::flags::{LimitFlags, RestartCondition, RestartFlags};
    use super::super::pace::{Order, RollbackFlags, UpdateFailure, UpdateFlags};
    use super::*;

    fn draft(flags: SpecFlags) -> Draft {
        Draft::of(&flags, Path::new("/here")).unwrap()
    }

    #[test]
    fn a_draft_has_only_what_was_said() {
        assert!(draft(SpecFlags::default()).is_empty());
        let flags = SpecFlags { replicas: Some(3), ..SpecFlags::default() };
        assert_eq!(draft(flags).into_json(), json!({"replicas": 3}));
    }

    #[test]
    fn every_flag_has_its_place_in_the_draft() {
        let second = Some(Duration::from_secs(1));
        let check = CheckFlags {
            health_http: Some("/healthz".into()),
            health_interval: second,
            health_timeout: second,
            health_retries: Some(2),
            health_start_period: second,
            ..CheckFlags::default()
        };
        let restart = RestartFlags {
            restart_condition: Some(RestartCondition::OnFailure),
            restart_delay: second,
            restart_max_attempts: Some(4),
            restart_window: second,
        };
        let limit = LimitFlags {
            limit_memory: Some("256m".into()),
            limit_cpu: Some("0.5".into()),
            limit_pids: Some(100),
        };
        let update = UpdateFlags {
            update_parallelism: Some(0),
            update_delay: second,
            update_order: Some(Order::StopFirst),
            update_monitor: second,
            update_max_failure_ratio: Some(0.25),
            update_failure_action: Some(UpdateFailure::Pause),
            drain_timeout: second,
        };
        let rollback = RollbackFlags { rollback_parallelism: Some(2), ..RollbackFlags::default() };
        let flags = SpecFlags {
            workdir: Some("data".into()),
            user: Some("nobody".into()),
            limit,
            check,
            restart,
            stop_signal: Some("SIGINT".into()),
            stop_grace_period: second,
            update,
            rollback,
            exclusive: Some(true),
            tags: vec!["a".into(), "b".into()],
            ..SpecFlags::default()
        };
        let expect = json!({
            "workdir": "/here/data",
            "user": "nobody",
            "limits": {"memory": "256m", "cpu": "0.5", "pids": 100},
            "check": {"kind": "http", "path": "/healthz", "interval": "1s", "timeout": "1s", "retries": 2, "start_period": "1s"},
            "restart": {"condition": "on-failure", "delay": "1s", "max_attempts": 4, "window": "1s"},
            "stop": {"signal": "SIGINT", "grace": "1s"},
            "update": {
                "parallelism": 0, "delay": "1s", "order": "stop-first", "monitor": "1s", "max_failure_ratio": 0.25,
                "failure_action": "pause", "drain_timeout": "1s",
            },
            "rollback": {"parallelism": 2},
            "exclusive": true,
            "tags": ["a", "b"],
        });
        assert_eq!(draft(flags).into_json(), expect);
    }

    #[test]
    fn each_kind_of_check_has_its_flag() {
        #[track_caller]
        fn check(check: CheckFlags, expect: Value) {
            let flags = SpecFlags { check, ..SpecFlags::default() };
            assert_eq!(draft(flags).into_json(), json!({"check": expect}));
        }
        check(CheckFlags { health_tcp: true, ..CheckFlags::default() }, json!({"kind": "tcp"}));
        check(CheckFlags { no_healthcheck: true, ..CheckFlags::default() }, json!({"kind": "process"}));
        check(
            CheckFlags { health_cmd: Some("test -f up".into()), ..CheckFlags::default() },
            json!({"kind": "command", "command": ["/bin/sh", "-c", "test -f up"]}),
        );
    }

    #[test]
    fn a_program_named_by_a_relative_path_is_found_from_here() {
        #[track_caller]
        fn check(program: &str, expect: &str) {
            let mut draft = Draft::default();
            draft.command(&[program.to_string(), "./x".to_string()], Path::new("/here"));
            assert_eq!(draft.into_json(), json!({"command": [expect, "./x"]}));
        }
        check("./web", "/here/web");
        check("bin/web", "/here/bin/web");
        check("/bin/web", "/bin/web");
        check("web", "web");
    }

    #[test]
    fn variables_of_flags_count_before_those_of_files() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("env");
        std::fs::write(&file, "A=file\nB=file\n").unwrap();
        let mut draft = draft(SpecFlags { env_file: vec![file], ..SpecFlags::default() });
        draft.add_variables(&["A=flag".parse().unwrap()]);
        draft.remove_variables(&["C".to_string()]);
        assert_eq!(draft.into_json(), json!({"env": {"A": "flag", "B": "file", "C": null}}));
    }

    #[test]
    fn ulimits_are_said_whole_or_in_part_and_a_user_may_be_taken_back() {
        let (add, remove) = (["nofile=1024:2048".to_string()], ["nproc".to_string()]);
        let mut whole = Draft::default();
        whole.add_ulimits(&add);
        assert_eq!(whole.into_json(), json!({"ulimits": ["nofile=1024:2048"]}));
        let mut change = draft(SpecFlags { user: Some(String::new()), ..SpecFlags::default() });
        change.change_ulimits(&add, &remove);
        let expect = json!({"ulimits": {"add": ["nofile=1024:2048"], "remove": ["nproc"]}, "user": null});
        assert_eq!(change.into_patch(), expect);
    }

    #[test]
    fn what_a_service_gets_of_the_gateway_is_said_whole_or_in_part() {
        let add = RouteFlags {
            routes: vec!["Host(a)".into()],
            publish: vec!["8080".into()],
            labels: vec![("k".into(), "v=1".into())],
        };
        let mut whole = Draft::default();
        whole.add_routing(&add);
        assert_eq!(
            whole.into_json(),
            json!({"routes": ["Host(a)"], "publish": ["8080"], "labels": {"k": "v=1"}})
        );
        let remove = RemoveFlags {
            route_rm: vec!["Host(b)".into()],
            label_rm: vec!["x".into()],
            ..Default::default()
        };
        let mut change = Draft::default();
        change.change_routing(&add, &remove);
        let expect = json!({
            "routes": {"add": ["Host(a)"], "remove": ["Host(b)"]}, "publish": {"add": ["8080"]},
            "labels": {"k": "v=1", "x": null},
        });
        assert_eq!(change.into_patch(), expect);
    }

    #[test]
    fn a_patch_with_a_new_kind_of_check_leaves_nothing_of_the_old_one() {
        let check = CheckFlags { health_tcp: true, ..CheckFlags::default() };
        let patch = draft(SpecFlags { check, ..SpecFlags::default() }).into_patch();
        assert_eq!(patch, json!({"check": {"kind": "tcp", "path": null, "command": null}}));
        let check = CheckFlags { health_retries: Some(1), ..CheckFlags::default() };
        let patch = draft(SpecFlags { check, ..SpecFlags::default() }).into_patch();
        assert_eq!(patch, json!({"check": {"retries": 1}}));
    }
}
