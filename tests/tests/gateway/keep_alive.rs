//! The keep-alive race: a backend closes an idle connection in the very moment in which a request is put on it.
//!
//! ```text
//! backend closes      |-- the FIN is on its way --|
//! gateway sends            request                    -> reset, and nothing was carried out
//! ```

use std::time::Duration;

use adsum_tests::load::{Load, Plan, get, post};
use adsum_tests::rounds;

use adsum_tests::stage::{Stage, check_nothing_lost};

/// Longer than a request that cannot be repeated trusts an idle connection.
const STEP: Duration = Duration::from_millis(1200);
/// Milliseconds: idle for so long, more or less, and the way of the FIN. It takes so long that every request that is put on
/// the one kept connection meets it, however late it is, and is over before the test is.
const IDLE: &str = "BACKEND_IDLE=800:8:3000";
const SERVICES: u32 = 6;

/// Each service is asked once in a step, so that its one kept connection is idle for that long.
fn plan(stage: &Stage, shot: impl Fn(&str) -> adsum_tests::load::Shot) -> Plan {
    let shots = (0..SERVICES).map(|number| shot("/race").host(&format!("web{number}.local")));
    stage.plan("web", 1).mix(shots).every(STEP / SERVICES).requests(u64::from(SERVICES * rounds(8, 100)))
}

fn stage() -> Stage {
    let stage = Stage::new();
    for number in 0..SERVICES {
        stage.create(&format!("web{number}"), &["--env", IDLE]);
    }
    stage
}

#[test]
fn the_keep_alive_race_costs_no_request_that_can_be_repeated() {
    let stage = stage();
    let report = run(plan(&stage, get));
    let races = stage.entries().count("race");
    println!("{races} races");
    assert!(races >= 3, "{races} races are too few to show anything");
    check_nothing_lost(&report, &stage.entries());
}

#[test]
fn the_keep_alive_race_doubles_no_post_and_fails_none() {
    let stage = stage();
    let report = run(plan(&stage, |path| post(path, 100)));
    check_nothing_lost(&report, &stage.entries());
    // The control: connections did become idle for as long as those of the test above, and nothing was put on them.
    assert!(stage.entries().count("idle-closed") + stage.entries().count("race") >= 3);
}

fn run(plan: Plan) -> adsum_tests::load::Report {
    let load = Load::start(plan);
    load.stop_after(u64::from(SERVICES * rounds(8, 100)))
}
