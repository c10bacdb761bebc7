//! What a parser that many use lets through, by its own words: were one of these no longer true, the case would still be
//! refused here.

use adsum_framing::{Limits, Offence};

use crate::try_out::{parser_takes, refused, run};

#[test]
fn the_parser_takes_several_empty_lines_and_we_take_one() {
    let head = "\r\n\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert!(parser_takes(head.as_bytes()));
    let rejection = run(Limits::default(), [head.as_bytes()]).rejection.unwrap();
    assert_eq!(rejection.offence, Offence::LeadingWhitespace);
    refused(" GET / HTTP/1.1\r\nHost: a\r\n\r\n", Offence::LeadingWhitespace);
    refused("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Offence::BareLineFeed);
}

#[test]
fn the_parser_of_targets_drops_fragments_and_takes_bytes_that_are_not_ascii() {
    let path = |target: &str| target.parse::<http::Uri>().map(|uri| uri.path().to_owned());
    assert_eq!(path("/a#b").unwrap(), "/a");
    assert_eq!(path("/ä").unwrap(), "/ä");
    // Authority form: there is no path at all.
    assert_eq!(path("a").unwrap(), "");
}
