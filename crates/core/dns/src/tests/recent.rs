//! What is remembered is what would be answered anew.

use proptest::prelude::*;

use super::*;
use crate::Recent;

const QUESTIONS: [&str; 12] = [
    "web.service.adsum. SRV",
    "WEB.service.adsum. A",
    "web.service.consul. AAAA",
    "v1.web.service.adsum. SRV",
    "twins.service.adsum. A",
    "twins.service.dc1.consul. SRV",
    "down.service.adsum. SRV",
    "nothing.service.adsum. SRV",
    "n1.node.adsum. A",
    "adsum. SOA",
    "service.adsum. A",
    "example.org. A",
];

fn answer_anew(query: &[u8], catalog: &Catalog) -> Answer {
    answer(query, Transport::Udp, catalog, &config())
}

proptest! {
    #[test]
    fn a_remembered_answer_is_the_one_that_would_be_given(
        asked in prop::collection::vec((0..QUESTIONS.len(), any::<u16>(), any::<bool>(), any::<bool>()), 1..60),
    ) {
        let before = world();
        let after = crowd(3);
        let mut recent = Recent::new(Transport::Udp);
        for (question, id, with_edns, later) in asked {
            let query = Query { id, ..Query::new(QUESTIONS[question]) };
            let query = if with_edns { query.edns(1232) } else { query }.bytes();
            let catalog = if later { &after } else { &before };
            // Catalogs of one revision are one catalog; these two are not.
            if later {
                recent = Recent::new(Transport::Udp);
            }
            prop_assert_eq!(recent.answer(&query, catalog, &config()), answer_anew(&query, catalog));
            if later {
                recent = Recent::new(Transport::Udp);
            }
        }
    }
}

#[test]
fn what_has_changed_is_answered_anew() {
    let mut keyspace = Keyspace::default();
    let mut catalog = |port: u16| {
        let put = |tx: &mut Transaction<'_>| {
            put_service(tx, "web", &[]);
            put_instance(tx, 1, "web", &format!("10.0.0.1:{port}"), Health::Passing);
        };
        keyspace.transact(Now::default(), put).unwrap();
        Catalog::load(keyspace.keys(Database::System), keyspace.revision())
    };
    let query = Query::new("web.service.adsum. SRV").bytes();
    let mut recent = Recent::new(Transport::Udp);
    for port in [8001, 8002, 8003] {
        let catalog = catalog(port);
        for _ in 0..2 {
            assert_eq!(recent.answer(&query, &catalog, &config()), answer_anew(&query, &catalog));
        }
    }
}

#[test]
fn what_does_not_exist_is_not_remembered_and_what_is_remembered_has_a_limit() {
    let catalog = crowd(300);
    let mut recent = Recent::new(Transport::Udp);
    for number in 0..1000 {
        recent.answer(&Query::new(&format!("x{number}.service.adsum. A")).bytes(), &catalog, &config());
    }
    assert_eq!(recent.taken(), 0);
    // What is cut begins elsewhere with each id, in one of as many ways as fit.
    recent.answer(&Query::new("many.service.adsum. SRV").bytes(), &catalog, &config());
    assert_eq!(recent.taken(), 0);
    let catalog = crowd(60);
    let mut most = 0;
    for id in 0..14_000 {
        let query = Query { id, ..Query::new("many.service.adsum. A") }.edns(1012 + id / 60 % 220);
        recent.answer(&query.bytes(), &catalog, &config());
        most = most.max(recent.taken());
    }
    assert!(recent.taken() < most && most <= 8 << 20, "{} of {most}", recent.taken());
}
