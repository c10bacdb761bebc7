//! Everything that is planned, in a row, on one service and under one load: what is well by itself may not be well after
//! something else.
//!
//! The agent is replaced in each of its ways: by one that takes over, by its own program started anew, and by an end and a
//! start while its sockets stay open elsewhere. That the load sees what is lost is shown by `control`, and by the kill in
//! `e2e takeover::under_load`. Not here: emptying the only node, which leaves nobody who could answer (`changes`). Here it
//! is refused.

use adsum_tests::load::{Load, Protocol, get, post};
use adsum_tests::stage::check_nothing_lost;
use adsum_tests::succession::{Sockets, renew, take_over};
use adsum_tests::{Agent, Stage, Traffic, rounds};

const RATE: u32 = 100;
/// Instances that leave in a round: four by an update, two of four by the scaling, two by going back, two by `--force`.
const LEAVING: usize = 10;

#[test]
fn everything_that_is_planned_in_a_row_fails_no_request_and_doubles_none() {
    let mut stage = Stage::new();
    stage.create("web", &["--replicas", "2", "--update-monitor", "500ms", "--rollback-monitor", "500ms"]);
    let mut traffic = Traffic::start(&stage, "web", RATE);
    traffic.go_on_for(u64::from(RATE));
    let rounds = rounds(1, 30);
    for round in 0..rounds {
        go_round(&mut stage, &mut traffic, round);
    }
    traffic.go_on_for(u64::from(RATE));
    let account = traffic.stop();
    account.check_nothing_lost(&stage.entries());
    assert_eq!(stage.entries().count("terminated"), LEAVING * rounds as usize);
    let log = stage.agent.log();
    assert_eq!(log.matches("taken over process=").count(), 2 * rounds as usize, "{log}");
}

/// Each of the changes once.
fn go_round(stage: &mut Stage, traffic: &mut Traffic, round: u32) {
    let version = format!("ROUND={round}");
    let update = ["service", "update", "web", "--update-parallelism", "2", "--env-add", &version];
    change(stage, traffic, &["service", "scale", "web=4"]);
    // Whatever follows meets the process before, which is on its way out with what it has in flight.
    drop(traffic.during("takeover", || take_over(&mut stage.agent)));
    change(stage, traffic, &update);
    change(stage, traffic, &["service", "scale", "web=2"]);
    change(stage, traffic, &["service", "rollback", "web"]);
    change(stage, traffic, &["maint", "on", "web.1", "--reason", "a look at its disk"]);
    change(stage, traffic, &["maint", "off", "web.1"]);
    traffic.during("restart of the agent", || renew(&stage.agent));
    traffic.during("node drain, refused", || stage.agent.adsum(&["node", "drain", "one"]).fails(4));
    change(stage, traffic, &["service", "update", "web", "--force"]);
}

/// And after it, for a moment, nothing.
fn change(stage: &Stage, traffic: &mut Traffic, words: &[&str]) {
    traffic.during(&words.join(" "), || stage.agent.adsum(words).ok());
    traffic.go_on_for(u64::from(RATE) / 10);
}

/// As by `systemctl restart` with socket units. Not over kept connections: one that rests is closed half a second after the
/// agent was told to end, and a request that is on its way there at that moment is lost, as with every server that ends.
#[test]
fn an_end_and_a_start_between_rollouts_fail_no_request_where_the_sockets_stay_open() {
    let mut agent = Agent::start();
    assert!(agent.terminate().success());
    let sockets = Sockets::of(&agent);
    sockets.start(&mut agent);
    let mut stage = Stage::with(agent);
    stage.create("web", &["--replicas", "2", "--update-monitor", "500ms"]);
    let mix = [get("/bytes/2000"), post("/order", 300), get("/slow/100"), post("/order", 20), get("/")];
    let load =
        |name, protocol| Load::start(stage.plan("web", RATE / 4).name(name).mix(mix.clone()).over(protocol));
    let loads = [load("fresh", Protocol::Http1Fresh), load("h2c", Protocol::H2c(2))];
    for round in 0..rounds(2, 30) {
        let version = format!("ROUND={round}");
        stage.agent.adsum(&["service", "update", "web", "--env-add", &version]).ok();
        sockets.restart(&mut stage.agent);
        loads[0].go_on_for(u64::from(RATE) / 4);
    }
    for load in loads {
        check_nothing_lost(&load.stop(), &stage.entries());
    }
}
