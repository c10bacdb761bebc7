//! Connections that would never end, across a planned change: they are told, and end politely.

use std::time::{Duration, Instant};

use adsum_tests::crowd::{Crowd, End};
use adsum_tests::{rounds, until_ok};
use nix::sys::signal::Signal;

use adsum_tests::stage::{SOON, Stage};

const DRAIN: &str = "6s";

struct Crowds {
    sockets: Crowd,
    readers: Crowd,
    each: usize,
}

impl Crowds {
    fn connect(stage: &Stage) -> Crowds {
        let each = rounds(100, 1000) as usize;
        let gateway = stage.agent.gateway();
        let sockets = Crowd::websockets(gateway, "web.local", each, Duration::from_secs(1));
        let readers = Crowd::events(gateway, "web.local", each);
        until_ok("all are connected", Duration::from_secs(60), || match (sockets.open(), readers.open()) {
            (one, other) if one == each && other == each => Ok(()),
            open => Err(format!("{open:?}, {:?} {:?}", sockets.ends(), readers.ends())),
        });
        Crowds { sockets, readers, each }
    }

    fn wait_for_the_end(&self) {
        until_ok("all have ended", SOON, || match (self.sockets.open(), self.readers.open()) {
            (0, 0) => Ok(()),
            open => Err(format!("{open:?} are open")),
        });
    }

    fn print(&self) {
        println!("WebSockets {:?}\nevents {:?}", self.sockets.ends(), self.readers.ends());
    }
}

#[test]
fn an_update_ends_websockets_with_1012_and_event_streams_behind_an_event() {
    let stage = Stage::new();
    stage.create("web", &["--replicas", "2", "--drain-timeout", DRAIN]);
    let crowds = Crowds::connect(&stage);
    let begin = Instant::now();
    stage.agent.adsum(&["service", "update", "web", "--env-add", "ROUND=1"]).ok();
    crowds.wait_for_the_end();
    crowds.print();
    println!("over in {:.1} s", begin.elapsed().as_secs_f64());
    assert_eq!(crowds.sockets.ends().into_iter().collect::<Vec<_>>(), [(End::Closed(1012), crowds.each)]);
    assert_eq!(crowds.readers.ends().into_iter().collect::<Vec<_>>(), [(End::Finished, crowds.each)]);
    // The instances saw it too, and were told to end only afterwards.
    let entries = stage.entries();
    assert_eq!(entries.count("ws-closed 1012"), crowds.each);
    assert_eq!(entries.count("terminated"), 2);
}

/// The control: instances that are killed end nothing politely, and that is seen.
#[test]
fn killed_instances_cut_what_is_connected() {
    let stage = Stage::new();
    stage.create("web", &["--replicas", "2"]);
    let crowds = Crowds::connect(&stage);
    stage.agent.instances_of("web").iter().for_each(|instance| instance.signal(Signal::SIGKILL));
    crowds.wait_for_the_end();
    crowds.print();
    let polite = |ends: std::collections::BTreeMap<End, usize>| {
        ends.into_keys().any(|end| matches!(end, End::Closed(1012) | End::Finished))
    };
    assert!(!polite(crowds.sockets.ends()) && !polite(crowds.readers.ends()));
}
