//! What became of a wish: for people a few lines, for a pipeline a document and an exit code.
//!
//! ```text
//! 0 converged   1 failed, rolled back, or paused by a failure   3 not converged when the waiting ended   4 refused
//! ```

use std::process::ExitCode;

use serde_json::{Value, json};

use super::flags::WaitFlags;
use super::rollout::Whole;
use super::view::Service;
use crate::client::{self, Error};
use crate::listing::print_json;

/// The exit codes of the commands that deploy, for their help.
pub(super) const CODES: &str = "Exit codes: 0 converged (or taken, with --detach), 1 failed, rolled back or paused by a failure, 2 wrong usage,
3 not converged when the waiting ended (--wait-timeout, Ctrl-C), 4 refused by the agent.";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Taken, and not waited for.
    Accepted,
    Converged,
    /// Nothing is left of a service that was removed.
    Gone,
    /// An instance was given up, and there is no way back.
    GivenUp,
    /// By a failure, or by somebody else.
    RolledBack,
    /// By a failure.
    Paused,
    /// Somebody wished for something else meanwhile.
    Superseded,
    /// By somebody else, while it was waited for.
    Removed,
    TimedOut,
    /// By Ctrl-C.
    Interrupted,
}

/// An outcome with what there is to say of it.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) service: String,
    pub(super) outcome: Outcome,
    /// For people: what happened, without the receipt.
    pub(super) text: String,
    /// As it was seen last.
    pub(super) last: Service,
    /// The rollout of the wish, as the agent gives it.
    pub(super) rollout: Option<Value>,
}

/// The agent said no. Exit code 4.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct Refused(pub(crate) Error);

impl Outcome {
    pub(super) fn code(&self) -> u8 {
        match self {
            Outcome::Accepted | Outcome::Converged | Outcome::Gone => 0,
            Outcome::GivenUp
            | Outcome::RolledBack
            | Outcome::Paused
            | Outcome::Superseded
            | Outcome::Removed => 1,
            Outcome::TimedOut | Outcome::Interrupted => 3,
        }
    }

    fn as_str(&self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Converged => "converged",
            Outcome::Gone => "gone",
            Outcome::GivenUp => "given-up",
            Outcome::RolledBack => "rolled-back",
            Outcome::Paused => "paused",
            Outcome::Superseded => "superseded",
            Outcome::Removed => "removed",
            Outcome::TimedOut => "timed-out",
            Outcome::Interrupted => "interrupted",
        }
    }
}

impl Report {
    pub(super) fn exit(&self) -> ExitCode {
        ExitCode::from(self.outcome.code())
    }

    /// The text with the receipt of a rollout that has ended.
    pub(super) fn lines(&self) -> String {
        let whole: Option<Whole> = self.rollout.as_ref().and_then(|json| crate::client::view(json).ok());
        match whole.filter(|whole| whole.rollout.ended) {
            Some(whole) => format!("{}\n{}", self.text, whole.receipt()),
            None => self.text.clone(),
        }
    }

    pub(super) fn json(&self) -> Value {
        // What stands below the first line is for people, or has a field of its own.
        let reason = self.text.strip_prefix("error: ").and_then(|text| text.lines().next());
        let receipt = self.rollout.as_ref().and_then(|rollout| rollout.get("receipt")).cloned();
        json!({
            "service": self.service,
            "outcome": self.outcome.as_str(),
            "reason": reason,
            "version": self.last.version,
            "replicas": self.last.spec.replicas,
            "passing": self.last.proven(),
            "waiting_on": self.last.waiting_on,
            "rollout": self.rollout,
            "receipt": receipt,
        })
    }
}

/// Ends a command that waited for several services: with the first outcome that is no success.
pub(super) fn conclude(reports: &[Report], flags: &WaitFlags) -> client::Outcome {
    if flags.is_json() {
        print_json(&reports.iter().map(Report::json).collect())?;
    }
    let failed = reports.iter().find(|report| report.outcome.code() != 0);
    Ok(failed.map_or(ExitCode::SUCCESS, Report::exit))
}

/// Makes a refusal one that ends with its own code, and tells a pipeline of it.
pub(super) fn refused(error: Error, service: Option<&str>, as_json: bool) -> anyhow::Error {
    let Error::Refused(refusal) = &error else { return error.into() };
    if as_json {
        let document = json!({"service": service, "outcome": "refused", "errors": refusal.errors});
        // The code and the message on standard error say the same.
        let _ = print_json(&document);
    }
    Refused(error).into()
}
