//! MULTI to EXEC, and the parts of a transaction that one request is.

use adsum_keyspace::{Blob, Database, Now, TooBig};
use smallvec::SmallVec;

use super::{Flow, Server};
use crate::blocking::Action;
use crate::client::ClientId;
use crate::command::{Call, Command, Run, Wait, Work};
use crate::deferred::Write;
use crate::refusal::{Answer, Refusal};
use crate::{Session, Writer};

/// Where in a reply the revision of the transaction belongs, which is known after the commit only.
pub(crate) type Marks = SmallVec<[usize; 1]>;

impl Server {
    /// A request of a client that has said MULTI.
    pub(super) fn queue(&mut self, session: &mut Session, args: &[&[u8]], out: &mut Writer<'_>) -> Answer {
        let multi = session.multi.as_mut().expect("it is asked for before");
        if !multi.is_refused() && !multi.push(args) {
            multi.refuse();
            let bytes = adsum_keyspace::limits::TRANSACTION + 1;
            return Err(Refusal::TransactionTooBig(TooBig { bytes }));
        }
        out.simple("QUEUED");
        Ok(())
    }

    /// Runs what was queued, as one transaction. A command that fails is answered as such, and the others stand.
    pub(crate) fn exec(
        &mut self,
        session: &mut Session,
        requests: &[Vec<Blob>],
        now: Now,
        out: &mut Writer<'_>,
    ) {
        out.array(requests.len());
        for request in requests {
            let args: Vec<&[u8]> = request.iter().map(Blob::as_slice).collect();
            self.exec_one(session, &args, now, out);
        }
    }

    fn exec_one(&mut self, session: &mut Session, args: &[&[u8]], now: Now, out: &mut Writer<'_>) {
        let mark = out.mark();
        let done = self.find(args).and_then(|command| {
            session.client.touch(command.name, now);
            self.allow_growth(command)?;
            self.run_part(session, (command, args), now, out)
        });
        if let Err(refusal) = done {
            self.stats.errors += 1;
            self.marks.retain(|at| *at < mark);
            out.truncate(mark);
            out.error(&refusal.to_string());
        }
        // It may have been HELLO or RESET.
        out.set_protocol(session.protocol());
    }

    fn run_part(
        &mut self,
        session: &mut Session,
        (command, args): (&'static Command, &[&[u8]]),
        now: Now,
        out: &mut Writer<'_>,
    ) -> Answer {
        match command.run {
            Run::Keys(run) => self.step(session, args, now, (out, None), run),
            Run::Blocking(plan) => {
                let wait = plan(args)?;
                if !self.attempt(session, &wait, now, out)? {
                    wait.action.refuse_to_wait(out);
                }
                Ok(())
            }
            Run::Server(run) => {
                let out = out.reborrow();
                let flow = Flow::Continue;
                run(&mut Call { server: self, session, args, now, out, flow, in_transaction: true })
            }
            Run::Container => {
                super::execute::help(command, out);
                Ok(())
            }
        }
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
        let outcome = match self.keyspace.finish(now) {
            Ok(outcome) => outcome,
            Err(error) => {
                self.grants.forget_fresh();
                return Err(error);
            }
        };
        if let Some(commit) = &outcome.commit {
            fill_in(reply, &marks, commit.revision.0);
        }
        self.settle(outcome.commit, outcome.publishes, now);
        Ok(())
    }
}

/// Puts an integer reply at each of the marks, which are in order.
pub(super) fn fill_in(reply: &mut Vec<u8>, marks: &[usize], revision: u64) {
    for at in marks.iter().rev() {
        let number = format!(":{revision}\r\n");
        reply.splice(at..at, number.into_bytes());
    }
}
