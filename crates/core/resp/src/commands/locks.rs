//! Locks with fences. Adsum's own commands.
//!
//! A lock is a string key: whoever makes it holds it, with LOCK or with SET NX. Its **fence** is the revision of the
//! transaction that made it, so fences of one key only grow, over restarts too. A holder shows its fence with what it
//! does; once the lock has gone to somebody else, or to nobody, that is refused with the fence that holds now, 0 for
//! none.
//!
//! ```text
//! LOCK key owner PX ms [WAIT ms] [LIMIT n]    the fence; null when it is held. WAIT 0 waits for ever, first come, first served
//! RENEW key fence PX ms                       OK
//! UNLOCK key fence                            OK
//! FENCE key                                   the fence, or null
//! SET key value FENCE lock fence ...          as SET
//! ```
//!
//! With LIMIT the key is a semaphore: the lock is the first free one of `key:1` to `key:n`, and the answer its name and
//! fence.

use std::time::Duration;

use adsum_keyspace::{Blob, Deadline, Notice};
use adsum_model::Revision;

use crate::blocking::{Action, Ready};
use crate::command::{Command, KeysAt, ONE_KEY, READ, Timeout, WRITE, Wait, Work};
use crate::number::{integer, parse_integer};
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[
    Command::blocking("lock", -5, KeysAt::Range { first: 1, last: 1, step: 1 }, lock),
    Command::keys("renew", 5, WRITE, ONE_KEY, renew),
    Command::keys("unlock", 3, WRITE, ONE_KEY, unlock),
    Command::keys("fence", 2, READ, ONE_KEY, fence),
];

/// Holders of a semaphore at most.
const HOLDERS: i64 = 1000;

fn lock(args: &[&[u8]]) -> Result<Wait, Refusal> {
    let (key, owner) = (args[1], args[2]);
    super::strings::check_length(owner.len())?;
    let ttl = parse_ttl(args[3], args[4], "lock")?;
    let (mut timeout, mut holders) = (Timeout::AtOnce, None);
    for option in args[5..].chunks(2) {
        let [name, value] = option else { return Err(Refusal::Syntax) };
        match name.to_ascii_uppercase().as_slice() {
            b"WAIT" => timeout = parse_wait(value)?,
            b"LIMIT" => holders = Some(parse_holders(value)?),
            _ => return Err(Refusal::Syntax),
        }
    }
    let keys = match holders {
        None => [Blob::from(key)].into(),
        Some(_) if key.len() > crate::limits::SEMAPHORE => {
            let limit = crate::limits::SEMAPHORE;
            return Err(Refusal::Told(format!("ERR the name of a semaphore has {limit} bytes at most")));
        }
        Some(holders) => (1..=holders).map(|n| slot(key, n)).collect(),
    };
    let action = Action::Grant { owner: owner.into(), ttl, named: holders.is_some() };
    Ok(Wait { keys, ready: Ready::Free, action, timeout })
}

fn slot(key: &[u8], number: i64) -> Blob {
    [key, format!(":{number}").as_bytes()].concat().into()
}

fn parse_ttl(unit: &[u8], number: &[u8], command: &'static str) -> Result<u64, Refusal> {
    if !unit.eq_ignore_ascii_case(b"PX") {
        return Err(Refusal::Syntax);
    }
    let millis = u64::try_from(integer(number)?).ok().filter(|millis| *millis > 0);
    millis.ok_or(Refusal::ExpireTime(command))
}

/// Milliseconds; 0 is for ever.
fn parse_wait(number: &[u8]) -> Result<Timeout, Refusal> {
    match u64::try_from(integer(number)?) {
        Ok(0) => Ok(Timeout::Never),
        Ok(millis) => Ok(Timeout::After(Duration::from_millis(millis))),
        Err(_) => Err(Refusal::Says("timeout is negative")),
    }
}

fn parse_holders(number: &[u8]) -> Result<i64, Refusal> {
    let holders = integer(number)?;
    if (1..=HOLDERS).contains(&holders) { Ok(holders) } else { Err(Refusal::Says("LIMIT is 1 to 1000")) }
}

fn renew(work: &mut Work<'_, '_>) -> Answer {
    let key = work.args[1];
    let ttl = parse_ttl(work.args[3], work.args[4], "renew")?;
    check_held(work, key, work.args[2])?;
    let deadline = Deadline::after(ttl, work.tx.now());
    work.tx.set_deadline(work.db, key, Some(deadline), Notice::Expire);
    work.out.ok();
    Ok(())
}

fn unlock(work: &mut Work<'_, '_>) -> Answer {
    let key = work.args[1];
    check_held(work, key, work.args[2])?;
    work.tx.delete(work.db, key, Notice::Del);
    work.out.ok();
    Ok(())
}

fn fence(work: &mut Work<'_, '_>) -> Answer {
    match current(work, work.args[1]) {
        Some(fence) => work.out.integer(fence.0 as i64),
        None => work.out.null(),
    }
    Ok(())
}

/// Whether the lock is held under exactly this fence.
pub(super) fn check_held(work: &mut Work<'_, '_>, key: &[u8], fence: &[u8]) -> Answer {
    let fence =
        parse_integer(fence).and_then(|fence| u64::try_from(fence).ok()).ok_or(Refusal::NotInteger)?;
    match current(work, key) {
        Some(Revision(current)) if current == fence => Ok(()),
        current => Err(Refusal::Fenced(current.map_or(0, |current| current.0))),
    }
}

fn current(work: &mut Work<'_, '_>, key: &[u8]) -> Option<Revision> {
    work.tx.get(work.db, key).map(|entry| entry.created)
}
