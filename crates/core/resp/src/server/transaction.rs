//! MULTI to EXEC, and the parts of a transaction that one request is.

use adsum_keyspace::{Database, Now, TooBig};
use smallvec::SmallVec;

use super::notifications::Misses;
use super::{Flow, Server};
use crate::blocking::{Action, Ready};
use crate::client::ClientId;
use crate::command::{Call, Command, Run, Wait, Work};
use crate::deferred::Write;
use crate::multi::Multi;
use crate::refusal::{Answer, Refusal};
use crate::{Session, Writer, limits};

/// Where in a reply the revision of the transaction belongs, which is known after the commit only.
pub(crate) type Marks = SmallVec<[usize; 1]>;

impl Server {
    /// A request of a client that has said MULTI.
    pub(crate) fn queue(session: &mut Session, args: &[&[u8]], out: &mut Writer<'_>) -> Answer {
        let multi = session.multi.as_mut().expect("it is asked for before");
        if !multi.is_refused() && !multi.push(args) {
            multi.refuse();
            let (count, bytes) = (limits::QUEUED, limits::QUEUED_BYTES);
            return Err(Refusal::Told(format!(
                "TXNTOOBIG a transaction has {count} commands of {bytes} bytes at most: split it into smaller ones"
            )));
        }
        session.show_multi();
        out.simple("QUEUED");
        Ok(())
    }

    /// Runs what was queued, as one transaction. A command that fails is answered as such, and the others stand; what
    /// becomes too much is taken back as a whole.
    pub(crate) fn exec(
        &mut self,
        session: &mut Session,
        multi: &Multi,
        now: Now,
        out: &mut Writer<'_>,
    ) -> Result<Flow, Refusal> {
        let mut flow = Flow::Continue;
        out.array(multi.len());
        for args in multi.requests() {
            let one = self.exec_one(session, &args, now, out)?;
            if matches!(one, Flow::Close) {
                flow = Flow::Close;
            }
            if let Err(refusal) = self.check_size(out.mark()) {
                self.take_back();
                return Err(refusal);
            }
        }
        Ok(flow)
    }

    /// Takes the transaction back that is under way.
    pub(crate) fn take_back(&mut self) {
        self.forget_outcome();
        self.keyspace.roll_back();
    }

    /// Forgets what was to come of the transaction.
    fn forget_outcome(&mut self) {
        self.marks.clear();
        self.misses = Misses::default();
        self.grants.forget_fresh();
    }

    /// Whether the transaction that is under way is still as small as one has to be.
    pub(crate) fn check_size(&self, reply: usize) -> Answer {
        let bytes = self.keyspace.under_way();
        if bytes > adsum_keyspace::limits::TRANSACTION {
            return Err(TooBig { bytes }.into());
        }
        if reply > limits::EXEC_REPLY {
            let limit = limits::EXEC_REPLY;
            let text =
                format!("TXNTOOBIG the replies of the transaction are over the limit of {limit} bytes");
            return Err(Refusal::Told(text));
        }
        Ok(())
    }

    /// An error is that of a script which has taken the whole transaction with it.
    fn exec_one(
        &mut self,
        session: &mut Session,
        args: &[&[u8]],
        now: Now,
        out: &mut Writer<'_>,
    ) -> Result<Flow, Refusal> {
        let (mark, marks) = (out.mark(), self.marks.len());
        let done = self.find(args).and_then(|command| {
            self.allow_growth(command)?;
            self.run_part(session, (command, args), now, out)
        });
        let flow = match done {
            Ok(flow) => flow,
            Err(refusal @ Refusal::Ended(_)) => return Err(refusal),
            Err(refusal) => {
                let text = refusal.to_string();
                self.stats.errors.count(&text);
                self.marks.truncate(marks);
                out.truncate(mark);
                out.error(&text);
                Flow::Continue
            }
        };
        // It may have been HELLO.
        out.set_protocol(session.protocol());
        Ok(flow)
    }

