//! Commands that read streams, and wait for them.

use adsum_keyspace::{Blob, Database, Kind, Now};

use super::Server;
use crate::Wake;
use crate::blocking::{Action, Ready};
use crate::client::ClientId;
use crate::command::{Call, Timeout, Wait, Work};
use crate::refusal::{Answer, Refusal};
use crate::{Flow, Writer};

impl Call<'_> {
    /// Does what can be done at once, or has the client wait for it.
    pub(crate) fn do_or_wait(&mut self, wait: Wait) -> Answer {
        let (database, client) = (self.session.database(), self.session.client.id);
        let done = self.server.read_all(database, &wait.action, client, self.now, &mut self.out)?;
        let timeout = match (done, wait.timeout) {
            (true, _) => return Ok(()),
            (false, _) if self.in_transaction => {
                wait.action.refuse_to_wait(&mut self.out);
                return Ok(());
            }
            (false, Timeout::AtOnce) => {
                wait.action.give_up(&mut self.out);
                return Ok(());
            }
            (false, Timeout::After(timeout)) => Some(timeout),
            (false, Timeout::Never) => None,
        };
        let (client, silent) = (self.session.client.clone(), self.session.is_silent());
        self.server.waiters.add(client, silent, database, wait);
        self.flow = Flow::Blocked { timeout };
        Ok(())
    }
}

impl Server {
    /// Reads all streams that are asked for, as a part of the transaction. Whether there was anything.
    fn read_all(
        &mut self,
        db: Database,
        action: &Action,
        client: ClientId,
        now: Now,
        out: &mut Writer<'_>,
    ) -> Result<bool, Refusal> {
        let Action::Read(reading) = action else { return Ok(false) };
        let Server { keyspace, cursors, lot, subscriptions, grants, marks, .. } = self;
        let (args, out): (&[&[u8]], _) = (&[], out.reborrow());
        keyspace.step(now, |tx| {
            let later = None;
            reading.run(&mut Work {
                tx,
                db,
                client,
                args,
                out,
                cursors,
                lot,
                subscriptions,
                grants,
                marks,
                later,
            })
        })
    }

    /// Serves all who wait for a stream for whom there is something, the longest waiting first. Unlike elements that are
    /// popped an entry is there for all who do not share a group.
    pub(super) fn serve_stream(&mut self, place: &(Ready, Database, Blob), now: Now) {
        debug_assert_eq!(place.0, Ready::Given(Kind::Stream));
        for (client, action, silent) in self.waiters.all(place) {
            if !client.outbox.is_open() {
                self.waiters.remove(client.id);
                continue;
            }
            let bytes = self.serve(place, &client, &action, now);
            if !bytes.is_empty() {
                self.waiters.remove(client.id);
                let reply = if silent { &[] } else { bytes.as_slice() };
                client.outbox.push(self.revision(), reply, Wake::Unblocked);
            }
        }
    }
}
