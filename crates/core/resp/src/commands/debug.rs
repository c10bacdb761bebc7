//! The part of DEBUG that test suites of clients use, as far as it harms nobody else: DEBUG SLEEP has the client itself
//! wait. All else is refused as a Redis does where DEBUG is not allowed.

use std::time::Duration;

use smallvec::SmallVec;

use super::object;
use crate::Flow;
use crate::blocking::{Action, Ready};
use crate::command::{Call, Command, NO_SCRIPT, Timeout, Wait};
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[Command::server("debug", -2, NO_SCRIPT, debug)];

/// No sleep is longer.
const DAY: f64 = 86_400.0;

fn debug(call: &mut Call<'_>) -> Answer {
    let verb = call.args[1].to_ascii_uppercase();
    match (verb.as_slice(), &call.args[2..]) {
        (b"SLEEP", [seconds]) => {
            sleep(call, seconds);
            Ok(())
        }
        (b"JMAP", []) => {
            call.out.ok();
            Ok(())
        }
        (b"OBJECT", [key]) => describe(call, key),
        (b"SET-ACTIVE-EXPIRE", [b"1"]) => {
            call.out.ok();
            Ok(())
        }
        (b"SET-ACTIVE-EXPIRE", [_]) => {
            Err(Refusal::Says("keys expire on time here, which cannot be switched off"))
        }
        _ => Err(Refusal::Says(
            "DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
        )),
    }
}

/// As in Redis what is no number is 0.
fn sleep(call: &mut Call<'_>, seconds: &[u8]) {
    let seconds = str::from_utf8(seconds).ok().and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    let time = Duration::from_secs_f64(if seconds > 0.0 { seconds.min(DAY) } else { 0.0 });
    if time.is_zero() || call.in_transaction {
        call.out.ok();
        return;
    }
    let (keys, ready, action) = (SmallVec::new(), Ready::Free, Action::Sleep);
    let wait = Wait { keys, ready, action, timeout: Timeout::After(time) };
    let (client, silent) = (call.session.client.clone(), call.session.is_silent());
    call.server.waiters.add(client, silent, call.session.database(), wait);
    call.flow = Flow::Blocked { timeout: Some(time) };
}

fn describe(call: &mut Call<'_>, key: &[u8]) -> Answer {
    let entry = call.server.keyspace().keys(call.session.database()).get(key).ok_or(Refusal::NoSuchKey)?;
    let (encoding, length) = (object::encoding_of(&entry.value), entry.value.weight());
    call.out.simple(&format!(
        "Value at:0x0 refcount:1 encoding:{encoding} serializedlength:{length} lru:0 lru_seconds_idle:0"
    ));
    Ok(())
}
