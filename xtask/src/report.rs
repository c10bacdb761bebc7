//! What a run has come to: every step with its outcome and duration, what was skipped and why.

use std::time::{Duration, Instant};

/// Grows step by step; printed at the end.
#[derive(Default)]
pub(crate) struct Report {
    steps: Vec<Step>,
    skipped: Vec<String>,
}

struct Step {
    name: &'static str,
    passed: bool,
    took: Duration,
}

impl Report {
    /// Runs one step under its headline. A step that could not run at all counts as failed, with its reason.
    pub(crate) fn step(&mut self, name: &'static str, run: impl FnOnce() -> anyhow::Result<bool>) -> bool {
        println!("\n==> {name}");
        let begin = Instant::now();
        let passed = run().unwrap_or_else(|error| {
            eprintln!("{error:#}");
            false
        });
        self.steps.push(Step { name, passed, took: begin.elapsed() });
        println!("{}", self.steps.last().expect("it was just pushed"));
        passed
    }

    pub(crate) fn skip(&mut self, what: String) {
        self.skipped.push(what);
    }

    pub(crate) fn passed(&self) -> bool {
        self.steps.iter().all(|step| step.passed)
    }

    pub(crate) fn print(&self) {
        println!("\n==> summary");
        for step in &self.steps {
            println!("{step}");
        }
        for what in &self.skipped {
            println!("{what}");
        }
        println!("{}", self.verdict());
    }

    fn verdict(&self) -> String {
        let outcome = if self.passed() { "all passed" } else { "FAILED" };
        match self.skipped.len() {
            0 => format!("xtask: {outcome}, nothing skipped"),
            count => format!("xtask: {outcome}, {count} missing or skipped"),
        }
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let outcome = if self.passed { "passed" } else { "FAILED" };
        write!(out, "{outcome} {} ({:.1} s)", self.name, self.took.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_fails_when_one_step_fails_or_cannot_run() {
        let mut report = Report::default();
        assert!(report.step("good", || Ok(true)));
        assert!(report.passed());
        assert!(!report.step("impossible", || Err(anyhow::anyhow!("no such program"))));
        assert!(!report.passed());
        assert_eq!(report.verdict(), "xtask: FAILED, nothing skipped");
    }

    #[test]
    fn skips_are_counted_but_are_no_failure() {
        let mut report = Report::default();
        report.skip("SKIPPED a: needs dig".to_string());
        assert_eq!(report.verdict(), "xtask: all passed, 1 missing or skipped");
    }
}
