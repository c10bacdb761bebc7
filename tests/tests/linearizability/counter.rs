//! A counter that everybody raises while the agent is killed: no number is given out twice, none that was seen is
//! taken back, and acknowledged <= final <= attempted.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use adsum_tests::resp::{Connection, Reply};
use adsum_tests::{Agent, rounds};

use crate::fault::{Clients, Fault};
use crate::stage::Stage;

const CLIENTS: usize = 8;
const KEY: &str = "/counter";

#[derive(Default)]
struct Counted {
    attempted: AtomicU64,
    /// The numbers that were answered.
    acknowledged: Mutex<HashSet<u64>>,
    /// The highest that anybody was told.
    seen: AtomicU64,
}

impl Counted {
    /// Raises, and reads: neither is below what anybody had been told before.
    fn once(&self, connection: &mut Connection) -> std::io::Result<()> {
        let before = self.seen.load(Ordering::SeqCst);
        self.attempted.fetch_add(1, Ordering::SeqCst);
        let raised = number(connection.ask(&["INCR", KEY])?);
        assert!(raised > before, "somebody was told {before}, and raised it to {raised}");
        assert!(self.acknowledged.lock().unwrap().insert(raised), "{raised} was given out twice");
        self.seen.fetch_max(raised, Ordering::SeqCst);
        let before = self.seen.load(Ordering::SeqCst);
        let read = number(connection.ask(&["GET", KEY])?);
        assert!(read >= before, "somebody was told {before}, and now it is {read}");
        self.seen.fetch_max(read, Ordering::SeqCst);
        Ok(())
    }
}

#[test]
fn a_counter_only_grows_and_counts_everything_over_kills() {
    let mut agent = Agent::start();
    let counted = Counted::default();
    let rounds = rounds(4, 200);
    for _ in 0..rounds {
        let stage = Stage::new(&agent);
        let client = || Box::new(|| stage.repeat(|connection| counted.once(connection))) as Box<_>;
        let clients = (0..CLIENTS).map(|_| client()).collect();
        stage.run(clients, || {
            stage.work(200);
            let clients = Clients { all: CLIENTS, impatient: 0 };
            Fault::Kill.strike(&mut agent, &stage, clients, |_| 0);
            stage.work(200);
        });
    }
    let found = number(Connection::open(agent.resp()).unwrap().ask(&["GET", KEY]).unwrap());
    let acknowledged = u64::try_from(counted.acknowledged.lock().unwrap().len()).unwrap();
    let attempted = counted.attempted.load(Ordering::SeqCst);
    println!("{rounds} kills: acknowledged {acknowledged}, final {found}, attempted {attempted}");
    assert!(acknowledged <= found && found <= attempted, "{acknowledged} <= {found} <= {attempted}");
    // So a raise that was acknowledged and lost would not drown in those of unknown outcome.
    let under_way = attempted - acknowledged;
    assert!(
        under_way <= u64::from(rounds) * 8,
        "each client has one request under way at a kill: {under_way}"
    );
}

fn number(reply: Reply) -> u64 {
    match reply {
        Reply::Text(text) => text.parse().unwrap(),
        other => panic!("not a number: {other:?}"),
    }
}
