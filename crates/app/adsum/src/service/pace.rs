//! The flags for how instances are replaced, there and back: `docker service`'s names and meanings.

use std::time::Duration;

use adsum_model::print_duration;
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::usage::duration;

#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub(super) struct UpdateFlags {
    /// How many instances are replaced at a time; 0 is all
    #[arg(long, value_name = "N")]
    pub(super) update_parallelism: Option<u32>,
    /// Between a batch that is in place and the next one
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) update_delay: Option<Duration>,
    /// Which comes first when an instance is replaced
    #[arg(long, value_enum)]
    pub(super) update_order: Option<Order>,
    /// How long a new instance is watched for failures, from its first success on
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) update_monitor: Option<Duration>,
    /// The share of the new instances that may fail, such as 0.25
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    pub(super) update_max_failure_ratio: Option<f64>,
    /// What to do when more fail
    #[arg(long, value_enum)]
    pub(super) update_failure_action: Option<UpdateFailure>,
    /// How long a draining instance may keep what it has in flight
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) drain_timeout: Option<Duration>,
}

/// The same for the way back.
#[derive(Debug, Default, clap::Args)]
#[group(skip)]
pub(super) struct RollbackFlags {
    /// How many instances are replaced at a time on the way back; 0 is all
    #[arg(long, value_name = "N")]
    pub(super) rollback_parallelism: Option<u32>,
    /// Between two batches on the way back
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) rollback_delay: Option<Duration>,
    /// Which comes first on the way back
    #[arg(long, value_enum)]
    pub(super) rollback_order: Option<Order>,
    /// How long an instance is watched on the way back
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) rollback_monitor: Option<Duration>,
    /// The share of the instances that may fail on the way back
    #[arg(long, value_name = "RATIO", value_parser = ratio)]
    pub(super) rollback_max_failure_ratio: Option<f64>,
    /// What to do when more fail on the way back
    #[arg(long, value_enum)]
    pub(super) rollback_failure_action: Option<RollbackFailure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Order {
    StartFirst,
    StopFirst,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum UpdateFailure {
    Pause,
    Continue,
    Rollback,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RollbackFailure {
    Pause,
    Continue,
}

impl UpdateFlags {
    /// Each with its name in the draft; null for what was not said.
    pub(super) fn settings(&self) -> [(&'static str, Value); 7] {
        [
            ("parallelism", json!(self.update_parallelism)),
            ("delay", time(self.update_delay)),
            ("order", word(self.update_order)),
            ("monitor", time(self.update_monitor)),
            ("max_failure_ratio", json!(self.update_max_failure_ratio)),
            ("failure_action", word(self.update_failure_action)),
            ("drain_timeout", time(self.drain_timeout)),
        ]
    }
}

impl RollbackFlags {
    pub(super) fn settings(&self) -> [(&'static str, Value); 6] {
        [
            ("parallelism", json!(self.rollback_parallelism)),
            ("delay", time(self.rollback_delay)),
            ("order", word(self.rollback_order)),
            ("monitor", time(self.rollback_monitor)),
            ("max_failure_ratio", json!(self.rollback_max_failure_ratio)),
            ("failure_action", word(self.rollback_failure_action)),
        ]
    }
}

fn time(duration: Option<Duration>) -> Value {
    json!(duration.map(print_duration))
}

/// The word of a flag is the word of the draft.
fn word(word: Option<impl ValueEnum>) -> Value {
    let value = word.and_then(|word| word.to_possible_value());
    json!(value.map(|value| value.get_name().to_string()))
}

fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| format!("'{text}' is no share: give 0 to 1, such as 0.25"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_between_none_and_all() {
        assert_eq!(ratio("0.25"), Ok(0.25));
        assert_eq!(ratio("25%").unwrap_err(), "'25%' is no share: give 0 to 1, such as 0.25");
        assert!(ratio("1.5").is_err() && ratio("NaN").is_err());
    }
}
