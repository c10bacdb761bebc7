//! The last line of output of instances that a rollout is about to count as failed.

use std::collections::BTreeMap;
use std::path::Path;

use adsum_model::{Health, Instance, InstanceId, Phase};
use adsum_rollout::service::Situation;

use crate::Settings;

/// Lines at the end of a log that are looked at.
const LINES: usize = 5;
/// Characters of a line that a reason has room for.
const LONGEST: usize = 200;

/// Of those that are not well, as long as somebody wants to know: nothing is read while no rollout is under way, and
/// nothing twice.
pub(super) fn of(settings: &Settings, situation: &Situation<'_>) -> BTreeMap<InstanceId, String> {
    let Some(rollout) = situation.rollout.filter(|rollout| !rollout.stage.is_final()) else {
        return BTreeMap::new();
    };
    let is_asked_about = |instance: &&Instance| {
        let is_known = rollout.failures.iter().any(|failure| failure.instance == instance.id);
        let has_ended = matches!(instance.phase, Phase::Backoff | Phase::Failed) || instance.restarts > 0;
        instance.version == rollout.to
            && !is_known
            && (has_ended || (instance.phase == Phase::Running && instance.health == Health::Critical))
    };
    let instances = situation.state.instances.iter().map(AsRef::as_ref).filter(is_asked_about);
    let words = instances
        .filter_map(|instance| Some((instance.id.clone(), last_line(&settings.log_file(instance))?)));
    words.collect()
}

/// Without the time before it. None when there is nothing to be read: it may have said nothing.
fn last_line(path: &Path) -> Option<String> {
    let lines = adsum_runtime::logs::tail(path, LINES);
    let said = lines.iter().rev().map(|line| line.split_once(' ').map_or("", |(_, said)| said.trim()));
    let line = said.into_iter().find(|said| !said.is_empty())?;
    Some(line.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_says_something_is_found_without_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        assert_eq!(last_line(&path), None);
        std::fs::write(&path, "").unwrap();
        assert_eq!(last_line(&path), None);
        std::fs::write(
            &path,
            "2026-01-01T00:00:00Z x\n2026-01-01T00:00:00Z boom: \u{7}no table\n2026-01-01T00:00:00Z \n",
        )
        .unwrap();
        assert_eq!(last_line(&path).as_deref(), Some("boom: no table"));
        std::fs::write(&path, format!("2026-01-01T00:00:00Z {}", "y".repeat(9000))).unwrap();
        assert_eq!(last_line(&path).map(|line| line.len()), Some(LONGEST));
    }
}
