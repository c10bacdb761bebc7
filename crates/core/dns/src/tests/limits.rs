//! How much of an answer goes into a message.

use super::*;

#[track_caller]
fn sent(query: &Query, transport: Transport, catalog: &Catalog) -> (usize, Message) {
    let bytes = query.send(transport, catalog).bytes.unwrap();
    (bytes.len(), Message::from_vec(&bytes).unwrap())
}

#[test]
fn a_udp_answer_has_the_size_that_the_client_takes() {
    let catalog = crowd(300);
    for record_type in ["A", "SRV"] {
        let query = Query::new(&format!("many.service.adsum. {record_type}"));
        let sizes =
            [(0, 512), (100, 512), (512, 512), (900, 900), (1232, 1232), (4096, 1232), (65_535, 1232)];
        for (payload, limit) in sizes {
            let (length, message) = sent(&query.clone().edns(payload), Transport::Udp, &catalog);
            assert!(length <= limit && length > limit - 80, "{length} of {limit}");
            assert!(message.metadata.truncation && message.edns.is_some());
        }
        let (length, message) = sent(&query, Transport::Udp, &catalog);
        assert!(length <= 512 && length > 512 - 80);
        assert!(message.metadata.truncation && message.edns.is_none());
    }
}

#[test]
fn all_of_it_goes_over_tcp() {
    let (length, message) = sent(&Query::new("many.service.adsum. SRV"), Transport::Tcp, &crowd(300));
    assert!(!message.metadata.truncation && length > 1232);
    assert_eq!((message.answers.len(), message.additionals.len()), (300, 300));
}

#[test]
fn a_tcp_answer_has_at_most_64_kib() {
    let catalog = crowd(5000);
    for (record_type, least) in [("A", 4000), ("SRV", 900)] {
        let query = Query::new(&format!("many.service.adsum. {record_type}")).edns(1232);
        let (length, message) = sent(&query, Transport::Tcp, &catalog);
        assert!(message.metadata.truncation && message.edns.is_some());
        assert!(length > 65_000 && message.answers.len() > least, "{length} {}", message.answers.len());
    }
}

/// Seven SRV records fit into 512 bytes, the addresses of all seven do not.
#[test]
fn additional_records_are_left_out_before_any_answer_is() {
    let (length, message) = sent(&Query::new("many.service.adsum. SRV"), Transport::Udp, &crowd(7));
    assert!(length <= 512 && !message.metadata.truncation);
    assert_eq!(message.answers.len(), 7);
    assert!((1..7).contains(&message.additionals.len()), "{}", message.additionals.len());
}

/// Who looks at what comes over UDP alone sees nobody come and go (HAProxy takes out of service what is missing).
#[test]
fn a_truncated_answer_is_the_same_part_whatever_the_id_and_begins_elsewhere() {
    for (record_type, payload) in [("A", 512), ("SRV", 512), ("SRV", 1232)] {
        let answers = |id, transport| {
            let query =
                Query { id, ..Query::new(&format!("many.service.adsum. {record_type}")) }.edns(payload);
            sent(&query, transport, &crowd(300)).1.answers
        };
        let part = answers(0, Transport::Udp);
        assert!(part.len() >= 8, "{}", part.len());
        assert_eq!(part, answers(0, Transport::Tcp)[..part.len()]);
        for id in [1, 7, 299, 65_535] {
            let mut expected = part.clone();
            expected.rotate_left(usize::from(id) % part.len());
            assert_eq!(answers(id, Transport::Udp), expected, "{record_type} {payload} {id}");
        }
    }
}

#[test]
fn records_point_to_the_name_of_the_question() {
    let query = Query::new("many.service.adsum. A");
    let (length, _) = sent(&query, Transport::Udp, &crowd(3));
    assert_eq!(length, query.bytes().len() + 3 * 16);
}

/// The worst a forged sender address can be hit with, per byte sent in its name.
#[test]
fn amplification_is_bounded_by_the_payload() {
    let query = Query::new("many.service.adsum. SRV").edns(65_535);
    let (length, _) = sent(&query, Transport::Udp, &crowd(300));
    assert!(length <= 1232);
    let any = Query::new("many.service.adsum. ANY").edns(65_535);
    let (length, _) = sent(&any, Transport::Udp, &crowd(300));
    assert!(length < 2 * any.bytes().len(), "{length}");
}
