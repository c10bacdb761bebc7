//! No input panics, hangs, or gets an answer that is none.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// An answer to anything: none, or a message with the id of the query, marked as an answer, within its limit.
#[track_caller]
fn check_any(bytes: &[u8]) {
    let catalog = world();
    for (transport, limit) in [(Transport::Udp, 1232), (Transport::Tcp, 65_535)] {
        let Some(answered) = answer(bytes, transport, &catalog, &config()).bytes else {
            assert!(bytes.len() < 12 || bytes[2] & 0x80 != 0, "only what is no query gets no answer");
            continue;
        };
        assert!(answered.len() <= limit);
        assert_eq!(answered[..2], bytes[..2]);
        assert_eq!(answered[2] & 0x80, 0x80);
        let message = Message::from_vec(&answered).expect("an answer is well-formed");
        assert_ne!(code(&message), "SERVFAIL");
        assert!(!message.metadata.recursion_available);
    }
}

/// Questions of every kind, as a place to begin mutating from.
fn questions() -> impl Strategy<Value = Vec<u8>> {
    let name = prop_oneof![
        Just("web.service.adsum."),
        Just("_web._tcp.service.consul."),
        Just("caaaaaaaaaaa.web.service.dc1.adsum."),
        Just("n1.node.dc1.consul."),
        Just("7f000001.addr.dc1.consul."),
        Just("down.service.svc.example.org."),
        Just("none.service.adsum."),
        Just("adsum."),
        Just("example.com."),
    ];
    let record_type = prop_oneof![Just("A"), Just("AAAA"), Just("SRV"), Just("SOA"), Just("NS"), Just("ANY")];
    (name, record_type, any::<u16>(), any::<Option<u16>>()).prop_map(|(name, record_type, id, payload)| {
        let query = Query { id, ..Query::new(&format!("{name} {record_type}")) };
        payload.map_or(query.clone(), |payload| query.edns(payload)).bytes()
    })
}

/// Bytes that mean something in a message come up as often as all others together.
fn telling(byte: u8) -> u8 {
    match byte {
        0..=63 => byte % 5,
        64..=95 => 0xc0,
        96..=127 => byte % 64,
        128..=255 => byte.wrapping_mul(2),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn random_bytes_have_an_outcome(bytes in vec(any::<u8>(), 0..600)) {
        check_any(&bytes);
    }

    #[test]
    fn a_random_body_after_a_query_header_has_an_outcome(
        counts in prop::array::uniform3(0u16..3),
        body in vec(any::<u8>().prop_map(telling), 0..200),
    ) {
        let header = [7, 0, 1, counts[0], counts[1], counts[2]];
        let mut bytes: Vec<u8> = header.iter().flat_map(|n| n.to_be_bytes()).collect();
        bytes.extend(body);
        check_any(&bytes);
    }

    #[test]
    fn a_mutated_query_has_an_outcome(
        mut bytes in questions(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        check_any(&bytes);
    }

    #[test]
    fn equal_inputs_make_equal_answers(bytes in questions()) {
        let catalog = world();
        let once = answer(&bytes, Transport::Udp, &catalog, &config());
        prop_assert_eq!(once, answer(&bytes, Transport::Udp, &catalog, &config()));
    }
}

/// 5,000 records, each of whose names leads through all before it: followed, they would be twelve million steps. The
/// first one points to itself, so that following any of them would end in an error, or never.
#[test]
fn chains_of_pointers_are_not_followed() {
    let mut bytes = Query::new("web.service.adsum. A").bytes();
    let mut previous = bytes.len() as u16;
    let count = 5000u16;
    for _ in 0..count {
        let here = bytes.len() as u16;
        bytes.extend((0xc000 | (previous & 0x3fff)).to_be_bytes());
        bytes.extend([0, 1, 0, 1, 0, 0, 0, 0, 0, 0]);
        previous = here;
    }
    bytes[10..12].copy_from_slice(&count.to_be_bytes());
    let answered = answer(&bytes, Transport::Tcp, &world(), &config()).bytes.unwrap();
    assert_eq!(Message::from_vec(&answered).unwrap().answers.len(), 2);
}

#[test]
fn counts_that_promise_more_than_comes_cost_nothing() {
    let mut bytes = Query::new("web.service.adsum. A").bytes();
    bytes[6..12].fill(0xff);
    let answered = answer(&bytes, Transport::Udp, &world(), &config()).bytes.unwrap();
    assert_eq!(code(&Message::from_vec(&answered).unwrap()), "FORMERR");
}
