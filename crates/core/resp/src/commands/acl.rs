//! ACL: there is one user, `default`, who may do everything. <https://redis.io/docs/latest/commands/acl-list/>

use crate::command::{Call, Command, Flags, NO_SCRIPT};
use crate::described::Descriptions;
use crate::number::integer;
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[Command::container(
    "acl",
    &[
        Command::server("acl|whoami", 2, NO_SCRIPT, |call| name(call, false)),
        Command::server("acl|users", 2, FLAGS, |call| name(call, true)),
        Command::server("acl|list", 2, FLAGS, list),
        Command::server("acl|getuser", 3, FLAGS, getuser),
        Command::server("acl|cat", -2, NO_SCRIPT, cat),
        Command::server("acl|log", -2, FLAGS, log),
        Command::server("acl|setuser", -3, FLAGS, refuse),
        Command::server("acl|deluser", -3, FLAGS, deluser),
        Command::server("acl|dryrun", -4, FLAGS, dryrun),
        Command::server("acl|genpass", -2, NO_SCRIPT, genpass),
    ],
)];

const FLAGS: Flags = NO_SCRIPT;

const CATEGORIES: [&str; 21] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

fn name(call: &mut Call<'_>, as_list: bool) -> Answer {
    if as_list {
        call.out.array(1);
    }
    call.out.text("default");
    Ok(())
}

fn list(call: &mut Call<'_>) -> Answer {
    call.out.array(1);
    call.out.text("user default on nopass ~* &* +@all");
    Ok(())
}

fn getuser(call: &mut Call<'_>) -> Answer {
    let out = &mut call.out;
    if call.args[2] != b"default" {
        out.null();
        return Ok(());
    }
    out.map(6);
    out.text("flags");
    out.set(2);
    out.text("on");
    out.text("nopass");
    out.text("passwords");
    out.array(0);
    for (field, value) in [("commands", "+@all"), ("keys", "~*"), ("channels", "&*")] {
        out.text(field);
        out.text(value);
    }
    out.text("selectors");
    out.array(0);
    Ok(())
}

/// `ACL CAT [category]`
fn cat(call: &mut Call<'_>) -> Answer {
    let names = match call.args[2..] {
        [] => CATEGORIES.to_vec(),
        [name] if CATEGORIES.iter().any(|category| name.eq_ignore_ascii_case(category.as_bytes())) => {
            Descriptions::new().in_category(&String::from_utf8_lossy(name))
        }
        [name] => {
            return Err(Refusal::Told(format!("ERR Unknown category '{}'", String::from_utf8_lossy(name))));
        }
        _ => return Err(Refusal::words_of_subcommand("ACL", call.args[1])),
    };
    call.out.array(names.len());
    names.into_iter().for_each(|name| call.out.text(name));
    Ok(())
}

/// `ACL LOG [count | RESET]`: nobody is ever refused.
fn log(call: &mut Call<'_>) -> Answer {
    match call.args[2..] {
        [] => call.out.array(0),
        [reset] if reset.eq_ignore_ascii_case(b"RESET") => call.out.ok(),
        [count] => {
            integer(count)?;
            call.out.array(0);
        }
        _ => return Err(Refusal::words_of_subcommand("ACL", call.args[1])),
    }
    Ok(())
}

/// Those who are not there are easily removed.
fn deluser(call: &mut Call<'_>) -> Answer {
    if call.args[2..].contains(&b"default".as_slice()) {
        return Err(Refusal::Says("The 'default' user cannot be removed"));
    }
    call.out.integer(0);
    Ok(())
}

/// `ACL DRYRUN username command [arg ...]`
fn dryrun(call: &mut Call<'_>) -> Answer {
    let (user, words) = (call.args[2], &call.args[3..]);
    if user != b"default" {
        return Err(Refusal::Told(format!("ERR User '{}' not found", String::from_utf8_lossy(user))));
    }
    let command = call.server.find(words).map_err(|_| {
        Refusal::Told(format!("ERR Command '{}' not found", String::from_utf8_lossy(words[0])))
    })?;
    if !command.takes(words.len()) {
        return Err(Refusal::Arity(command.name));
    }
    call.out.ok();
    Ok(())
}

/// `ACL GENPASS [bits]`: so many, in hexadecimal digits.
fn genpass(call: &mut Call<'_>) -> Answer {
    const MOST: i64 = 4096;
    let bits = match call.args[2..] {
        [] => 256,
        [bits] => integer(bits)?,
        _ => return Err(Refusal::words_of_subcommand("ACL", call.args[1])),
    };
    if !(1..=MOST).contains(&bits) {
        return Err(Refusal::Told(format!(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to {MOST}"
        )));
    }
    let digits = (bits as usize).div_ceil(4);
    let mut secret = vec![0; digits.div_ceil(2)];
    if !call.server.about.random.is_some_and(|fill| fill(&mut secret)) {
        return Err(Refusal::Says("there is no randomness to be had"));
    }
    let mut text: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    text.truncate(digits);
    call.out.text(&text);
    Ok(())
}

fn refuse(_: &mut Call<'_>) -> Answer {
    Err(Refusal::Says("there is one user, 'default', who may do everything, and no other can be made"))
}
