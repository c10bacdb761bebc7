//! Rollouts as the agent shows them, and what is said of them.

use serde::Deserialize;

/// One that stands beside its service or in a history.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(super) struct Rollout {
    pub(super) number: u32,
    #[serde(default)]
    pub(super) cause: String,
    /// Of a way back: the rollout that it takes back.
    pub(super) of: Option<u32>,
    pub(super) from: Option<u32>,
    pub(super) to: u32,
    pub(super) stage: String,
    #[serde(default)]
    pub(super) ended: bool,
    pub(super) reason: Option<String>,
    /// Whether a person has it stand still, and not a failure.
    #[serde(default)]
    pub(super) by_hand: bool,
    #[serde(default)]
    pub(super) failures: u32,
    #[serde(default)]
    pub(super) began_at: u64,
    pub(super) ended_at: Option<u64>,
    pub(super) receipt: Option<Receipt>,
}

/// The same with all there is to say of it.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Whole {
    #[serde(flatten)]
    pub(super) rollout: Rollout,
    #[serde(default)]
    pub(super) failed_instances: Vec<Failure>,
    #[serde(default)]
    pub(super) log: Vec<Done>,
    #[serde(default)]
    pub(super) spent: Spent,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(super) struct Receipt {
    #[serde(default)]
    counted_from: u64,
    requests: u64,
    failed: u64,
    retried: u64,
    held: u64,
    #[serde(default)]
    cut: u64,
    #[serde(default)]
    before: Latency,
    #[serde(default)]
    during: Latency,
}

/// Microseconds; 0 when nothing was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
struct Latency {
    p99: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Failure {
    pub(super) instance: String,
    pub(super) name: String,
    pub(super) reason: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Done {
    pub(super) time: u64,
    pub(super) instance: String,
    pub(super) name: String,
    pub(super) step: String,
}

/// Milliseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Spent {
    start: u64,
    drain: u64,
    stop: u64,
    watch: u64,
    whole: u64,
}

/// Parts of a rollout that took less, in milliseconds, are not worth a word.
const SHOWN: u64 = 50;
/// An agent that runs when a rollout begins counts from a few milliseconds after its beginning on.
const GAP: u64 = 1_000;

impl Rollout {
    /// `version 1 to 2`.
    pub(super) fn versions(&self) -> String {
        match self.from {
            Some(from) => format!("version {from} to {}", self.to),
            None => format!("version {}", self.to),
        }
    }

    /// A person has said so; who waits goes on waiting.
    pub(super) fn is_paused_by_hand(&self) -> bool {
        self.stage == "paused" && self.by_hand
    }

    pub(super) fn is_paused_by_failure(&self) -> bool {
        self.stage == "paused" && !self.is_paused_by_hand()
    }
}

impl Whole {
    /// Two lines for people: where the time went, and what the callers had of it.
    pub(super) fn receipt(&self) -> String {
        let Rollout { number, receipt, .. } = &self.rollout;
        let mut text = format!("rollout {number}: {} in {}", self.rollout.versions(), self.spent.text());
        if let Some(receipt) = receipt {
            text.push_str(&format!("\n{}{}", receipt.text(), receipt.gap(self.rollout.began_at)));
        }
        text
    }
}

impl Receipt {
    /// As much as a table has room for.
    pub(super) fn brief(&self) -> String {
        match self.requests {
            0 => "no requests".to_string(),
            requests => format!("{} failed of {}", grouped(self.failed), plural(requests, "request")),
        }
    }

