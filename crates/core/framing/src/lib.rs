//! HTTP/1 framing: how clients and instances are understood, and how they are spoken to.
//!
//! What can be understood in one way only is taken. Whatever two implementations could disagree about (where a head ends, how
//! long a body is, which host is meant) is refused, never repaired.
//!
//! ```text
//!   client ---> RequestReader, Content ---> ... ---> Outgoing::begin, put ----> instance
//!   client <--- Outgoing::answer, put <--- ... <--- AnswerReader, Content <--- instance
//! ```
//!
//! Of one connection, from either side:
//! - A [`RequestReader`], or an [`AnswerReader`], takes a head off the bytes that come, and a [`Content`] the body behind it.
//!   Bytes that are not complete stay where they are until more have come.
//! - Behind a request the bytes are not looked at before it has been answered: they are the next request, or another protocol's
//!   if the answer is 101. Bytes behind an answer are nobody's: such a connection is not used again.
//! - What is refused is the end: nothing that comes behind it is looked at.
//! - [`Outgoing`] makes bytes of a head and of the pieces of its body.
//!
//! Not here: the path's meaning (`core/routing`), which fields are forwarded (`core/forward`), time-outs and sockets
//! (`edge/gateway`), HTTP/2.
//!
//! Invariants:
//! - The result does not depend on how the bytes are divided among calls.
//! - What is held is bounded by the limits, and no call looks again at what has been looked at.
//! - Names, values and bodies that were read share the bytes that came.
//! - A body that is written has the length that was said before, or never becomes whole; one that is read is told to its end, or
//!   fails.

mod answer;
mod answering;
mod asking;
mod chunk;
mod connection;
mod content;
mod field;
mod fields;
mod flaw;
mod head;
mod letters;
mod lines;
mod offence;
mod outgoing;
mod preface;
mod request;
mod target;
mod text;

pub use answer::{AnswerHead, AnswerReader};
pub use answering::Answering;
pub use asking::Asking;
pub use content::{Content, Piece};
pub use flaw::Flaw;
pub use offence::Offence;
pub use outgoing::{Extent, Outgoing, WrongLength};
pub use preface::{Preface, preface};
pub use request::{Limits, RequestHead, RequestReader};
