//! What is asked in a way that is not ours, or in none at all.

use super::*;

/// The code that a query gets, with its flags.
#[track_caller]
fn check_query(query: &Query, expected: &str) {
    assert_eq!(said(&query.ask(Transport::Udp, &world()))[0], expected);
}

/// The code of a header that comes back alone; `silence` when nothing does.
#[track_caller]
fn check_bytes(bytes: &[u8], expected: &str) {
    let found = match answer(bytes, Transport::Udp, &world(), &config()).bytes {
        None => "silence".to_string(),
        Some(answer) => {
            assert_eq!(answer.len(), 12, "a header alone");
            assert_eq!(answer[..2], bytes[..2], "the id is the one of the query");
            code(&Message::from_vec(&answer).unwrap())
        }
    };
    assert_eq!(found, expected);
}

#[test]
fn a_question_comes_back_as_it_was_asked() {
    let query = Query { id: 0xbeee, ..Query::new("wEb.SERVICE.aDsUm. A") }.edns(1232);
    let message = query.ask(Transport::Udp, &world());
    assert_eq!(message.metadata.id, 0xbeee);
    assert!(message.metadata.recursion_desired && !message.metadata.recursion_available);
    assert_eq!(message.queries[0].name().to_string(), "wEb.SERVICE.aDsUm.");
    assert_eq!(said(&message)[1], "wEb.SERVICE.aDsUm. 0 A 10.0.0.1");
}

#[test]
fn any_gets_a_minimal_answer() {
    check("web.service.adsum. ANY", &["aa NOERROR", "web.service.adsum. 0 HINFO RFC8482 "]);
    check("consul. ANY", &["aa NOERROR", "consul. 0 HINFO RFC8482 "]);
    check_query(&Query::new("none.service.adsum. ANY"), "aa NXDOMAIN");
    check_query(&Query::new("example.com. ANY"), "REFUSED");
}

#[test]
fn transfers_and_types_of_no_record_are_refused() {
    let (opt, tsig, ixfr, axfr) = (41, 250, 251, 252);
    for record_type in [opt, 128, tsig, ixfr, axfr, 254] {
        check_query(&Query { record_type, ..Query::new("adsum. A") }, "REFUSED");
    }
    for record_type in [0, 99, 256, 65_535] {
        check_query(&Query { record_type, ..Query::new("adsum. A") }, "aa NOERROR");
    }
}

#[test]
fn only_the_internet_is_served() {
    for (class, expected) in
        [(1, "aa NOERROR"), (255, "aa NOERROR"), (0, "REFUSED"), (3, "REFUSED"), (4, "REFUSED")]
    {
        check_query(&Query { class, ..Query::new("web.service.adsum. A") }, expected);
    }
}

#[test]
fn an_answer_is_never_answered() {
    let query = Query::new("web.service.adsum. A");
    for flags in [0x8000, 0x8100, 0xa800, 0xffff] {
        check_bytes(&Query { flags, ..query.clone() }.bytes(), "silence");
    }
}

#[test]
fn an_operation_other_than_a_query_is_not_implemented() {
    for opcode in 1..16 {
        let query = Query { flags: opcode << 11, ..Query::new("web.service.adsum. A") };
        check_bytes(&query.bytes(), "NOTIMP");
    }
}

#[test]
fn a_query_has_one_question() {
    for count in [0, 2, 65_535u16] {
        let mut bytes = Query::new("web.service.adsum. A").bytes();
        bytes[4..6].copy_from_slice(&count.to_be_bytes());
        check_bytes(&bytes, "FORMERR");
    }
}

#[test]
fn a_newer_edns_gets_the_version_that_is_spoken_here() {
    for version in [1, 99, 255] {
        let query = Query { edns: Some((1232, version << 16)), ..Query::new("web.service.adsum. A") };
        let message = query.ask(Transport::Udp, &world());
        assert_eq!(said(&message), ["BADVERS"]);
        assert_eq!(message.edns.unwrap().version(), 0);
    }
}

