//! COMMAND: what the commands are. <https://redis.io/docs/latest/commands/command/>

use std::iter;

use crate::command::{Call, Command, Flags, KeysAt, NONE};
use crate::described::{Descriptions, Summary, summaries};
use crate::refusal::{Answer, Refusal, check_names, check_reply};
use crate::server::help;
use crate::{Writer, glob};

pub(super) const COMMANDS: &[Command] = &[Command {
    name: "command",
    arity: -1,
    flags: NONE,
    keys: KeysAt::None,
    element: None,
    run: crate::command::Run::Server(command),
    subcommands: &[
        Command::server("command|count", 2, FLAGS, count),
        Command::server("command|info", -2, FLAGS, info),
        Command::server("command|docs", -2, FLAGS, docs),
        Command::server("command|list", -2, FLAGS, list),
        Command::server("command|getkeys", -3, FLAGS, getkeys),
        Command::server("command|getkeysandflags", -3, FLAGS, getkeysandflags),
    ],
}];

const FLAGS: Flags = NONE;

/// `COMMAND [HELP]`
fn command(call: &mut Call<'_>) -> Answer {
    match call.args {
        [name, _] => call.server.commands.find(name).into_iter().for_each(|it| help(it, &mut call.out)),
        _ => return all(call),
    }
    Ok(())
}

