//! Durations of a draft.

use std::ops::RangeInclusive;
use std::time::Duration;

use adsum_model::{parse_duration, print_duration};

use crate::problem::Problems;

impl Problems {
    /// A duration within its range; `default` when there is none or it is wrong.
    pub(crate) fn duration(
        &mut self,
        field: &str,
        text: Option<&str>,
        default: Duration,
        range: &RangeInclusive<Duration>,
    ) -> Duration {
        let Some(text) = text else { return default };
        match parse_duration(text) {
            Ok(duration) if range.contains(&duration) => whole_millis(duration),
            Ok(_) => {
                let (least, most) = (print_duration(*range.start()), print_duration(*range.end()));
                self.add(field, text, format!("is out of range: give {least} to {most}"));
                default
            }
            Err(_) => {
                self.add(field, text, "is no duration: write it like 500ms, 30s, 5m or 1h30m");
                default
            }
        }
    }
}

/// What a draft of the spec can write down again.
fn whole_millis(duration: Duration) -> Duration {
    Duration::from_millis(duration.as_millis() as u64)
}
