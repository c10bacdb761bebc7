//! ACL: there is one user, `default`, who may do everything. <https://redis.io/docs/latest/commands/acl-list/>

use crate::command::{ADMIN, Call, Command, FAST, Flags, NO_SCRIPT};
use crate::number::integer;
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[Command::container(
    "acl",
    &[
        Command::server("acl|whoami", 2, FAST.and(NO_SCRIPT), |call| name(call, false)),
        Command::server("acl|users", 2, FLAGS, |call| name(call, true)),
        Command::server("acl|list", 2, FLAGS, list),
        Command::server("acl|getuser", 3, FLAGS, getuser),
        Command::server("acl|cat", -2, FAST.and(NO_SCRIPT), cat),
        Command::server("acl|log", -2, FLAGS, log),
        Command::server("acl|setuser", -3, FLAGS, refuse),
        Command::server("acl|deluser", -3, FLAGS, refuse),
    ],
)];

const FLAGS: Flags = ADMIN.and(NO_SCRIPT);

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

/// The categories; which commands are in one is not told, since nothing follows from it here.
fn cat(call: &mut Call<'_>) -> Answer {
    match call.args[2..] {
        [] => {
            call.out.array(CATEGORIES.len());
            CATEGORIES.iter().for_each(|category| call.out.simple(category));
            Ok(())
        }
        [name] if CATEGORIES.iter().any(|category| name.eq_ignore_ascii_case(category.as_bytes())) => {
            Err(Refusal::Says("ACL CAT tells the categories alone: there are no rules that could use them"))
        }
        [name] => Err(Refusal::Told(format!("ERR Unknown category '{}'", String::from_utf8_lossy(name)))),
        _ => Err(Refusal::Arity("acl|cat")),
    }
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
        _ => return Err(Refusal::Arity("acl|log")),
    }
    Ok(())
}

fn refuse(_: &mut Call<'_>) -> Answer {
    Err(Refusal::Says("there is one user, 'default', who may do everything, and no other can be made"))
}
