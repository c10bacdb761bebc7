//! What is asked of the server as a whole. <https://redis.io/docs/latest/commands/?group=server>

use crate::command::{ADMIN, Call, Command, FAST, NO_SCRIPT};
use crate::number::integer;
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[
    Command::server("time", 1, FAST, time),
    Command::server("lastsave", 1, FAST, lastsave),
    Command::server("role", 1, FAST.and(NO_SCRIPT), role),
    Command::server("wait", 3, NO_SCRIPT, wait),
    Command::server("debug", -2, ADMIN.and(NO_SCRIPT), debug),
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
    call.out.integer((call.server.vitals.last_snapshot / 1000) as i64);
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
    let timeout =
        integer(call.args[2]).map_err(|_| Refusal::Says("timeout is not an integer or out of range"))?;
    if timeout < 0 {
        return Err(Refusal::Says("timeout is negative"));
    }
    call.out.integer(0);
    Ok(())
}

fn debug(_: &mut Call<'_>) -> Answer {
    Err(Refusal::Says(
        "DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
    ))
}
