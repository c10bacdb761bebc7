//! From the outcomes of probes to the health of an instance.

use std::time::Duration;

use adsum_model::{Check, CheckKind, Health};

/// What one probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    Passing,
    Warning,
    Critical,
}

/// Between probes of an instance that has not yet passed: the first success is worth waiting for.
pub const STARTING_INTERVAL: Duration = Duration::from_millis(100);
/// Between probes of an instance that fails: it should not stay out for longer than it has to.
pub const FAILING_INTERVAL: Duration = Duration::from_secs(1);

/// How long a process has to live before its mere life counts as success: one that cannot work ends at once.
pub const LIVES: Duration = Duration::from_millis(300);

/// The course of one instance's check, from the start of its process on.
#[derive(Clone, Debug)]
pub struct Course {
    health: Health,
    failures: u32,
}

impl Course {
    /// Goes on from the health that is on record.
    pub fn from(health: Health) -> Course {
        Course { health, failures: 0 }
    }

    /// Takes in what a probe found, `age` after the start of the process, and gives the health that follows. One
    /// success makes passing; as many failures in a row as the check's retries make critical. Before its first
    /// success an instance is starting until its start period is over.
    pub fn observe(&mut self, check: &Check, finding: Finding, age: Duration) -> Health {
        if check.kind == CheckKind::Process && self.health == Health::Starting && age < LIVES {
            return Health::Starting;
        }
        self.failures = if finding == Finding::Critical { self.failures.saturating_add(1) } else { 0 };
        self.health = match (finding, self.health) {
            (Finding::Passing, _) => Health::Passing,
            (Finding::Warning, _) => Health::Warning,
            (Finding::Critical, Health::Starting) if age < check.start_period => Health::Starting,
            (Finding::Critical, Health::Passing | Health::Warning) if self.failures < check.retries => {
                self.health
            }
            (Finding::Critical, _) => Health::Critical,
        };
        self.health
    }

    /// How long to wait before the next probe.
    pub fn pause(&self, check: &Check) -> Duration {
        match self.health {
            Health::Starting => STARTING_INTERVAL.min(check.interval),
            Health::Critical | Health::Warning => FAILING_INTERVAL.min(check.interval),
            Health::Passing | Health::Draining | Health::Maintenance if self.failures > 0 => {
                FAILING_INTERVAL.min(check.interval)
            }
            Health::Passing | Health::Draining | Health::Maintenance => check.interval,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(from: Health, findings: &[Finding], age: u64) -> Health {
        let mut course = Course::from(from);
        let check = Check::default();
        let age = Duration::from_secs(age);
        findings.iter().fold(from, |_, finding| course.observe(&check, *finding, age))
    }

    #[test]
    fn one_success_passes_and_three_failures_in_a_row_are_critical() {
        use Finding::{Critical, Passing, Warning};
        assert_eq!(run(Health::Starting, &[Critical, Critical, Critical, Critical], 1), Health::Starting);
        assert_eq!(run(Health::Starting, &[Critical, Passing], 1), Health::Passing);
        assert_eq!(run(Health::Starting, &[Critical], 31), Health::Critical);
        assert_eq!(run(Health::Passing, &[Critical, Critical], 99), Health::Passing);
        assert_eq!(
            run(Health::Passing, &[Critical, Critical, Passing, Critical, Critical], 99),
            Health::Passing
        );
        assert_eq!(run(Health::Passing, &[Critical, Critical, Critical], 99), Health::Critical);
        assert_eq!(run(Health::Critical, &[Passing], 99), Health::Passing);
        assert_eq!(run(Health::Passing, &[Warning], 99), Health::Warning);
    }

    #[test]
    fn a_process_has_to_live_for_a_moment_before_its_life_counts() {
        let check = Check { kind: CheckKind::Process, ..Check::default() };
        let mut course = Course::from(Health::Starting);
        assert_eq!(course.observe(&check, Finding::Passing, LIVES / 2), Health::Starting);
        assert_eq!(course.observe(&check, Finding::Passing, LIVES), Health::Passing);
    }

    #[test]
    fn a_starting_or_failing_instance_is_probed_sooner() {
        let check = Check::default();
        assert_eq!(Course::from(Health::Starting).pause(&check), STARTING_INTERVAL);
        assert_eq!(Course::from(Health::Passing).pause(&check), check.interval);
        assert_eq!(Course::from(Health::Critical).pause(&check), FAILING_INTERVAL);
        let mut course = Course::from(Health::Passing);
        course.observe(&check, Finding::Critical, Duration::from_secs(60));
        assert_eq!(course.pause(&check), FAILING_INTERVAL);
    }
}
