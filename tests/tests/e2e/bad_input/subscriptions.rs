//! One client that wants to hear everything.

use adsum_tests::Agent;
use adsum_tests::resp::{Connection, Reply};

use super::witness::{MIB, unharmed};

const LIMIT: usize = 100_000;
const BATCH: usize = 1000;

#[test]
fn a_client_has_a_hundred_thousand_subscriptions_and_not_one_more() {
    let agent = Agent::start();
    let mut connection = Connection::open(agent.resp()).unwrap();
    unharmed(&agent, 128 * MIB, || {
        for batch in 0..LIMIT / BATCH {
            let names: Vec<String> =
                (0..BATCH).map(|name| format!("channel:{}", batch * BATCH + name)).collect();
            let mut words = vec!["SUBSCRIBE"];
            words.extend(names.iter().map(String::as_str));
            connection.send(&words).unwrap();
            (0..BATCH).for_each(|_| assert!(matches!(connection.read().unwrap(), Reply::List(_))));
        }
        let Reply::Error(error) = connection.ask(&["PSUBSCRIBE", "one-more"]).unwrap() else {
            panic!("it is full")
        };
        assert!(error.contains("100000 channels and patterns"), "{error}");
    });
    // What it has, it keeps.
    let mut other = Connection::open(agent.resp()).unwrap();
    assert_eq!(other.ask(&["PUBLISH", "channel:99999", "news"]).unwrap(), Reply::Text("1".into()));
    let text = |text: &str| Reply::Text(text.into());
    let message = Reply::List(vec![text("message"), text("channel:99999"), text("news")]);
    assert_eq!(connection.read().unwrap(), message);
}
