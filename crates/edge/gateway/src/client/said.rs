//! What an HTTP/2 client is told before its answer: 100, 102, 103.

use std::cell::{Cell, RefCell};
use std::task::Waker;

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

/// Of one request. More of them are not passed on, so that an instance that says nothing else fills nobody's memory.
const MOST: u8 = 16;
/// Bytes of all of them: h2 keeps what the client does not take.
const MOST_BYTES: usize = 16 << 10;

#[derive(Debug, Default)]
pub(crate) struct Said {
    waiting: RefCell<Vec<Response<()>>>,
    count: Cell<u8>,
    bytes: Cell<usize>,
    /// Woken by who says something outside of the request's own task.
    task: RefCell<Option<Waker>>,
}

impl Said {
    /// The headers are those that may go on.
    pub(crate) fn say(&self, status: StatusCode, headers: HeaderMap) {
        let count = self.count.get();
        let length = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
        let bytes = self.bytes.get() + headers.iter().map(length).sum::<usize>();
        // A client that waits for this word waits for all.
        if (count >= MOST || bytes > MOST_BYTES) && status != StatusCode::CONTINUE {
            return;
        }
        self.count.set(count.saturating_add(1));
        self.bytes.set(bytes);
        let mut head = Response::new(());
        *head.status_mut() = status;
        *head.headers_mut() = headers;
        self.waiting.borrow_mut().push(head);
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }

    /// Has what was said written. What cannot be is left out: the answer is worth more than any word before it.
    pub(super) fn hear(&self, task: &Waker, write: impl FnMut(Response<()>) -> Result<(), h2::Error>) {
        for error in self.waiting.take().into_iter().map(write).filter_map(Result::err) {
            tracing::debug!(%error, "what was said before an answer is not passed on");
        }
        let mut known = self.task.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(task)) {
            *known = Some(task.clone());
        }
    }
}