#[test]
fn edns_is_answered_with_edns() {
    let query = Query { edns: Some((4096, 0x8000)), ..Query::new("example.com. A") };
    let edns = query.ask(Transport::Udp, &world()).edns.unwrap();
    assert_eq!((edns.max_payload(), edns.flags().dnssec_ok), (1232, true));
    let edns = Query::new("web.service.adsum. A").edns(1232).ask(Transport::Udp, &world()).edns.unwrap();
    assert!(!edns.flags().dnssec_ok);
    assert!(Query::new("web.service.adsum. A").ask(Transport::Udp, &world()).edns.is_none());
}

#[test]
fn an_unknown_option_is_passed_over_and_a_broken_one_is_an_error() {
    let with = |options: &[u8]| {
        let mut bytes = Query::new("web.service.adsum. A").bytes();
        bytes[11] = 1;
        bytes.extend(opt(1232, 0, options));
        bytes
    };
    let cookie = [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0xfd, 0xe9, 0, 0];
    let answered = answer(&with(&cookie), Transport::Udp, &world(), &config()).bytes.unwrap();
    assert_eq!(Message::from_vec(&answered).unwrap().answers.len(), 2);
    check_bytes(&with(&[0, 10, 0, 8, 1]), "FORMERR");
    check_bytes(&with(&[0]), "FORMERR");
}

#[test]
fn edns_is_said_once_in_its_place() {
    let with = |section: usize, records: &[u8], count: u8| {
        let mut bytes = Query::new("web.service.adsum. A").bytes();
        bytes[section] = count;
        bytes.extend(records);
        bytes
    };
    let one = opt(1232, 0, &[]);
    check_bytes(&with(11, &[one.clone(), one.clone()].concat(), 2), "FORMERR");
    check_bytes(&with(7, &one, 1), "FORMERR");
    check_bytes(&with(9, &one, 1), "FORMERR");
    check_bytes(&with(11, &[&[1, b'a'], &*one].concat(), 1), "FORMERR");
}

#[test]
fn other_records_of_a_query_are_passed_over() {
    let mut bytes = Query::new("web.service.adsum. A").bytes();
    bytes[9] = 1;
    // An SOA record as IXFR has it, its owner a pointer to the question.
    bytes.extend([0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0]);
    let answered = answer(&bytes, Transport::Udp, &world(), &config()).bytes.unwrap();
    assert_eq!(Message::from_vec(&answered).unwrap().answers.len(), 2);
}

#[test]
fn a_message_that_ends_too_early_is_malformed_or_none() {
    let bytes = Query::new("web.service.adsum. A").edns(1232).bytes();
    for length in 0..bytes.len() {
        check_bytes(&bytes[..length], if length < 12 { "silence" } else { "FORMERR" });
    }
}

#[test]
fn pointers_in_a_question_are_malformed() {
    let question = |name: &[u8]| {
        let mut bytes = Query::new(". A").bytes();
        bytes.splice(12..13, name.iter().copied());
        bytes
    };
    let to_itself = [0xc0, 12];
    let forward = [0xc0, 14, 0];
    let into_the_header = [0xc0, 2];
    let back_and_forth = [1, b'a', 0xc0, 12];
    let far_away = [0xff, 0xff];
    for name in [&to_itself[..], &forward, &into_the_header, &back_and_forth, &far_away] {
        check_bytes(&question(name), "FORMERR");
    }
    for length in [64, 65, 127, 128, 191] {
        check_bytes(&question(&[vec![length], vec![b'a'; 255], vec![0]].concat()), "FORMERR");
    }
    let too_long = wire(&[&[b'a'; 63][..]; 4]);
    check_bytes(&question(&too_long), "FORMERR");
}

#[test]
fn any_byte_may_stand_in_a_label() {
    for label in [&b"\0"[..], b"we.b", b"\xff\xfe", "größe".as_bytes(), b"web\0", b" "] {
        let query = Query { name: wire(&[label, b"service", b"adsum"]), ..Query::new(". A") };
        check_query(&query, "aa NXDOMAIN");
        let query = Query { name: wire(&[label]), ..query };
        check_query(&query, "REFUSED");
    }
    let longest = wire(&[&[b'a'; 63][..], &[b'b'; 63], &[b'c'; 63], &[b'd'; 47], b"service", b"adsum"]);
    assert_eq!(longest.len(), 255);
    check_query(&Query { name: longest, ..Query::new(". A") }, "aa NXDOMAIN");
}
