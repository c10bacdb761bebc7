//! Several commands as one transaction. <https://redis.io/docs/latest/develop/using-commands/transactions/>

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use adsum_keyspace::Blob;

use crate::command::{AT_ONCE, Call, Command, Flags, KeysAt, NO_SCRIPT, Run};
use crate::multi::Multi;
use crate::refusal::{Answer, Refusal};
use crate::scripts::holds_up;
use crate::{Session, Writer, limits};

pub(super) const COMMANDS: &[Command] = &[
    Command::server("multi", 1, FLAGS, multi),
    Command::server("exec", 1, FLAGS, exec),
    Command::server("discard", 1, FLAGS, discard),
    Command {
        name: "watch",
        arity: -2,
        flags: FLAGS,
        keys: KeysAt::Range { first: 1, last: -1, step: 1 },
        element: None,
        run: Run::Server(watch),
        subcommands: &[],
    },
    Command::server("unwatch", 1, NO_SCRIPT, unwatch),
];

const FLAGS: Flags = NO_SCRIPT.and(AT_ONCE);

fn multi(call: &mut Call<'_>) -> Answer {
    begin(call.session, &mut call.out)
}

pub(crate) fn begin(session: &mut Session, out: &mut Writer<'_>) -> Answer {
    if session.multi.is_some() {
        return Err(Refusal::Says("MULTI calls can not be nested"));
    }
    session.multi = Some(Multi::default());
    session.show_multi();
    out.ok();
    Ok(())
}

fn exec(call: &mut Call<'_>) -> Answer {
    let multi = call.session.multi.take().ok_or(Refusal::Says("EXEC without MULTI"))?;
    let done = run_queued(call, &multi);
    if done.as_ref().is_err_and(holds_up) {
        // It is still to be run, and only if nobody touches a key before that.
        call.session.multi = Some(multi);
    } else {
        call.server.watched.remove(&call.session.client);
        call.session.show_multi();
    }
    done
}

fn run_queued(call: &mut Call<'_>, multi: &Multi) -> Answer {
    if multi.is_refused() {
        let text = "EXECABORT Transaction discarded because of previous errors.";
        return Err(Refusal::Told(text.to_owned()));
    }
    if call.session.client.touched.load(Relaxed) {
        call.out.null_array();
        return Ok(());
    }
    call.flow = call.server.exec(call.session, multi, call.now, &mut call.out)?;
    Ok(())
}

pub(crate) const DISCARD_ALONE: Refusal = Refusal::Says("DISCARD without MULTI");

fn discard(call: &mut Call<'_>) -> Answer {
    call.session.multi.take().ok_or(DISCARD_ALONE)?;
    call.session.show_multi();
    call.server.watched.remove(&call.session.client);
    call.out.ok();
    Ok(())
}

pub(crate) const WATCH_INSIDE: Refusal = Refusal::Says("WATCH inside MULTI is not allowed");

fn watch(call: &mut Call<'_>) -> Answer {
    if call.session.multi.is_some() {
        return Err(WATCH_INSIDE);
    }
    let (client, database) = (Arc::clone(&call.session.client), call.session.database());
    if !call.server.watched.has_room(client.id, &call.args[1..]) {
        let (keys, bytes) = (limits::WATCHED, limits::WATCHED_BYTES);
        let text = format!("ERR a client can watch {keys} keys of {bytes} bytes at most: UNWATCH some");
        return Err(Refusal::Told(text));
    }
    for key in &call.args[1..] {
        let there = call.server.keyspace().keys(database).get(*key).is_some();
        call.server.watched.add(&client, (database, Blob::from(*key)), there);
    }
    call.out.ok();
    Ok(())
}

fn unwatch(call: &mut Call<'_>) -> Answer {
    call.server.watched.remove(&call.session.client);
    call.out.ok();
    Ok(())
}
