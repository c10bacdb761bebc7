//! How the health of an instance is to be found out.

use adsum_model::{Check, CheckKind};

use crate::draft::CheckDraft;
use crate::problem::Problems;
use crate::{bound, task};

#[derive(Clone, Copy, PartialEq)]
enum Word {
    Http,
    Tcp,
    Command,
    Process,
}

const WORDS: [(&str, Word); 4] =
    [("http", Word::Http), ("tcp", Word::Tcp), ("command", Word::Command), ("process", Word::Process)];

pub(crate) fn check(draft: &CheckDraft, problems: &mut Problems) -> Check {
    let default = Check::default();
    Check {
        kind: kind(draft, problems),
        interval: problems.duration(
            "check.interval",
            draft.interval.as_deref(),
            default.interval,
            &bound::INTERVAL,
        ),
        timeout: problems.duration(
            "check.timeout",
            draft.timeout.as_deref(),
            default.timeout,
            &bound::TIMEOUT,
        ),
        retries: problems.count("check.retries", draft.retries, default.retries, &bound::RETRIES),
        start_period: problems.duration(
            "check.start_period",
            draft.start_period.as_deref(),
            default.start_period,
            &bound::START_PERIOD,
        ),
    }
}

fn kind(draft: &CheckDraft, problems: &mut Problems) -> CheckKind {
    let asked_for = match (&draft.path, &draft.command) {
        (Some(_), _) => Word::Http,
        (None, Some(_)) => Word::Command,
        (None, None) => Word::Tcp,
    };
    let known = problems.0.len();
    let word = problems.word("check.kind", draft.kind.as_deref(), asked_for, &WORDS);
    // A kind that nobody knows says nothing about what belongs to it.
    if problems.0.len() == known {
        refuse_what_belongs_elsewhere(draft, word, problems);
    }
    match word {
        Word::Http => CheckKind::Http { path: path(draft.path.as_deref(), problems) },
        Word::Command => {
            CheckKind::Command { command: task::command("check.command", draft.command.as_deref(), problems) }
        }
        Word::Tcp => CheckKind::Tcp,
        Word::Process => CheckKind::Process,
    }
}

fn refuse_what_belongs_elsewhere(draft: &CheckDraft, word: Word, problems: &mut Problems) {
    if let Some(path) = draft.path.as_ref().filter(|_| word != Word::Http) {
        problems.add("check.path", path, "belongs to an http check: set check.kind to http, or leave it out");
    }
    if let Some(command) = draft.command.as_ref().filter(|_| word != Word::Command) {
        let advice = "belongs to a command check: set check.kind to command, or leave it out";
        problems.add("check.command", command.join(" "), advice);
    }
}

/// The path of a request, as it stands in the request line.
fn path(path: Option<&str>, problems: &mut Problems) -> String {
    let path = path.unwrap_or_default();
    if !path.starts_with('/') {
        problems.add("check.path", path, "is no path: begin it with '/', such as /healthz");
    } else if path.len() > bound::PATH {
        problems.add("check.path", path, format!("is too long: give at most {} bytes", bound::PATH));
    } else if let Some(odd) = path.chars().find(|letter| !letter.is_ascii_graphic() || *letter == '#') {
        let advice = format!("has {odd:?}: write it as a URL does, such as %20 for a space");
        problems.add("check.path", path, advice);
    }
    path.to_string()
}
