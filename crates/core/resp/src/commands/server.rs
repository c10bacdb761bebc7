//! What is asked of the server as a whole. <https://redis.io/docs/latest/commands/?group=server>

use super::info::last_save;
use crate::command::{Call, Command, NO_SCRIPT, NONE};
use crate::number::integer;
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[
    Command::server("time", 1, NONE, time),
    Command::server("lastsave", 1, NONE, lastsave),
    Command::server("role", 1, NO_SCRIPT, role),
    Command::server("wait", 3, NO_SCRIPT, wait),
    Command::server("waitaof", 4, NO_SCRIPT, waitaof),
];

/// Unix time in seconds, and the microseconds of the second.
fn time(call: &mut Call<'_>) -> Answer {
    let wall = call.now.wall;
    call.out.array(2);
    call.out.text(&(wall / 1000).to_string());
    call.out.text(&(wall % 1000 * 1000).to_string());
    Ok(())
}

fn lastsave(call: &mut Call<'_>) -> Answer {
    call.out.integer((last_save(call.server) / 1000) as i64);
    Ok(())
}

fn role(call: &mut Call<'_>) -> Answer {
    call.out.array(3);
    call.out.text("master");
    call.out.integer(0);
    call.out.array(0);
    Ok(())
}

/// There are no replicas to wait for, and this is said at once.
fn wait(call: &mut Call<'_>) -> Answer {
    integer(call.args[1])?;
    check_timeout(call.args[2])?;
    call.out.integer(0);
    Ok(())
}

/// `WAITAOF numlocal numreplicas timeout`: how many journals have this client's writes, here and elsewhere. With
/// `always` nothing is answered before it is on disk; with `everysec` nobody can say yet, which is said at once.
fn waitaof(call: &mut Call<'_>) -> Answer {
    if !(0..=1).contains(&integer(call.args[1])?) {
        return Err(Refusal::Says("value is out of range, value must between 0 and 1"));
    }
    if integer(call.args[2])? < 0 {
        return Err(Refusal::NotPositive);
    }
    check_timeout(call.args[3])?;
    call.out.array(2);
    call.out.boolean(call.server.settings.is_synced());
    call.out.integer(0);
    Ok(())
}

fn check_timeout(millis: &[u8]) -> Answer {
    let timeout = integer(millis).map_err(|_| Refusal::Says("timeout is not an integer or out of range"))?;
    if timeout < 0 { Err(Refusal::Says("timeout is negative")) } else { Ok(()) }
}