    /// Runs one of several commands of a transaction.
    pub(crate) fn run_part(
        &mut self,
        session: &mut Session,
        (command, args): (&'static Command, &[&[u8]]),
        now: Now,
        out: &mut Writer<'_>,
    ) -> Result<Flow, Refusal> {
        self.misses.has_parts = true;
        match command.run {
            Run::Keys(run) => {
                self.step(session, args, now, (out, None), run)?;
                self.note_command(command, args);
            }
            Run::Blocking(plan) => {
                let wait = plan(args)?;
                if !self.attempt(session, &wait, now, out)? {
                    wait.action.refuse_to_wait(out);
                }
            }
            Run::Server(run) => {
                let out = out.reborrow();
                let flow = Flow::Continue;
                let mut call = Call { server: self, session, args, now, out, flow, in_transaction: true };
                run(&mut call)?;
                return Ok(call.flow);
            }
            Run::Container => super::execute::help(command, out),
        }
        Ok(Flow::Continue)
    }

    /// Runs a command that concerns keys, as a part of the transaction.
    pub(super) fn step(
        &mut self,
        session: &Session,
        args: &[&[u8]],
        now: Now,
        (out, later): (&mut Writer<'_>, Option<&mut Option<Write>>),
        run: fn(&mut Work<'_, '_>) -> Answer,
    ) -> Answer {
        let Server { keyspace, cursors, lot, subscriptions, grants, marks, .. } = self;
        let (db, client) = (session.database(), session.client.id);
        let out = out.reborrow();
        keyspace.step(now, |tx| {
            run(&mut Work { tx, db, client, args, out, cursors, lot, subscriptions, grants, marks, later })
        })
    }

    /// Does what a blocking command waits for, as a part of the transaction. Whether there was anything to do it with.
    pub(super) fn attempt(
        &mut self,
        session: &Session,
        wait: &Wait,
        now: Now,
        out: &mut Writer<'_>,
    ) -> Result<bool, Refusal> {
        for key in &wait.keys {
            let place = (wait.ready, session.database(), key.clone());
            if wait.ready == Ready::Free && self.waiters.first(&place).is_some() {
                // A lock whose time is over, but not yet its round: it goes to who has waited longest.
                continue;
            }
            if self.act((session.database(), key), &wait.action, session.client.id, now, out)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Does to a key what was waited for, as a part of the transaction.
    pub(super) fn act(
        &mut self,
        (db, key): (Database, &[u8]),
        action: &Action,
        client: ClientId,
        now: Now,
        out: &mut Writer<'_>,
    ) -> Result<bool, Refusal> {
        let Server { keyspace, cursors, lot, subscriptions, grants, marks, .. } = self;
        let (args, out): (&[&[u8]], _) = (&[], out.reborrow());
        keyspace.step(now, |tx| {
            let later = None;
            let work =
                &mut Work { tx, db, client, args, out, cursors, lot, subscriptions, grants, marks, later };
            action.run(work, key)
        })
    }

    /// Ends the transaction: commits it, completes the reply, and lets the others know. Too large a one has not been.
    pub(super) fn finish(&mut self, now: Now, reply: &mut Vec<u8>) -> Result<(), TooBig> {
        let marks = std::mem::take(&mut self.marks);
        self.misses.has_parts = false;
        // CONFIG SET ends here, too.
        self.keyspace.tell_made(self.settings.notify.new_keys());
        let outcome = match self.keyspace.finish(now) {
            Ok(outcome) => outcome,
            Err(error) => {
                self.forget_outcome();
                return Err(error);
            }
        };
        if let Some(commit) = &outcome.commit {
            fill_in(reply, &marks, commit.revision.0);
        }
        self.settle(outcome, now);
        Ok(())
    }
}

/// Puts an integer reply at each of the marks, which are in order.
pub(crate) fn fill_in(reply: &mut Vec<u8>, marks: &[usize], revision: u64) {
    if marks.is_empty() {
        return;
    }
    let number = format!(":{revision}\r\n").into_bytes();
    let mut whole = Vec::with_capacity(reply.len() + marks.len() * number.len());
    let mut from = 0;
    for at in marks {
        whole.extend_from_slice(&reply[from..*at]);
        whole.extend_from_slice(&number);
        from = *at;
    }
    whole.extend_from_slice(&reply[from..]);
    *reply = whole;
}
