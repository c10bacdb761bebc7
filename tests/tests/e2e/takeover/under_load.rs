//! Clients of the gateway across takeovers.

use std::time::Duration;

use adsum_tests::backend::pieces;
use adsum_tests::crowd::{Crowd, End};
use adsum_tests::{http, until_ok};

use super::{Callers, RETIRED, SOON, ended, stage, take_over};

#[test]
fn three_takeovers_in_a_row_fail_no_request_and_double_none() {
    let mut stage = stage();
    let mut callers = Callers::start(&stage);
    let gateway = stage.agent.gateway();
    let sockets = Crowd::websockets(gateway, "web.local", 5, Duration::from_millis(100));
    until_ok("all are connected", SOON, || match sockets.open() {
        5 => Ok(()),
        open => Err(format!("{open} are open, {:?}", sockets.ends())),
    });
    let download = std::thread::spawn(move || {
        http::request(gateway, "GET", "/stream/100/60", &[("Host", "web.local")], "")
    });
    let mut before = Vec::new();
    for _ in 0..3 {
        callers.go_on_for(50);
        let agent = &mut stage.agent;
        before.push(callers.traffic.during("takeover", || take_over(agent)));
    }
    callers.go_on_for(50);
    callers.check_nothing_lost(&stage);
    assert_eq!(download.join().unwrap().unwrap().ok(), pieces(100), "it ran through all of them");
    until_ok("all have ended", RETIRED, || match sockets.open() {
        0 => Ok(()),
        open => Err(format!("{open} are open")),
    });
    assert_eq!(sockets.ends().into_iter().collect::<Vec<_>>(), [(End::Closed(1012), 5)]);
    before.into_iter().for_each(|child| assert!(ended(child).success()));
}

/// The control: the same load sees what a kill and a plain start lose.
#[test]
fn a_kill_and_a_plain_start_do_fail_requests() {
    let mut stage = stage();
    let callers = Callers::start(&stage);
    callers.go_on_for(50);
    stage.agent.kill9();
    callers.go_on_for(20);
    stage.agent.begin();
    stage.agent.wait_ready();
    assert!(callers.failures() > 0, "the load sees no loss, so its silence means nothing");
}

#[test]
fn an_update_that_has_begun_goes_on_under_the_next_agent() {
    let mut stage = stage();
    let callers = Callers::start(&stage);
    callers.go_on_for(50);
    // It holds up the drain of whichever instance has it.
    let gateway = stage.agent.gateway();
    let slow =
        std::thread::spawn(move || http::request(gateway, "GET", "/slow/3000", &[("Host", "web.local")], ""));
    stage.agent.adsum(&["service", "update", "web", "--env-add", "ROUND=2", "--detach"]).ok();
    let before = take_over(&mut stage.agent);
    until_ok("the update is through", SOON, || {
        let instances = stage.agent.instances_of("web");
        let new = instances.iter().filter(|instance| instance.env("ROUND").is_some()).count();
        if (new, instances.len()) == (2, 2) { Ok(()) } else { Err(format!("{new} of {}", instances.len())) }
    });
    callers.go_on_for(50);
    assert_eq!(slow.join().unwrap().unwrap().status, 200, "its instance was not ended under it");
    callers.check_nothing_lost(&stage);
    assert!(ended(before).success());
}
