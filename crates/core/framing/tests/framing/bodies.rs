//! Bodies that are refused while they arrive.

use adsum_framing::{Limits, Offence};

use crate::try_out::{Place, refused_body, run};

const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

#[track_caller]
fn refused_chunk(bad: &str, offence: Offence) {
    refused_body(CHUNKED, bad, offence);
    refused_body(&format!("{CHUNKED}3\r\nabc\r\n"), bad, offence);
}

#[test]
fn a_chunk_size_that_is_not_plain_digits() {
    for size in ["+3", "-3", "0x3", "3_0", "", " 3", "3 ", "\t3", "g", "3 3", "3.", "{"] {
        refused_chunk(&format!("{size}\r\nabc\r\n0\r\n\r\n"), Offence::InvalidChunkSize);
    }
}

#[test]
fn a_chunk_size_that_does_not_fit() {
    refused_chunk("10000000000000003\r\nabc\r\n", Offence::InvalidChunkSize);
    refused_chunk("00000000000000003\r\nabc\r\n", Offence::InvalidChunkSize);
}

#[test]
fn a_chunk_line_that_ends_with_a_bare_line_feed() {
    refused_chunk("3\nabc\r\n0\r\n\r\n", Offence::BareLineFeed);
    refused_chunk("3;a\nabc\r\n0\r\n\r\n", Offence::BareLineFeed);
    refused_chunk("0\n\r\n", Offence::BareLineFeed);
}

#[test]
fn a_malformed_chunk_extension() {
    refused_chunk("3;\r\nabc\r\n", Offence::InvalidChunkExtension);
    refused_chunk("3; \r\nabc\r\n", Offence::InvalidChunkExtension);
    refused_chunk("3;a\rb\r\nabc\r\n", Offence::BareCarriageReturn);
    refused_chunk("3\r\r\nabc\r\n", Offence::BareCarriageReturn);
    refused_chunk("3;a\0\r\nabc\r\n", Offence::InvalidChunkExtension);
}

#[test]
fn a_chunk_line_that_is_too_long() {
    refused_chunk(&format!("3;{}\r\n", "a".repeat(1100)), Offence::ChunkLineTooLong);
}

#[test]
fn chunk_extensions_that_are_too_many() {
    let chunk = format!("1;{}\r\nx\r\n", "a".repeat(999));
    let body = [CHUNKED, &chunk.repeat(17)].concat();
    let outcome = run(Limits::default(), [body.as_bytes()]);
    assert_eq!(outcome.rejection.unwrap().offence, Offence::ChunkLineTooLong);
    assert_eq!(outcome.released.len(), CHUNKED.len() + 16 * chunk.len());
}

#[test]
fn chunk_data_without_its_end() {
    let good = format!("{CHUNKED}3\r\nabc");
    refused_body(&good, "d\r\n0\r\n\r\n", Offence::ChunkWithoutEnd);
    refused_body(&good, "\n0\r\n\r\n", Offence::ChunkWithoutEnd);
    refused_body(&good, "\rx", Offence::ChunkWithoutEnd);
    refused_body(&good, "0\r\n\r\n", Offence::ChunkWithoutEnd);
}

#[test]
fn a_trailer_that_belongs_into_the_head() {
    let names = [
        "Content-Length",
        "content_length",
        "Transfer-Encoding",
        "transfer_encoding",
        "HOST",
        "Connection",
        "Trailer",
        "TE",
        "Upgrade",
        "Authorization",
        "Cookie",
        "Content-Type",
        "Content-Encoding",
        "Expect",
        "Range",
        "X-Forwarded-For",
        "Forwarded",
    ];
    for name in names {
        let good = format!("{CHUNKED}0\r\n");
        refused_body(&good, &format!("{name}: 3\r\n\r\n"), Offence::ForbiddenTrailer);
        refused_body(&good, &format!("X-Sum: 1\r\n{name}: 3\r\n\r\n"), Offence::ForbiddenTrailer);
    }
}

#[test]
fn a_malformed_trailer() {
    let good = format!("{CHUNKED}0\r\n");
    refused_body(&good, "X-Sum: 1\n\r\n", Offence::BareLineFeed);
    refused_body(&good, "X-Sum : 1\r\n\r\n", Offence::SpaceBeforeColon);
    refused_body(&good, "X-Sum: 1\r\n 2\r\n\r\n", Offence::FoldedLine);
    refused_body(&good, "X-Sum: \x01\r\n\r\n", Offence::InvalidFieldValue);
    refused_body(&good, "GET / HTTP/1.1\r\n\r\n", Offence::InvalidFieldName);
}

#[test]
fn trailers_that_are_too_large_or_too_many() {
    let too_large = format!("{CHUNKED}0\r\nX: {}\r\n\r\n", "a".repeat(9000));
    let too_many = format!("{CHUNKED}0\r\n{}\r\n", "X: a\r\n".repeat(101));
    for (body, offence) in [(too_large, Offence::HeadTooLarge), (too_many, Offence::TooManyFields)] {
        let rejection = run(Limits::default(), [body.as_bytes()]).rejection.unwrap();
        assert_eq!((rejection.offence, rejection.place), (offence, Place::Body));
    }
}
