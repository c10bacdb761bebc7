//! What is asked of a gateway.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    /// HTTP/1.1 with `Connection: close`.
    Http1Close,
    /// HTTP/2 by prior knowledge, eight requests on a connection at a time.
    H2c,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Small,
    Large,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) protocol: Protocol,
    pub(super) size: Size,
    /// Requests at a time; with HTTP/1.1 that many connections.
    pub(super) at_once: u32,
}

impl Case {
    pub(super) fn path(self) -> &'static str {
        match self.size {
            Size::Small => "/small",
            Size::Large => "/large",
        }
    }

    /// Connections, and requests at a time on each.
    pub(super) fn streams(self) -> (u32, u32) {
        match (self.protocol, self.at_once) {
            (Protocol::H2c, 8..) => (self.at_once / 8, 8),
            (_, connections) => (connections, 1),
        }
    }
}

/// All of them, or four that tell most.
pub(super) fn all(quick: bool) -> impl Iterator<Item = Case> {
    let protocols = [Protocol::Http1, Protocol::Http1Close, Protocol::H2c];
    let cases = protocols.into_iter().flat_map(|protocol| {
        let sizes = [Size::Small, Size::Large].into_iter();
        sizes.flat_map(move |size| [1, 64, 512].map(|at_once| Case { protocol, size, at_once }))
    });
    cases.filter(move |case| {
        !quick || matches!((case.at_once, case.size), (64, Size::Small)) || *case == LARGE
    })
}

const LARGE: Case = Case { protocol: Protocol::Http1, size: Size::Large, at_once: 64 };

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            Protocol::Http1 => "keep-alive",
            Protocol::Http1Close => "close",
            Protocol::H2c => "h2c",
        };
        let size = match self.size {
            Size::Small => "small",
            Size::Large => "100 KB",
        };
        write!(f, "{}, {protocol}, {size}", self.at_once)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_eighteen_cases_and_four_in_a_hurry() {
        assert_eq!((all(false).count(), all(true).count()), (18, 4));
        assert_eq!(all(false).next().unwrap().to_string(), "1, keep-alive, small");
    }

    #[test]
    fn streams_of_http2_share_connections() {
        let streams = |protocol, at_once| Case { protocol, size: Size::Small, at_once }.streams();
        assert_eq!(streams(Protocol::H2c, 64), (8, 8));
        assert_eq!(streams(Protocol::H2c, 1), (1, 1));
        assert_eq!(streams(Protocol::Http1, 64), (64, 1));
    }
}
