//! What a rollout cost its callers, in one sentence.

use adsum_model::rollout::{Receipt, Rollout, Stage};

/// `rolled out version 3: 0 failed of 41,233 requests, 2 retried, 0 held, 31.2 s`. The time is that from its beginning to
/// its end.
pub fn sentence(rollout: &Rollout, receipt: &Receipt) -> String {
    let to = rollout.to;
    let what = match rollout.stage {
        Stage::Complete => format!("rolled out version {to}"),
        Stage::RolledBack => format!("took version {to} back"),
        Stage::Superseded => format!("left version {to} for a newer wish"),
        Stage::Removed => format!("left version {to}, as the service was removed"),
        Stage::Rolling | Stage::Paused | Stage::Verifying => format!("rolls out version {to}"),
    };
    let millis = rollout.ended.map_or(0, |ended| ended.saturating_sub(rollout.began));
    let (failed, retried, held) = (grouped(receipt.failed), grouped(receipt.retried), grouped(receipt.held));
    let requests = grouped(receipt.requests);
    let seconds = millis as f64 / 1e3;
    let cut = if receipt.cut == 0 { String::new() } else { format!("{} cut, ", grouped(receipt.cut)) };
    format!(
        "{what}: {failed} failed of {requests} requests, {retried} retried, {held} held, {cut}{seconds:.1} s"
    )
}

/// Digits in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    groups.iter().map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use adsum_model::rollout::Cause;

    use super::*;

    #[test]
    fn a_receipt_reads_as_a_sentence() {
        let rollout = Rollout {
            service: "web".parse().unwrap(),
            number: 2,
            cause: Cause::Updated,
            from: Some(2),
            to: 3,
            stage: Stage::Complete,
            reason: None,
            by_hand: false,
            failures: vec![],
            answered: 0,
            log: vec![],
            began: 1_000,
            tick: 0,
            ended: Some(32_249),
            since: 0,
            proven: None,
            receipt: None,
        };
        let receipt = Receipt { requests: 41_233, retried: 2, ..Receipt::default() };
        let said = sentence(&rollout, &receipt);
        assert_eq!(said, "rolled out version 3: 0 failed of 41,233 requests, 2 retried, 0 held, 31.2 s");
        let receipt = Receipt { requests: 1_234_567, failed: 12, cut: 1_000, ..Receipt::default() };
        let said = sentence(&Rollout { stage: Stage::RolledBack, ..rollout }, &receipt);
        let expected =
            "took version 3 back: 12 failed of 1,234,567 requests, 0 retried, 0 held, 1,000 cut, 31.2 s";
        assert_eq!(said, expected);
    }
}
