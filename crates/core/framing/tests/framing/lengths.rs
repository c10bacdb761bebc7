//! Lengths and encodings that two readers could understand differently.

use adsum_framing::Offence;

use crate::try_out::{only_refused_here, refused, refused_bytes};

/// A head with these fields.
fn post(fields: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n")
}

#[test]
fn both_length_and_encoding() {
    let (length, encoding) = ("Content-Length: 3", "Transfer-Encoding: chunked");
    only_refused_here(&post(&format!("{length}\r\n{encoding}")), Offence::LengthAndEncoding);
    only_refused_here(&post(&format!("{encoding}\r\n{length}")), Offence::LengthAndEncoding);
    only_refused_here(&post(&format!("{encoding}\r\nX: y\r\nCONTENT-LENGTH: 0")), Offence::LengthAndEncoding);
}

#[test]
fn several_lengths_even_if_they_are_equal() {
    only_refused_here(&post("Content-Length: 3\r\nContent-Length: 4"), Offence::SeveralLengths);
    only_refused_here(&post("Content-Length: 3\r\ncontent-length: 3"), Offence::SeveralLengths);
    only_refused_here(&post("Content-Length: 3, 3"), Offence::SeveralLengths);
    only_refused_here(&post("Content-Length: 3,"), Offence::SeveralLengths);
}

#[test]
fn a_length_that_is_not_plain_digits() {
    for length in ["", "+3", "-3", "-0", "3 3", "0x3", "3_0", "3.0", "1e3", "abc", "3;", "\"3\"", "٣"] {
        only_refused_here(&post(&format!("Content-Length: {length}")), Offence::InvalidLength);
    }
    refused("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\x0b\r\n\r\n", Offence::InvalidFieldValue);
}

#[test]
fn a_length_with_leading_zeros() {
    only_refused_here(&post("Content-Length: 010"), Offence::InvalidLength);
    only_refused_here(&post("Content-Length: 00"), Offence::InvalidLength);
}

#[test]
fn a_length_that_does_not_fit() {
    for length in ["9223372036854775808", "18446744073709551616", "99999999999999999999999999"] {
        only_refused_here(&post(&format!("Content-Length: {length}")), Offence::InvalidLength);
    }
}

#[test]
fn an_encoding_in_http_1_0() {
    let head = "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    only_refused_here(head, Offence::EncodingInHttp10);
    only_refused_here("POST / HTTP/1.0\r\nTransfer-Encoding: identity\r\n\r\n", Offence::EncodingInHttp10);
}

#[test]
fn an_unknown_encoding() {
    for coding in ["xchunked", "identity", "gzip, chunked", "gzip", "chunkedx", "cow"] {
        only_refused_here(&post(&format!("Transfer-Encoding: {coding}")), Offence::UnknownEncoding);
    }
}

#[test]
fn chunked_twice() {
    only_refused_here(&post("Transfer-Encoding: chunked, chunked"), Offence::SeveralEncodings);
    only_refused_here(
        &post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        Offence::SeveralEncodings,
    );
    only_refused_here(
        &post("Transfer-Encoding: chunked\r\ntransfer-encoding: identity"),
        Offence::SeveralEncodings,
    );
}

#[test]
fn chunked_before_another_coding() {
    only_refused_here(&post("Transfer-Encoding: chunked, gzip"), Offence::InvalidEncoding);
}

#[test]
fn an_encoding_that_is_malformed() {
    for coding in ["", ",chunked", "chunked,", "\"chunked\"", "chunked;q=1", "chunked chunked", "[chunked]"] {
        only_refused_here(&post(&format!("Transfer-Encoding: {coding}")), Offence::InvalidEncoding);
    }
    refused(&post("Transfer-Encoding: \x0bchunked"), Offence::InvalidFieldValue);
    refused_bytes(post("Transfer-Encoding: \u{a0}chunked").as_bytes(), Offence::InvalidEncoding);
}

#[test]
fn content_in_connect() {
    only_refused_here(
        "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n",
        Offence::ContentInConnect,
    );
    let chunked = "CONNECT a:1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    only_refused_here(chunked, Offence::ContentInConnect);
}