fn all(call: &mut Call<'_>) -> Answer {
    let (all, descriptions) = (call.server.commands.all(), Descriptions::new());
    call.out.array(all.len());
    all.iter().for_each(|(_, command)| describe(command, &descriptions, &mut call.out));
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
    let descriptions = Descriptions::new();
    call.out.array(names.len());
    for name in names {
        match find(call, name) {
            Some(command) => describe(command, &descriptions, &mut call.out),
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

/// The ten fields of Redis 7.
fn describe(command: &Command, descriptions: &Descriptions, out: &mut Writer<'_>) {
    let described = descriptions.of(command.name);
    out.array(10);
    out.text(command.name);
    out.integer(i64::from(command.arity));
    described.write_flags(out);
    let (first, last, step) = match command.keys {
        // Channels, which are no keys but told of as such.
        KeysAt::None if command.name == "spublish" => (1, 1, 1),
        KeysAt::None if ["ssubscribe", "sunsubscribe"].contains(&command.name) => (1, -1, 1),
        KeysAt::None | KeysAt::Counted { .. } | KeysAt::Streams => (0, 0, 0),
        KeysAt::OneAndCounted { .. } | KeysAt::OneAndStored => (1, 1, 1),
        KeysAt::Range { first, last, step } => (first as i64, last as i64, step as i64),
    };
    [first, last, step].into_iter().for_each(|number| out.integer(number));
    described.write_rest(out);
    match command.subcommands.len() {
        0 => out.set(0),
        count => out.array(count),
    }
    command.subcommands.iter().for_each(|subcommand| describe(subcommand, descriptions, out));
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
    let summaries = summaries();
    for (group, command) in wanted {
        let Summary { since, text } = summaries.get(command.name).expect("there is one of each command");
        let fields = [("summary", *text), ("since", *since), ("group", *group)];
        let known = || fields.iter().filter(|(_, value)| !value.is_empty());
        call.out.text(command.name);
        call.out.map(known().count());
        for (field, value) in known() {
            call.out.text(field);
            call.out.text(value);
        }
    }
    Ok(())
}

/// `COMMAND LIST [FILTERBY MODULE module | ACLCAT category | PATTERN pattern]`
fn list(call: &mut Call<'_>) -> Answer {
    let names: Vec<&str> = match call.args[2..] {
        [] => names(call).collect(),
        [filter, by, value] if filter.eq_ignore_ascii_case(b"FILTERBY") => {
            match by.to_ascii_uppercase().as_slice() {
                b"PATTERN" => {
                    let pattern = super::scan::check_pattern(value)?;
                    names(call).filter(|name| glob::matches_any_case(pattern, name.as_bytes())).collect()
                }
                b"ACLCAT" => Descriptions::new().in_category(&String::from_utf8_lossy(value)),
                // There are no modules.
                b"MODULE" => Vec::new(),
                _ => return Err(Refusal::Syntax),
            }
        }
        _ => return Err(Refusal::Syntax),
    };
    call.out.array(names.len());
    names.into_iter().for_each(|name| call.out.text(name));
    Ok(())
}

/// Of all commands, each followed by its subcommands.
fn names<'c>(call: &Call<'c>) -> impl Iterator<Item = &'static str> {
    let all: Vec<&'static Command> = call.server.commands.all().iter().map(|(_, command)| *command).collect();
    all.into_iter()
        .flat_map(|command| iter::once(command).chain(command.subcommands))
        .map(|command| command.name)
}

/// What is asked about, which has to be a request.
fn request<'c>(call: &Call<'c>) -> Result<(&'static Command, &'c [&'c [u8]]), Refusal> {
    let words = &call.args[2..];
    let mut command =
        call.server.commands.find(words[0]).ok_or(Refusal::Says("Invalid command specified"))?;
    if !command.subcommands.is_empty() {
        let subcommand = words.get(1).and_then(|name| command.subcommand(name));
        command = subcommand.or(words.get(1).is_none().then_some(command)).ok_or(INVALID)?;
    }
    if command.keys == KeysAt::None {
        return Err(Refusal::Says("The command has no key arguments"));
    }
    if !command.takes(words.len()) {
        return Err(Refusal::Says("Invalid number of arguments specified for command"));
    }
    Ok((command, words))
}

const INVALID: Refusal = Refusal::Says("Invalid command specified");

/// What is wrong with a request in which no key can be found; nothing, where there need be none.
fn without_keys(call: &mut Call<'_>, command: &Command) -> Answer {
    if !Descriptions::new().of(command.name).has_flag("no_mandatory_keys") {
        return Err(Refusal::Says("Invalid arguments specified for command"));
    }
    call.out.array(0);
    Ok(())
}

fn getkeys(call: &mut Call<'_>) -> Answer {
    let (command, words) = request(call)?;
    let keys: Vec<&[u8]> = command.keys_in(words).into_iter().flatten().collect();
    if keys.is_empty() {
        return without_keys(call, command);
    }
    call.out.array(keys.len());
    keys.into_iter().for_each(|key| call.out.bulk(key));
    Ok(())
}

fn getkeysandflags(call: &mut Call<'_>) -> Answer {
    let (command, words) = request(call)?;
    let mut keys = Descriptions::new().of(command.name).keys_in(words).unwrap_or_default();
    match command.keys {
        // What it stores into its specification does not tell.
        KeysAt::OneAndStored => {
            let stored = command.keys_in(words).into_iter().flatten().skip(1);
            keys.extend(stored.map(|key| (key, vec!["OW", "update"])));
        }
        _ => keys.iter_mut().for_each(|(_, flags)| as_asked(command, words, flags)),
    }
    if keys.is_empty() {
        return without_keys(call, command);
    }
    call.out.array(keys.len());
    for (key, flags) in keys {
        call.out.array(2);
        call.out.bulk(key);
        call.out.set(flags.len());
        flags.into_iter().for_each(|flag| call.out.simple(flag));
    }
    Ok(())
}

/// Flags that depend on options.
fn as_asked(command: &Command, words: &[&[u8]], flags: &mut Vec<&'static str>) {
    let says = |word: &[u8]| words[2..].iter().any(|other| other.eq_ignore_ascii_case(word));
    match command.name {
        "set" if !says(b"GET") => *flags = vec!["OW", "update"],
        "bitfield" if !says(b"SET") && !says(b"INCRBY") => *flags = vec!["RO", "access"],
        _ => flags.retain(|flag| *flag != "variable_flags"),
    }
}
