//! COMMAND: what the commands are. <https://redis.io/docs/latest/commands/command/>

use crate::command::{Call, Command, FAST, Flags, KeysAt};
use crate::refusal::{Answer, Refusal, check_names, check_reply};
use crate::server::help;
use crate::{Writer, glob};

pub(super) const COMMANDS: &[Command] = &[Command {
    name: "command",
    arity: -1,
    flags: FAST,
    keys: KeysAt::None,
    run: crate::command::Run::Server(command),
    subcommands: &[
        Command::server("command|count", 2, FLAGS, count),
        Command::server("command|info", -2, FLAGS, info),
        Command::server("command|docs", -2, FLAGS, docs),
        Command::server("command|list", -2, FLAGS, list),
        Command::server("command|getkeys", -3, FLAGS, getkeys),
    ],
}];

const FLAGS: Flags = FAST;

/// `COMMAND [HELP]`
fn command(call: &mut Call<'_>) -> Answer {
    match call.args {
        [name, _] => call.server.commands.find(name).into_iter().for_each(|it| help(it, &mut call.out)),
        _ => return all(call),
    }
    Ok(())
}

fn all(call: &mut Call<'_>) -> Answer {
    let all = call.server.commands.all();
    call.out.array(all.len());
    all.iter().for_each(|(_, command)| describe(command, &mut call.out));
    Ok(())
}

fn count(call: &mut Call<'_>) -> Answer {
    call.out.count(call.server.commands.all().len());
    Ok(())
}

fn info(call: &mut Call<'_>) -> Answer {
    let names = &call.args[2..];
    if names.is_empty() {
        return all(call);
    }
    check_names(names)?;
    call.out.array(names.len());
    for name in names {
        match find(call, name) {
            Some(command) => describe(command, &mut call.out),
            None => call.out.null(),
        }
        check_reply(call.out.mark())?;
    }
    Ok(())
}

/// By name, where a subcommand is `command|subcommand`.
fn find(call: &Call<'_>, name: &[u8]) -> Option<&'static Command> {
    let mut words = name.splitn(2, |byte| *byte == b'|');
    let command = call.server.commands.find(words.next()?)?;
    words.next().map_or(Some(command), |name| command.subcommand(name))
}

/// The ten fields of Redis 7; of categories, tips and key specifications there are none.
fn describe(command: &Command, out: &mut Writer<'_>) {
    out.array(10);
    out.text(command.name);
    out.integer(i64::from(command.arity));
    let mut flags: Vec<&str> = command.flags.names().collect();
    if !matches!(command.keys, KeysAt::None | KeysAt::Range { .. }) {
        flags.push("movablekeys");
    }
    out.set(flags.len());
    flags.iter().for_each(|flag| out.simple(flag));
    let (first, last, step) = match command.keys {
        KeysAt::None | KeysAt::Counted { .. } | KeysAt::Streams => (0, 0, 0),
        KeysAt::OneAndCounted { .. } | KeysAt::OneAndStored => (1, 1, 1),
        KeysAt::Range { first, last, step } => (first as i64, last as i64, step as i64),
    };
    [first, last, step].into_iter().for_each(|number| out.integer(number));
    out.set(0);
    out.array(0);
    out.array(0);
    out.array(command.subcommands.len());
    command.subcommands.iter().for_each(|subcommand| describe(subcommand, out));
}

fn docs(call: &mut Call<'_>) -> Answer {
    let names = &call.args[2..];
    check_names(names)?;
    let all = call.server.commands.all().iter();
    let wanted: Vec<_> = all
        .filter(|(_, command)| {
            names.is_empty() || names.iter().any(|name| name.eq_ignore_ascii_case(command.name.as_bytes()))
        })
        .collect();
    call.out.map(wanted.len());
    for (group, command) in wanted {
        call.out.text(command.name);
        call.out.map(1);
        call.out.text("group");
        call.out.text(group);
    }
    Ok(())
}

/// `COMMAND LIST [FILTERBY PATTERN pattern]`
fn list(call: &mut Call<'_>) -> Answer {
    let pattern = match call.args[2..] {
        [] => b"*".as_slice(),
        [filter, by, pattern]
            if filter.eq_ignore_ascii_case(b"FILTERBY") && by.eq_ignore_ascii_case(b"PATTERN") =>
        {
            super::scan::check_pattern(pattern)?
        }
        _ => return Err(Refusal::Syntax),
    };
    let names = call.server.commands.all().iter().map(|(_, command)| command.name);
    let names: Vec<&str> = names.filter(|name| glob::matches_any_case(pattern, name.as_bytes())).collect();
    call.out.array(names.len());
    names.into_iter().for_each(|name| call.out.text(name));
    Ok(())
}

fn getkeys(call: &mut Call<'_>) -> Answer {
    let words = &call.args[2..];
    let mut command =
        call.server.commands.find(words[0]).ok_or(Refusal::Says("Invalid command specified"))?;
    if let Some(subcommand) = words.get(1).and_then(|name| command.subcommand(name)) {
        command = subcommand;
    }
    if !command.takes(words.len()) {
        return Err(Refusal::Says("Invalid number of arguments specified for command"));
    }
    if command.keys == KeysAt::None {
        return Err(Refusal::Says("The command has no key arguments"));
    }
    let keys = command.keys_in(words).ok_or(Refusal::Says("Invalid arguments specified for command"))?;
    let keys: Vec<&[u8]> = keys.collect();
    call.out.array(keys.len());
    keys.into_iter().for_each(|key| call.out.bulk(key));
    Ok(())
}