    /// `0 failed of 41,233 requests, 2 retried, 0 held; p99 3.1 ms before, 3.4 ms during`.
    pub(super) fn text(&self) -> String {
        let Receipt { requests, failed, retried, held, cut, before, during, .. } = self;
        if *requests == 0 {
            return "no requests came through the gateway meanwhile".to_string();
        }
        let number = |number: &u64| grouped(*number);
        let mut text = format!(
            "{} failed of {}, {} retried, {} held",
            number(failed),
            plural(*requests, "request"),
            number(retried),
            number(held)
        );
        if before.p99 > 0 && during.p99 > 0 {
            text += &format!("; p99 {} before, {} during", millis(before.p99), millis(during.p99));
        }
        if *cut > 0 {
            text += &format!("; {} cut at the deadline", plural(*cut, "long connection"));
        }
        text
    }
}

impl Receipt {
    /// What is missing from it: the counts of an agent end with it.
    fn gap(&self, began_at: u64) -> String {
        match self.counted_from.saturating_sub(began_at) {
            gap if gap >= GAP => {
                format!(" (counted from {} after its beginning, when the agent started)", seconds(gap))
            }
            _ => String::new(),
        }
    }
}

impl Spent {
    /// `31.2 s: start 0.4 s, drain 0.2 s, watch 30.6 s`.
    pub(super) fn text(self) -> String {
        let parts =
            [("start", self.start), ("drain", self.drain), ("stop", self.stop), ("watch", self.watch)];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(_, millis)| *millis >= SHOWN)
            .map(|(name, millis)| format!("{name} {}", seconds(millis)))
            .collect();
        let whole = seconds(self.whole);
        if parts.is_empty() { whole } else { format!("{whole}: {}", parts.join(", ")) }
    }
}

/// `31.2 s`.
pub(super) fn seconds(millis: u64) -> String {
    format!("{:.1} s", millis as f64 / 1e3)
}

fn millis(micros: u64) -> String {
    format!("{:.1} ms", micros as f64 / 1e3)
}

fn plural(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// `41,233`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_receipt_is_two_lines() {
        let json = json!({
            "number": 3, "cause": "updated", "of": null, "from": 1, "to": 2, "stage": "complete", "ended": true, "reason": null,
            "ended_at": 9, "spent": {"start": 400, "drain": 200, "stop": 0, "watch": 30_600, "whole": 31_200},
            "receipt": {
                "requests": 41_233, "failed": 0, "retried": 2, "held": 0, "cut": 0,
                "before": {"p99": 3_100}, "during": {"p99": 3_400},
            },
        });
        let mut whole = Whole::deserialize(&json).unwrap();
        assert_eq!(
            whole.receipt(),
            "rollout 3: version 1 to 2 in 31.2 s: start 0.4 s, drain 0.2 s, watch 30.6 s\n\
             0 failed of 41,233 requests, 2 retried, 0 held; p99 3.1 ms before, 3.4 ms during"
        );
        whole.rollout.receipt = Some(Receipt { requests: 1, cut: 1, ..Receipt::default() });
        assert!(
            whole
                .receipt()
                .ends_with("0 failed of 1 request, 0 retried, 0 held; 1 long connection cut at the deadline")
        );
        whole.rollout.began_at = 10_000;
        whole.rollout.receipt =
            Some(Receipt { counted_from: 12_500, requests: 2, failed: 1, ..Receipt::default() });
        assert!(whole.receipt().ends_with(
            "1 failed of 2 requests, 0 retried, 0 held (counted from 2.5 s after its beginning, when the agent started)"
        ));
        whole.rollout.receipt = Some(Receipt { counted_from: 10_040, ..Receipt::default() });
        assert!(whole.receipt().ends_with("\nno requests came through the gateway meanwhile"));
        (whole.rollout.receipt, whole.rollout.from, whole.spent) = (None, None, Spent::default());
        assert_eq!(whole.receipt(), "rollout 3: version 2 in 0.0 s");
    }

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!(
            [0, 999, 1_000, 41_233, 1_000_000].map(grouped),
            ["0", "999", "1,000", "41,233", "1,000,000"]
        );
    }

    #[test]
    fn a_pause_is_by_hand_or_after_a_failure() {
        let paused = |by_hand| Rollout {
            stage: "paused".into(),
            by_hand,
            reason: Some("web.2 was stopped by hand".into()),
            ..Rollout::default()
        };
        assert!(paused(true).is_paused_by_hand() && !paused(true).is_paused_by_failure());
        assert!(paused(false).is_paused_by_failure() && !paused(false).is_paused_by_hand());
        assert!(!Rollout::default().is_paused_by_hand() && !Rollout::default().is_paused_by_failure());
    }
}
