//! All instances answer 503: what the gateway tries again must not become a load of its own.

use adsum_tests::load::{Load, Outcome, get};
use adsum_tests::rounds;

use adsum_tests::stage::Stage;

const RATE: u32 = 200;
/// Retries in percent of the requests of the last ten seconds, and those per second that are always allowed: defaults.
const BUDGET: usize = 20;
const FLOOR: usize = 10;

struct Storm {
    /// Of clients, while all instances answered 503.
    requests: usize,
    upstream: usize,
    /// What the budget allows for that long, with the requests before the storm that it still counts.
    allowed: usize,
}

impl Storm {
    fn factor(&self) -> f64 {
        self.upstream as f64 / self.requests as f64
    }
}

fn storm(flags: &[&str]) -> Storm {
    let stage = Stage::new();
    stage.create("web", &[&["--replicas", "3"], flags].concat());
    let calm = Load::start(stage.plan("web", RATE).requests(50)).stop_after(50);
    assert!(calm.failures().is_empty(), "{calm}");
    stage.set_mood("status 503");
    let seconds = rounds(5, 30);
    let count = RATE * seconds;
    let plan = stage.plan("web", RATE).mix([get("/storm")]).requests(count.into());
    let report = Load::start(plan).stop_after(count.into());
    println!("{report}");
    // The storm has struck: every answer was 503, and some had been tried again.
    assert_eq!(report.count(|record| record.outcome != Outcome::Answered(503)), 0, "{report}");
    assert!(report.count(|record| record.attempts.is_some_and(|attempts| attempts > 1)) > 0, "{report}");
    let requests = report.total();
    // On a busy machine it goes on for longer than it was planned to.
    let lasted = report.lasted().as_secs() as usize + 1;
    let retries = (requests + calm.total()) * BUDGET / 100 + (lasted + 1) * FLOOR;
    let storm = Storm {
        requests,
        upstream: stage.entries().count("request GET /storm"),
        allowed: requests + retries,
    };
    println!("{:.3} requests upstream for each of a client", storm.factor());
    storm
}

#[test]
fn a_retry_storm_stays_within_the_budget() {
    let storm = storm(&[]);
    assert!(storm.upstream <= storm.allowed, "{} upstream, {} allowed", storm.upstream, storm.allowed);
}

/// The control: a service that allows more does get more.
#[test]
fn without_the_budget_the_load_multiplies() {
    let storm = storm(&["--label", "adsum.gateway.retry-floor=1000"]);
    assert!(storm.factor() > 2.0 && storm.upstream > storm.allowed, "{:.3}", storm.factor());
}
