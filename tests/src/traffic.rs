//! All that callers do at the same time, on one service: GET and POST over kept connections, over a fresh connection
//! each, over HTTP/2, and downloads that take a second. Each kind is a [`Load`] of its own, so that nothing waits for
//! anything else.
//!
//! ```text
//! let mut traffic = Traffic::start(&stage, "web", 100);
//! traffic.during("update", || agent.adsum(&["service", "update", "web", "--env-add", "A=2"]).ok());
//! let account = traffic.stop();
//! account.check_nothing_lost(&stage.entries());     // and prints p99 before and during
//! ```

use std::fmt;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::backend::Entries;
use crate::load::{Latencies, Load, Plan, Protocol, Record, Report, get, post};
use crate::stage::Stage;

/// Pieces and milliseconds between them: a download of about a second.
const DOWNLOAD: &str = "/stream/20/50";

/// Load of several kinds, and what was done meanwhile.
pub struct Traffic {
    kinds: Vec<(&'static str, Load)>,
    changes: Vec<Change>,
}

/// Something that the test did, and when, from the begin of the load.
#[derive(Debug, Clone)]
pub struct Change {
    pub what: String,
    pub when: Range<Duration>,
}

impl Traffic {
    /// So many requests per second, half of them over kept connections, and two downloads.
    pub fn start(stage: &Stage, service: &str, rate: u32) -> Traffic {
        Traffic::to(|kind, rate| stage.plan(service, rate).name(&format!("{service}-{kind}")), rate)
    }

    /// To where a plan of this name and rate goes.
    pub fn to(plan: impl Fn(&str, u32) -> Plan, rate: u32) -> Traffic {
        let mix = [get("/bytes/2000"), post("/order", 300), get("/slow/100"), post("/order", 20), get("/")];
        let kind = |name: &'static str, rate: u32| plan(name, rate.max(1)).mix(mix.clone());
        let begin = Instant::now();
        let kinds = [
            ("kept", kind("kept", rate / 2)),
            ("fresh", kind("fresh", rate / 4).over(Protocol::Http1Fresh)),
            ("h2c", kind("h2c", rate / 4).over(Protocol::H2c(2))),
            ("download", plan("download", 2).mix([get(DOWNLOAD)])),
        ];
        let kinds = kinds.map(|(name, plan)| (name, Load::counting_from(begin, plan))).into();
        Traffic { kinds, changes: Vec::new() }
    }

    /// Waits until so many more requests over kept connections have come to an end.
    #[track_caller]
    pub fn go_on_for(&self, requests: u64) {
        self.kinds[0].1.go_on_for(requests);
    }

    pub fn elapsed(&self) -> Duration {
        self.kinds[0].1.elapsed()
    }

    /// Does it, and notes from when to when that was.
    pub fn during<T>(&mut self, what: &str, act: impl FnOnce() -> T) -> T {
        let begin = self.elapsed();
        let result = act();
        self.changes.push(Change { what: what.to_string(), when: begin..self.elapsed() });
        result
    }

    /// Begins no more, and waits for the end of those that are in flight.
    pub fn stop(self) -> Account {
        let reports = self.kinds.into_iter().map(|(name, load)| (name, load.stop())).collect();
        Account { reports, changes: self.changes }
    }
}

/// What has become of every request.
#[derive(Debug)]
pub struct Account {
    reports: Vec<(&'static str, Report)>,
    changes: Vec<Change>,
}

impl Account {
    pub fn total(&self) -> usize {
        self.reports.iter().map(|(_, report)| report.total()).sum()
    }

    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.reports.iter().flat_map(|(_, report)| report.records())
    }

    /// Those that did not end with 2xx.
    pub fn failures(&self) -> Vec<&Record> {
        self.records().filter(|record| !record.succeeded()).collect()
    }

    /// No POST was carried out twice, and each that succeeded once.
    pub fn posts_in(&self, entries: &Entries) -> Result<usize, String> {
        self.reports.iter().map(|(_, report)| report.posts_in(entries)).sum()
    }

    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Of short requests, before the first change.
    pub fn before(&self) -> Latencies {
        let begin = self.changes.first().map_or(Duration::MAX, |change| change.when.start);
        self.latencies(|record| record.due < begin)
    }

    /// Of short requests that began while something changed.
    pub fn during(&self) -> Latencies {
        self.latencies(|record| self.changes.iter().any(|change| change.when.contains(&record.due)))
    }

    /// Answers that take as long as they are told to say nothing about who is in between.
    fn latencies(&self, which: impl Fn(&Record) -> bool) -> Latencies {
        let short = |record: &Record| record.path != DOWNLOAD && !record.path.starts_with("/slow/");
        Latencies::of(self.records().filter(|record| short(record) && which(record)))
    }

    /// Nothing failed, and each POST was carried out once.
    #[track_caller]
    pub fn check_nothing_lost(&self, entries: &Entries) {
        println!("{self}");
        let failures = self.failures();
        let shown: Vec<_> = failures.iter().take(10).collect();
        assert!(failures.is_empty(), "{} failed, the first {shown:#?}\n{self}", failures.len());
        self.posts_in(entries).expect("each POST that succeeded was carried out once, and no other twice");
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, report) in &self.reports {
            writeln!(f, "{name}: {report}")?;
        }
        for Change { what, when } in &self.changes {
            let lasted = when.end.saturating_sub(when.start).as_secs_f64();
            writeln!(f, "  {:6.1} s {what}, {lasted:.1} s", when.start.as_secs_f64())?;
        }
        writeln!(f, "  before {}", self.before())?;
        write!(f, "  during {}", self.during())
    }
}
