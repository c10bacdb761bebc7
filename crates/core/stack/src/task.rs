//! What is to be run.

use std::collections::BTreeMap;

use adsum_model::Task;

use crate::draft::Draft;
use crate::problem::Problems;
use crate::{bound, limit};

pub(crate) fn task(draft: &Draft, problems: &mut Problems) -> Task {
    Task {
        command: command("command", draft.command.as_deref(), problems),
        env: env(draft.env.as_ref(), problems),
        workdir: workdir(draft.workdir.as_deref(), problems),
        user: limit::user(draft.user.as_deref(), problems),
        limits: limit::limits(&draft.limits, problems),
        ulimits: limit::ulimits(draft.ulimits.as_deref(), problems),
    }
}

/// A program with its arguments.
pub(crate) fn command(field: &str, command: Option<&[String]>, problems: &mut Problems) -> Vec<String> {
    let command = command.unwrap_or_default();
    if command.first().is_none_or(String::is_empty) {
        problems.add(
            field,
            command.join(" "),
            "names no program: give a program and its arguments as a list",
        );
    }
    if command.len() > bound::ENTRIES {
        let advice = format!("is too many arguments: give at most {}", bound::ENTRIES);
        problems.add(field, command.len(), advice);
    }
    for (at, argument) in command.iter().enumerate() {
        text(&format!("{field}[{at}]"), argument, problems);
    }
    command.to_vec()
}

fn env(env: Option<&BTreeMap<String, String>>, problems: &mut Problems) -> BTreeMap<String, String> {
    let Some(env) = env else { return BTreeMap::new() };
    if env.len() > bound::ENTRIES {
        problems.add("env", env.len(), format!("is too many variables: give at most {}", bound::ENTRIES));
    }
    for (name, value) in env {
        variable(name, problems);
        text(&format!("env.{name}"), value, problems);
    }
    env.clone()
}

fn variable(name: &str, problems: &mut Problems) {
    if name.is_empty() || name.contains(['=', '\0']) {
        problems.add("env", name, "is no name of a variable: it must not be empty nor have '=' or NUL");
    } else if name == "PORT" || name == "HOST" || name.starts_with("ADSUM_") {
        let advice = "is set by Adsum itself for each instance: choose another name";
        problems.add("env", name, advice);
    } else {
        text("env", name, problems);
    }
}

fn workdir(workdir: Option<&str>, problems: &mut Problems) -> Option<String> {
    let path = workdir?;
    if !path.starts_with('/') {
        problems.add("workdir", path, "is no absolute path: begin it with '/'");
    } else if path.len() > bound::PATH {
        problems.add("workdir", path, format!("is too long: give at most {} bytes", bound::PATH));
    } else {
        text("workdir", path, problems);
    }
    Some(path.to_string())
}

/// What a process can be given.
fn text(field: &str, text: &str, problems: &mut Problems) {
    if text.contains('\0') {
        problems.add(field, text, "has a NUL, which ends a text for the system: leave it out");
    }
    if text.len() > bound::TEXT {
        problems.add(field, text, format!("is too long: give at most {} bytes", bound::TEXT));
    }
}
