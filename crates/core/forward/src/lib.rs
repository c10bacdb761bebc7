//! What a message looks like on its other side: forwarding headers, trace context, the errors of the gateway, frame
//! boundaries.
//!
//! In the order in which a request passes:
//!
//! ```text
//! listener    Gate::new(port, tls, trusted)                 once
//! connection  gate.caller(peer) -> Caller                   once; the values that stay the same are made here
//! request     caller.host(&uri, &headers, version)          400 when it is not clear which host is meant
//!             caller.pass_on(&mut headers, &Inbound { .. }) hop-by-hop headers out -> Passed, with what is told
//!             rewrite(&route.rewrite, path, &mut headers)   the path for the service, X-Forwarded-Prefix
//!             mark_retry(&mut headers, n)                   from the second try on
//! before it   pass_early(status, &mut headers)              what is said with 1xx
//! answer      knows_coding(&headers)                        else what came is no answer
//!             pass_back(status, &mut headers, &marks)       hop-by-hop headers out; marks.fields() go behind
//!             sticky_cookie(..), GatewayError::answer(..)
//! streams     WebSocketScanner, EventScanner, close_frame(..), proxy_header(..)
//! ```
//!
//! Not here: framing of messages (`core/framing` and h2 have that), bodies, normalisation of paths, which instance gets the request.
//! `Location` and the path of `Set-Cookie` in answers are left as the service wrote them, also where a prefix was taken
//! off: the service knows it from `X-Forwarded-Prefix`.
//!
//! Invariants:
//! - What a client that is not trusted says about who it is reaches no service, however it is spelled.
//! - A header that the gateway adds is there, whatever `Connection` of the client names.
//! - No scanner keeps more than a few bytes, and each says the same however its input is cut into pieces.

mod accept;
mod caller;
mod cookie;
mod error;
mod events;
mod examine;
mod hop;
mod host;
mod identity;
mod network;
mod proxy;
mod response;
mod retry_after;
mod rewrite;
mod seldom;
mod told;
mod trace;
mod websocket;

pub use caller::{Caller, Gate, Inbound, Passed};
pub use cookie::{cookie, sticky_cookie};
pub use error::{ErrorAnswer, GatewayError, X_GATEWAY_ERROR};
pub use events::EventScanner;
pub use host::{Host, HostError};
pub use identity::{Seed, X_CORRELATION_ID, X_REQUEST_ID};
pub use network::{Network, NetworkError};
pub use proxy::proxy_header;
pub use response::{Marks, X_ATTEMPTS, X_SERVED_BY, knows_coding, mark_retry, pass_back, pass_early};
pub use retry_after::retry_after;
pub use rewrite::{X_FORWARDED_PREFIX, rewrite};
pub use seldom::seldom;
pub use told::{Field, Told};
pub use websocket::{WebSocketScanner, close_frame};

/// Where a piece of a stream has places at which it can be ended or something put in: numbers of bytes from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Boundaries {
    pub first: Option<usize>,
    pub last: Option<usize>,
}

impl Boundaries {
    fn add(&mut self, at: usize) {
        self.first.get_or_insert(at);
        self.last = Some(at);
    }
}
