//! What is to be done when a key expires. Adsum's own command.
//!
//! ```text
//! ONEXPIRE key EVENT text | WEBHOOK url | RESTART service     OK: from now on, at each expiry of the key
//! ONEXPIRE key NONE                                           OK
//! ONEXPIRE key                                                the action, or null
//! ```

use adsum_keyspace::switch::{self, Action};
use adsum_keyspace::{Database, Notice, Value};

use crate::command::{Command, ONE_KEY, WRITE, Work};
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[Command::keys("onexpire", -2, WRITE, ONE_KEY, onexpire)];

fn onexpire(work: &mut Work<'_, '_>) -> Answer {
    let switch = switch::key_of(work.db, work.args[1]).ok_or(Refusal::NoSuchDatabase)?;
    match work.args[2..] {
        [] => match work.tx.get(Database::System, &switch).map(|entry| &entry.value) {
            Some(Value::String(action)) => work.out.bulk(action),
            _ => work.out.null(),
        },
        [none] if none.eq_ignore_ascii_case(b"NONE") => {
            work.tx.delete(Database::System, &switch, Notice::Del);
            work.out.ok();
        }
        [verb, operand] => {
            super::strings::check_length(operand.len())?;
            let text = |bytes| str::from_utf8(bytes).map_err(|_| Refusal::Says("an action is text in UTF-8"));
            let action = Action::of(text(verb)?, text(operand)?);
            let action = action.map_err(|error| Refusal::Told(format!("ERR {error}")))?;
            let value = Value::String(action.to_string().into());
            work.tx.put(Database::System, switch, value, None, &[Notice::Set]);
            work.out.ok();
        }
        _ => return Err(Refusal::Syntax),
    }
    Ok(())
}
