//! Waiting for something, but not without end.

use std::cell::RefCell;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::Sleep;

/// Knows since when something is waited for. Its timer is set as rarely as possible: one that is early is set again
/// when it has rung.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// By which late answers are noticed, between two requests: to make one anew for each would be dear.
#[derive(Debug, Default)]
pub(crate) struct Alarms(RefCell<Vec<Watch>>);

/// Alarms that are kept; a client with more requests at a time is rare, and pays for it.
const KEPT: usize = 16;

impl Alarms {
    /// One that may be set already, for a request that is over.
    pub(crate) fn take(&self) -> Watch {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    pub(crate) fn put(&self, alarm: Watch) {
        let mut kept = self.0.borrow_mut();
        if kept.len() < KEPT {
            kept.push(alarm);
        }
    }
}

impl Watch {
    /// What is waited for has come, or is not waited for any more.
    pub(crate) fn has_come(&mut self) {
        self.since = None;
    }

    /// Since when; from now on if it was not before.
    pub(crate) fn since(&mut self, now: Instant) -> Instant {
        *self.since.get_or_insert(now)
    }

    /// Ready when it has been waited for this long.
    pub(crate) fn poll_for(&mut self, limit: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let until = self.since(now) + limit;
        self.poll_until(until, now, cx)
    }

    /// Ready when `until` has come. Otherwise the task is woken then, or a little earlier.
    pub(crate) fn poll_until(&mut self, until: Instant, now: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if now >= until { Poll::Ready(()) } else { self.poll_at(until, cx) }
    }

    /// The same without a look at the clock, for what is seldom late.
    pub(crate) fn poll_at(&mut self, moment: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let until = tokio::time::Instant::from_std(moment);
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if timer.deadline() > until || timer.is_elapsed() {
            timer.as_mut().reset(until);
        }
        // One that is set for an earlier moment wakes the task, which then looks again.
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= moment {
                return Poll::Ready(());
            }
            timer.as_mut().reset(until);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[tokio::test]
    async fn timer_of_a_request_that_is_over_is_the_next_ones() {
        let alarms = Alarms::default();
        let mut cx = Context::from_waker(Waker::noop());
        let later = Instant::now() + Duration::from_secs(3600);
        for request in 0..3 {
            let mut alarm = alarms.take();
            assert_eq!(alarm.timer.is_some(), request > 0);
            assert!(alarm.poll_at(later, &mut cx).is_pending());
            alarms.put(alarm);
        }
    }

    #[test]
    fn alarms_of_many_requests_at_a_time_are_not_all_kept() {
        let alarms = Alarms::default();
        (0..2 * KEPT).for_each(|_| alarms.put(Watch::default()));
        assert_eq!(alarms.0.borrow().len(), KEPT);
    }
}
