//! A stream that follows the commits of a space: what the event log and the watch of keys have in common.

use std::collections::VecDeque;
use std::sync::Arc;

use adsum_keyspace::{Commit, Space};
use adsum_model::Revision;
use adsum_store::{Ended, Watch};
use axum::response::Response;
use serde::Serialize;

use super::sse::{self, Source};
use crate::closing::Closing;
use crate::{ApiState, limits};

/// What is told, and from where on.
pub(crate) struct Follow<F> {
    pub(crate) space: Space,
    pub(crate) after: Revision,
    /// Told before anything else, at once, so that the client knows that it is listening.
    pub(crate) first: String,
    /// The messages of a commit.
    pub(crate) messages: F,
}

impl<F: FnMut(&Commit) -> String + Send + 'static> Follow<F> {
    pub(crate) fn response(self, state: &ApiState, closing: Closing) -> Response {
        let watch = state.store.watch(self.space, self.after);
        let Follow { first, messages, .. } = self;
        sse::response(Following {
            first: Some(first),
            pending: VecDeque::new(),
            begun: false,
            watch,
            messages,
            closing,
        })
    }
}

/// Bytes of messages that are made at once: the others wait until the client has taken these.
const PIECE: usize = 64 * 1024;

struct Following<F> {
    first: Option<String>,
    /// Read, and not told yet.
    pending: VecDeque<Arc<Commit>>,
    /// Whether any commit has been read.
    begun: bool,
    watch: Watch,
    messages: F,
    closing: Closing,
}

impl<F: FnMut(&Commit) -> String + Send + 'static> Source for Following<F> {
    async fn next(&mut self) -> Option<String> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            let text = self.tell();
            if !text.is_empty() {
                return Some(text);
            }
            let commits = tokio::select! {
                biased;
                () = self.closing.closed() => return None,
                commits = self.watch.next() => commits,
                () = tokio::time::sleep(limits::HEARTBEAT) => return Some(place(self.watch.seen())),
            };
            match commits {
                Ok(commits) => {
                    self.begun = true;
                    self.pending.extend(commits);
                }
                Err(Ended::Compacted(compacted)) => {
                    return Some(self.cut(compacted.oldest, &compacted.to_string()));
                }
                Err(Ended::Failed(_)) => return None,
            }
        }
    }
}

impl<F: FnMut(&Commit) -> String> Following<F> {
    /// The messages of the commits that come next, a piece of them.
    fn tell(&mut self) -> String {
        let mut text = String::new();
        while text.len() < PIECE
            && let Some(commit) = self.pending.pop_front()
        {
            text.push_str(&(self.messages)(&commit));
        }
        text
    }
}

impl<F> Following<F> {
    /// The last message of a stream that cannot go on.
    fn cut(&mut self, oldest: Revision, compacted: &str) -> String {
        #[derive(Serialize)]
        struct Cut {
            oldest: u64,
            error: String,
        }
        self.closing = Closing::over();
        let slow = if self.begun { "this stream was read too slowly: " } else { "" };
        if self.begun {
            tracing::warn!(seen = %self.watch.seen(), %oldest, "a stream was read too slowly and is cut");
        }
        sse::message(Some("compacted"), None, &Cut { oldest: oldest.0, error: format!("{slow}{compacted}") })
    }
}

/// A sign of life that is no message, and says from where a client that is cut off goes on: behind `seen`, of which it
/// has had everything, also when nothing of it was told.
pub(crate) fn place(seen: Revision) -> String {
    format!("id: {seen}\n\n")
}
