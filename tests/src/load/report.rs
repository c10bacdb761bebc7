//! What has become of each request.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::plan::Shot;
use crate::backend::{Entries, bytes, pieces as pieces_of};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A whole answer with this status.
    Answered(u16),
    /// The answer has begun and broken off, and that could be seen.
    Truncated(String),
    /// A whole answer 200 with another body than what was asked for.
    Wrong,
    Unconnected(String),
    /// Sent at least in part, and no answer has begun.
    Broken(String),
    TimedOut,
    /// The generator had too many in flight to begin it.
    NotBegun,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub number: u64,
    pub method: String,
    pub path: String,
    /// The id of a POST.
    pub post: Option<String>,
    /// When it was to begin, from the begin of the load.
    pub due: Duration,
    /// From then to the end of the answer.
    pub latency: Duration,
    pub outcome: Outcome,
    /// How often it was put on another connection since not a byte of it had been sent.
    pub resent: u32,
    /// `X-Backend` of the answer: who gave it.
    pub backend: Option<String>,
    /// `X-Gateway-Error` of the answer.
    pub reason: Option<String>,
    /// `X-Attempts` of the answer.
    pub attempts: Option<u32>,
}

impl Record {
    pub(super) fn new(number: u64, shot: &Shot, due: Duration) -> Record {
        Record {
            number,
            method: shot.method.to_string(),
            path: shot.path.clone(),
            post: None,
            due,
            latency: Duration::ZERO,
            outcome: Outcome::NotBegun,
            resent: 0,
            backend: None,
            reason: None,
            attempts: None,
        }
    }

    pub fn succeeded(&self) -> bool {
        matches!(self.outcome, Outcome::Answered(200..=299))
    }

    /// Whether this is the body that the backend gives to this request, and to no other.
    pub(super) fn fits(&self, body: &[u8]) -> bool {
        if let Some(id) = &self.post {
            return body == format!("post {id}\n").as_bytes();
        }
        let number = |text: &str| text.parse().unwrap_or(0);
        match self.path.split('/').skip(1).collect::<Vec<_>>()[..] {
            ["bytes", length] => body == bytes(number(length)),
            ["stream", pieces, _] => body == pieces_of(number(pieces)).as_bytes(),
            _ => true,
        }
    }
}

/// All requests of one load.
#[derive(Debug)]
pub struct Report {
    records: Vec<Record>,
    lasted: Duration,
}

impl Report {
    pub(super) fn new(mut records: Vec<Record>, lasted: Duration) -> Report {
        records.sort_by_key(|record| record.number);
        Report { records, lasted }
    }

    pub fn records(&self) -> &[Record] {
        &self.records
    }

    pub fn total(&self) -> usize {
        self.records.len()
    }

    /// From the begin of the load to the end of its last request.
    pub fn lasted(&self) -> Duration {
        self.lasted
    }

    /// Those that did not end with 2xx.
    pub fn failures(&self) -> Vec<&Record> {
        self.records.iter().filter(|record| !record.succeeded()).collect()
    }

    pub fn count(&self, which: impl Fn(&Record) -> bool) -> usize {
        self.records.iter().filter(|record| which(record)).count()
    }

    pub fn latencies(&self, which: impl Fn(&Record) -> bool) -> Latencies {
        Latencies::of(self.records.iter().filter(|record| which(record)))
    }

    /// Whether the backends have carried out each POST that succeeded exactly once, and no other more than once. The
    /// sentence says which are wrong.
    pub fn posts_in(&self, entries: &Entries) -> Result<usize, String> {
        let carried_out = entries.posts();
        let posts = self.records.iter().filter_map(|record| Some((record, record.post.as_deref()?)));
        let times = |id: &str| carried_out.get(id).copied().unwrap_or(0);
        let wrong = posts.clone().filter(|(record, id)| match times(id) {
            0 => record.succeeded(),
            1 => false,
            _ => true,
        });
        let wrong: Vec<String> =
            wrong.map(|(record, id)| format!("{id} {} times: {record:?}", times(id))).collect();
        if wrong.is_empty() { Ok(posts.count()) } else { Err(wrong.join("\n")) }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for record in &self.records {
            let reason = record.reason.as_deref().unwrap_or_default();
            *kinds.entry(format!("{} {:?} {reason}", record.method, record.outcome)).or_default() += 1;
        }
        let resent = self.count(|record| record.resent > 0);
        let retried = self.count(|record| record.attempts.is_some_and(|count| count > 1));
        let lasted = self.lasted.as_secs_f64();
        let total = self.total();
        writeln!(
            f,
            "{total} requests in {lasted:.1} s, {retried} retried by the gateway, {resent} resent by the client"
        )?;
        for (kind, count) in kinds {
            writeln!(f, "  {count:>7} {kind}")?;
        }
        write!(f, "  {}", self.latencies(|_| true))
    }
}

/// Latencies of some requests, from the shortest.
#[derive(Debug)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    pub fn of<'a>(records: impl Iterator<Item = &'a Record>) -> Latencies {
        let mut sorted: Vec<Duration> = records.map(|record| record.latency).collect();
        sorted.sort_unstable();
        Latencies(sorted)
    }

    /// The latency that this share of the requests did not exceed; zero when there are none.
    pub fn quantile(&self, share: f64) -> Duration {
        let at = (self.0.len() as f64 * share).ceil() as usize;
        self.0.get(at.max(1) - 1).or(self.0.last()).copied().unwrap_or_default()
    }

    pub fn longest(&self) -> Duration {
        self.quantile(1.0)
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |share| self.quantile(share).as_secs_f64() * 1e3;
        let [median, high, higher, longest] = [0.5, 0.99, 0.999, 1.0].map(millis);
        write!(f, "p50 {median:.1} ms, p99 {high:.1} ms, p99.9 {higher:.1} ms, longest {longest:.1} ms")
    }
}
