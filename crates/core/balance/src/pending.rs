//! Requests that wait for an instance: first come, first served, bounded, none for longer than it may.
//!
//! ```text
//! join -> waiting -> place says yes  -> served (it has its instance from that moment on)
//!            |------> its time is over -> handed back by `expired`
//!            '------> `cancel`         -> gone (nobody waits for the answer any more)
//! ```
//!
//! A place is given away inside of [`Pending::serve`]: whoever calls it picks and begins for the one that waited
//! longest, so that no place is promised to two. A request that has just come joins behind, whenever somebody waits
//! ([`Pending::is_empty`]).

use std::collections::VecDeque;
use std::time::Instant;

/// Names one that waits; counts upwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// The queue of one service in one worker. `T` is what wakes the one that waits.
#[derive(Clone, Debug)]
pub struct Pending<T> {
    waiting: VecDeque<Waiting<T>>,
    next: u64,
}

#[derive(Clone, Debug)]
struct Waiting<T> {
    ticket: Ticket,
    until: Instant,
    who: T,
}

impl<T> Default for Pending<T> {
    fn default() -> Pending<T> {
        Pending { waiting: VecDeque::new(), next: 0 }
    }
}

impl<T> Pending<T> {
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Waits until `until` at most. Handed back when `most` wait already: `max_pending` of the policy, as much of it as
    /// one worker has.
    pub fn join(&mut self, who: T, until: Instant, most: usize) -> Result<Ticket, T> {
        if self.waiting.len() >= most {
            return Err(who);
        }
        let ticket = Ticket(self.next);
        self.next += 1;
        self.waiting.push_back(Waiting { ticket, until, who });
        Ok(ticket)
    }

    /// Whoever waited does not any more.
    pub fn cancel(&mut self, ticket: Ticket) -> Option<T> {
        let at = self.waiting.binary_search_by_key(&ticket, |waiting| waiting.ticket).ok()?;
        self.waiting.remove(at).map(|waiting| waiting.who)
    }

    /// Offers places in order of arrival until `place` has none any more, and returns those that were served. Those whose
    /// time is over are passed by; [`Pending::expired`] hands them back.
    pub fn serve(&mut self, now: Instant, mut place: impl FnMut(&mut T) -> bool) -> Vec<T> {
        let mut served = Vec::new();
        let mut at = 0;
        while let Some(waiting) = self.waiting.get_mut(at) {
            if waiting.until <= now {
                at += 1;
            } else if place(&mut waiting.who) {
                served.extend(self.waiting.remove(at).map(|waiting| waiting.who));
            } else {
                break;
            }
        }
        served
    }

    /// Takes out those whose time is over.
    pub fn expired(&mut self, now: Instant) -> Vec<T> {
        if self.next_wakeup().is_none_or(|first| first > now) {
            return Vec::new();
        }
        let waiting = std::mem::take(&mut self.waiting);
        let (expired, waiting): (VecDeque<_>, _) =
            waiting.into_iter().partition(|waiting| waiting.until <= now);
        self.waiting = waiting;
        expired.into_iter().map(|waiting| waiting.who).collect()
    }

    /// Takes out all: nobody will come for whom to wait.
    pub fn give_up(&mut self) -> Vec<T> {
        self.waiting.drain(..).map(|waiting| waiting.who).collect()
    }

    /// When to ask [`Pending::expired`] again.
    pub fn next_wakeup(&self) -> Option<Instant> {
        self.waiting.iter().map(|waiting| waiting.until).min()
    }
}
