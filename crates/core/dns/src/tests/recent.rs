//! What is remembered is what would be answered anew.

use proptest::prelude::*;

use super::*;
use crate::Recent;

const QUESTIONS: [&str; 17] = [
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
    "0a000001.addr.consul. A",
    "1.0.0.10.in-addr.arpa. PTR",
    "n1.node.adsum. AAAA",
    "adsum. NS",
    "web.service.adsum. ANY",
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

fn taken(recent: &mut Recent, catalog: &Catalog, questions: impl IntoIterator<Item = Query>) -> [usize; 2] {
    let mut most = [0, 0];
    for query in questions {
        recent.answer(&query.bytes(), catalog, &config());
        let taken = recent.taken();
        most = [most[0].max(taken[0]), most[1].max(taken[1])];
    }
    most
}

#[test]
fn what_is_remembered_has_a_limit_and_what_is_cut_is_not() {
    let catalog = crowd(300);
    let mut recent = Recent::new(Transport::Udp);
    // What is cut begins elsewhere with each id, in one of as many ways as fit.
    assert_eq!(taken(&mut recent, &catalog, [Query::new("many.service.adsum. SRV")]), [0, 0]);
    let catalog = crowd(60);
    let query = |id: u16| Query { id, ..Query::new("many.service.adsum. A") }.edns(1012 + id / 60 % 220);
    let most = taken(&mut recent, &catalog, (0..14_000).map(query));
    assert!(recent.taken()[0] < most[0] && most[0] <= 8 << 20 && most[1] == 0, "{most:?}");
}

#[test]
fn a_flood_of_what_does_not_exist_has_its_own_limit_and_makes_nobody_forget_what_does() {
    let catalog = world();
    let mut recent = Recent::new(Transport::Udp);
    let web = Query::new("web.service.adsum. A");
    let [known, _] = taken(&mut recent, &catalog, [web]);
    assert!(known > 0);
    let flood = (0..30_000).map(|number| match number % 2 {
        0 => Query::new(&format!("x{number}.service.adsum. A")),
        _ => Query::new(&format!("{number:08x}.addr.adsum. A")),
    });
    let most = taken(&mut recent, &catalog, flood);
    assert_eq!(recent.taken()[0], known);
    assert!(recent.taken()[1] < most[1] && most[1] <= 4 << 20, "{most:?}");
    // Names of nobody's are not remembered at all.
    let foreign = (0..10).map(|number| Query::new(&format!("x{number}.example.org. A")));
    let before = recent.taken();
    taken(&mut recent, &catalog, foreign);
    assert_eq!(recent.taken(), before);
}
