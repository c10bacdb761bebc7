//! CONFIG. <https://redis.io/docs/latest/commands/config-get/>

use super::scan::check_pattern;
use crate::command::{Call, Command, Flags, NO_SCRIPT};
use crate::refusal::{Answer, Refusal, check_names};
use crate::server::Stats;
use crate::settings::SetError;

pub(super) const COMMANDS: &[Command] = &[Command::container(
    "config",
    &[
        Command::server("config|get", -3, FLAGS, get),
        Command::server("config|set", -4, FLAGS, set),
        Command::server("config|resetstat", 2, FLAGS, resetstat),
        Command::server("config|rewrite", 2, FLAGS, rewrite),
    ],
)];

const FLAGS: Flags = NO_SCRIPT;

fn get(call: &mut Call<'_>) -> Answer {
    let patterns = &call.args[2..];
    check_names(patterns)?;
    patterns.iter().try_for_each(|pattern| check_pattern(pattern).map(drop))?;
    let settings = call.server.settings.get(patterns);
    call.out.map(settings.len());
    for (name, value) in settings {
        call.out.bulk(name);
        call.out.text(&value);
    }
    Ok(())
}

fn set(call: &mut Call<'_>) -> Answer {
    let words = &call.args[2..];
    if !words.len().is_multiple_of(2) {
        return Err(Refusal::Syntax);
    }
    let pairs: Vec<(&[u8], &[u8])> = words.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    call.server.settings.set(&pairs).map_err(|(name, error)| failed(name, error))?;
    call.out.ok();
    Ok(())
}

fn failed(name: &[u8], error: SetError) -> Refusal {
    let name = String::from_utf8_lossy(name);
    let why = match error {
        SetError::Unknown => {
            return Refusal::Told(format!(
                "ERR Unknown option or number of arguments for CONFIG SET - '{name}'"
            ));
        }
        SetError::Immutable => "can't set immutable config",
        SetError::Invalid(why) => why,
    };
    Refusal::Told(format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {why}"))
}

fn resetstat(call: &mut Call<'_>) -> Answer {
    call.server.stats = Stats { connections_before: call.server.clients.ever(), ..Stats::default() };
    call.out.ok();
    Ok(())
}

fn rewrite(_: &mut Call<'_>) -> Answer {
    Err(Refusal::Says("The server is running without a config file"))
}
