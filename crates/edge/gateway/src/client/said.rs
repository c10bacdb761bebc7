//! What an HTTP/2 client is told before its answer: 100, 102, 103.

use std::cell::{Cell, RefCell};
use std::task::Waker;

use http::{HeaderMap, Response, StatusCode, header};

/// Of one request. More of them are not passed on, so that an instance that says nothing else fills nobody's memory.
const MOST: u8 = 16;

#[derive(Debug, Default)]
pub(crate) struct Said {
    waiting: RefCell<Vec<Response<()>>>,
    count: Cell<u8>,
    /// Woken by who says something outside of the request's own task.
    task: RefCell<Option<Waker>>,
}

impl Said {
    pub(crate) fn say(&self, status: StatusCode, headers: &HeaderMap) {
        let count = self.count.get();
        // A client that waits for this word waits for all.
        if count >= MOST && status != StatusCode::CONTINUE {
            return;
        }
        self.count.set(count.saturating_add(1));
        let mut head = Response::new(());
        *head.status_mut() = status;
        *head.headers_mut() = headers.clone();
        for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::UPGRADE] {
            head.headers_mut().remove(name);
        }
        self.waiting.borrow_mut().push(head);
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }

    /// Has what was said written.
    pub(super) fn hear<E>(
        &self,
        task: &Waker,
        mut write: impl FnMut(Response<()>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.waiting.take().into_iter().try_for_each(&mut write)?;
        let mut known = self.task.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(task)) {
            *known = Some(task.clone());
        }
        Ok(())
    }
}
