//! EVAL and SCRIPT. <https://redis.io/docs/latest/develop/programmability/eval-intro/>

use adsum_script::Writing;

use crate::command::{Call, Command, Flags, KeysAt, NO_SCRIPT, READ, Run};
use crate::number::integer;
use crate::refusal::{Answer, Refusal};
use crate::scripts::{Script, Scripts};

pub(super) const COMMANDS: &[Command] = &[
    eval("eval", NO_SCRIPT, |call| run(call, Name::Body, false)),
    eval("evalsha", NO_SCRIPT, |call| run(call, Name::Sha, false)),
    eval("eval_ro", NO_SCRIPT.and(READ), |call| run(call, Name::Body, true)),
    eval("evalsha_ro", NO_SCRIPT.and(READ), |call| run(call, Name::Sha, true)),
    Command::container(
        "script",
        &[
            Command::server("script|load", 3, NO_SCRIPT, load),
            Command::server("script|exists", -3, NO_SCRIPT, exists),
            Command::server("script|flush", -2, NO_SCRIPT, flush),
            Command::server("script|kill", 2, NO_SCRIPT, kill),
            Command::server("script|debug", 3, NO_SCRIPT, debug),
        ],
    ),
];

const fn eval(name: &'static str, flags: Flags, run: fn(&mut Call<'_>) -> Answer) -> Command {
    let keys = KeysAt::Counted { count: 2 };
    Command { name, arity: -3, flags, keys, element: None, run: Run::Server(run), subcommands: &[] }
}

/// How a script is named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Body,
    Sha,
}

/// `EVAL script numkeys [key ...] [arg ...]`
fn run(call: &mut Call<'_>, name: Name, read_only: bool) -> Answer {
    let sha = match name {
        Name::Body => None,
        Name::Sha => Some(parse_sha(call.args[1]).ok_or(Refusal::NoScript)?),
    };
    let count = integer(call.args[2])?;
    let rest = &call.args[3..];
    if count > rest.len() as i64 {
        return Err(Refusal::Says("Number of keys can't be greater than number of args"));
    }
    let count = usize::try_from(count).map_err(|_| Refusal::Says("Number of keys can't be negative"))?;
    let sha = match sha {
        None => call.server.scripts.load(call.args[1])?,
        Some(sha) => sha,
    };
    let (keys, arguments) = rest.split_at(count);
    let script = Script { sha, keys, arguments, read_only };
    call.server.run_script(call.session, &script, call.now, &mut call.out)
}

/// Whether a request for a script may write, by what the script says of itself. None for other requests.
pub(crate) fn may_write(scripts: &mut Scripts, command: &Command, args: &[&[u8]]) -> Option<bool> {
    let (name, read_only) = match command.name {
        "eval" => (Name::Body, false),
        "evalsha" => (Name::Sha, false),
        "eval_ro" => (Name::Body, true),
        "evalsha_ro" => (Name::Sha, true),
        _ => return None,
    };
    let writing = match name {
        Name::Body => Writing::of(args[1]),
        Name::Sha => parse_sha(args[1]).map_or(Writing::Unsaid, |sha| scripts.writing(&sha)),
    };
    Some(match writing {
        Writing::Unsaid => !read_only,
        Writing::May => true,
        Writing::Never => false,
    })
}

fn parse_sha(word: &[u8]) -> Option<[u8; 40]> {
    let mut sha: [u8; 40] = word.try_into().ok()?;
    sha.make_ascii_lowercase();
    Some(sha)
}

fn load(call: &mut Call<'_>) -> Answer {
    let sha = call.server.scripts.load(call.args[2])?;
    call.out.bulk(&sha);
    Ok(())
}

fn exists(call: &mut Call<'_>) -> Answer {
    let names = &call.args[2..];
    call.out.array(names.len());
    for name in names {
        let known = call.server.scripts.known();
        let there = known.zip(parse_sha(name)).is_some_and(|(scripts, sha)| scripts.has(&sha));
        call.out.boolean(there);
    }
    Ok(())
}

/// `SCRIPT FLUSH [ASYNC | SYNC]`
fn flush(call: &mut Call<'_>) -> Answer {
    match call.args[2..] {
        [] => {}
        [how] if how.eq_ignore_ascii_case(b"ASYNC") || how.eq_ignore_ascii_case(b"SYNC") => {}
        _ => return Err(Refusal::Says("SCRIPT FLUSH only support SYNC|ASYNC option")),
    }
    call.server.scripts.flush();
    call.out.ok();
    Ok(())
}

/// Whoever comes here comes when no script runs: while one does, the connection asks the overseer.
fn kill(_: &mut Call<'_>) -> Answer {
    Err(Refusal::NotBusy)
}

/// There is no debugger.
fn debug(call: &mut Call<'_>) -> Answer {
    match call.args[2].to_ascii_uppercase().as_slice() {
        b"NO" => call.out.ok(),
        b"YES" | b"SYNC" => {
            return Err(Refusal::Says("there is no debugger for scripts: SCRIPT DEBUG takes NO"));
        }
        _ => return Err(Refusal::Says("Use SCRIPT DEBUG YES/SYNC/NO")),
    }
    Ok(())
}
