//! How long a try may take until its answer begins.
//!
//! ```text
//! try begins ...... body has come ............ answer
//!            silence of either side | answer_by
//! ```
//!
//! As long as the body moves, however slowly, nobody is late, except by the deadline that the caller itself has set.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use adsum_balance::{Event, Exchange};

use crate::patience::Watch;
use crate::payload::{Silence, Tape};

pub(crate) struct Clock<'a> {
    exchange: &'a Exchange,
    answer_by: Option<Instant>,
    /// A body that had not come to its end when the try began.
    tape: Option<&'a RefCell<Tape>>,
    /// The longest silence within it.
    patience: Duration,
}

impl<'a> Clock<'a> {
    /// `answer_by` is of the limits of the try.
    pub(crate) fn new(
        exchange: &'a Exchange,
        answer_by: Option<Instant>,
        tape: Option<&'a RefCell<Tape>>,
        patience: Duration,
    ) -> Clock<'a> {
        let tape = tape.filter(|tape| tape.borrow_mut().begin_try());
        Clock { exchange, answer_by, tape, patience }
    }

    /// What comes of a try, in time. `alarm` may have been set for another one before.
    pub(crate) async fn watch<T>(
        &self,
        mut send: Pin<&mut impl Future<Output = Result<T, Event>>>,
        alarm: &mut Watch,
    ) -> Result<T, Event> {
        poll_fn(|cx| {
            if let Poll::Ready(sent) = send.as_mut().poll(cx) {
                return Poll::Ready(sent);
            }
            let Some((until, late)) = self.limit(cx) else { return Poll::Pending };
            ready!(alarm.poll_at(until, cx));
            Poll::Ready(Err(late))
        })
        .await
    }

    /// Until when it may take, as far as is known now, and what has happened then.
    fn limit(&self, cx: &mut Context<'_>) -> Option<(Instant, Event)> {
        let answer = |by: Option<Instant>| by.map(|by| (by, Event::TryTimedOut));
        let Some(tape) = self.tape else { return answer(self.answer_by) };
        match tape.borrow_mut().silence(cx.waker()) {
            Silence::Ended(whole) => answer(self.exchange.answer_by(whole)),
            Silence::OfClient(since) => {
                earlier(answer(self.answer_by), (since + self.patience, Event::CallerGone))
            }
            Silence::OfInstance(since) => {
                earlier(answer(self.answer_by), (since + self.patience, Event::TryTimedOut))
            }
        }
    }
}

fn earlier(one: Option<(Instant, Event)>, other: (Instant, Event)) -> Option<(Instant, Event)> {
    one.filter(|one| one.0 <= other.0).or(Some(other))
}
