//! HTTP/1 framing: what may reach the parser of requests, and how instances are spoken to.
//!
//! A [`Guard`] looks at what a client sends on one HTTP/1 connection before the parser does, and lets through what can
//! be understood in one way only. Whatever two implementations could disagree about (where a head ends, how long a
//! body is, which host is meant) is refused, never repaired.
//!
//! ```text
//!   socket --bytes--> Guard::inspect --released--> parser --> service
//!                        |                                      |
//!                        +-- Refused: a stand-in request        +-- answered(), upgraded()
//! ```
//!
//! How it is used, by the owner of a connection's read side:
//! - Give `inspect` all bytes that have not been released yet, those that were held the last time first. Only bytes that
//!   are held have to be kept; in the usual case all of them are released where they lie.
//! - [`Next::Held`]: read on, under the time-out of what is being waited for.
//! - [`Next::Waiting`]: a request has asked for an upgrade. Read no further until the service has said what came of it,
//!   by [`Guard::answered`] or [`Guard::upgraded`]; then inspect what is held again.
//! - [`Next::Refused`] at a [`Place::Head`]: [`Guard::requests`] requests were released before, so the service answers
//!   the request after these with the rejection; hand the parser a stand-in request for it. At a [`Place::Body`] the
//!   request has begun already: the body ends with an error.
//!
//! Towards an instance, of one connection that has one request at a time:
//! - [`Outgoing`] makes bytes of a request's head and of the pieces of its body.
//! - [`AnswerReader`] takes the heads of answers off the bytes that come, 1xx too, and a [`Content`] the body behind
//!   each. Bytes that are left when it is over are nobody's answer: such a connection is not used again.
//!
//! Not here: the path's meaning (`core/routing`), which fields are forwarded (`core/forward`), time-outs and sockets
//! (`edge/gateway`), HTTP/2.
//!
//! Invariants:
//! - The result does not depend on how the bytes are divided among calls.
//! - A head is released whole or not at all; after a refusal nothing is released any more.
//! - What is held is bounded by the limits, and no call looks again at what has been looked at.
//! - The guard allocates nothing.
//! - A body towards an instance has the length that was said before, or never becomes whole; an answer's is told to its end,
//!   or fails.

mod answer;
mod chunk;
mod content;
mod field;
mod fields;
mod flaw;
mod guard;
mod head;
mod letters;
mod lines;
mod offence;
mod outgoing;
mod preface;
mod target;

pub use answer::{AnswerHead, AnswerReader};
pub use content::{Content, Piece};
pub use flaw::Flaw;
pub use guard::{Guard, Limits, Next, Place, Rejection, Verdict};
pub use offence::Offence;
pub use outgoing::{Asking, Extent, Outgoing, WrongLength};
pub use preface::{Preface, preface};
