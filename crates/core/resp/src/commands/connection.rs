//! The connection itself. <https://redis.io/docs/latest/commands/?group=connection>

use super::client::check_name;
use super::info::REDIS_VERSION;
use super::keys::database;
use crate::command::{AT_ONCE, Call, Command, Flags, NO_SCRIPT, NONE, WHILE_SUBSCRIBED};
use crate::number::parse_integer;
use crate::refusal::{Answer, Refusal};
use crate::{Flow, Protocol, Session, Writer};

pub(super) const COMMANDS: &[Command] = &[
    Command::server("ping", -1, WHILE_SUBSCRIBED, ping),
    Command::server("echo", 2, NONE, echo),
    Command::server("select", 2, NONE, select),
    Command::server("quit", -1, ALWAYS, quit),
    Command::server("reset", 1, ALWAYS, reset),
    Command::server("hello", -1, NO_SCRIPT, hello),
    Command::server("auth", -2, NO_SCRIPT, auth),
];

const ALWAYS: Flags = NO_SCRIPT.and(WHILE_SUBSCRIBED).and(AT_ONCE);

fn ping(call: &mut Call<'_>) -> Answer {
    let word = match call.args[1..] {
        [] => None,
        [word] => Some(word),
        _ => return Err(Refusal::Arity("ping")),
    };
    if call.session.is_subscribed() && call.session.protocol() == Protocol::Resp2 {
        call.out.array(2);
        call.out.text("pong");
        call.out.bulk(word.unwrap_or_default());
        return Ok(());
    }
    match word {
        Some(word) => call.out.bulk(word),
        None => call.out.simple("PONG"),
    }
    Ok(())
}

fn echo(call: &mut Call<'_>) -> Answer {
    call.out.bulk(call.args[1]);
    Ok(())
}

fn select(call: &mut Call<'_>) -> Answer {
    match database(call.args[1])? {
        adsum_keyspace::Database::User(number) => call.session.select(number),
        adsum_keyspace::Database::System => return Err(Refusal::NoSuchDatabase),
    }
    call.out.ok();
    Ok(())
}

fn quit(call: &mut Call<'_>) -> Answer {
    call.out.ok();
    call.flow = Flow::Close;
    Ok(())
}

fn reset(call: &mut Call<'_>) -> Answer {
    call.server.subscriptions.remove_client(&call.session.client);
    call.server.watched.remove(&call.session.client);
    call.server.tracking.turn_off(call.session.id());
    call.session.reset();
    call.out.set_protocol(Protocol::Resp2);
    call.out.simple("RESET");
    Ok(())
}

fn hello(call: &mut Call<'_>) -> Answer {
    greet(call.session, call.args, &mut call.out)
}

/// `HELLO [protover [AUTH username password] [SETNAME clientname]]`
pub(crate) fn greet(session: &Session, args: &[&[u8]], out: &mut Writer<'_>) -> Answer {
    let protocol = match args.get(1) {
        None => session.protocol(),
        Some(version) => match parse_integer(version) {
            Some(2) => Protocol::Resp2,
            Some(3) => Protocol::Resp3,
            Some(_) => return Err(Refusal::Told("NOPROTO unsupported protocol version".to_owned())),
            None => return Err(Refusal::Says("Protocol version is not an integer or out of range")),
        },
    };
    let name = hello_options(args.get(2..).unwrap_or_default())?;
    if let Some(name) = name {
        session.client.names.lock().name = name;
    }
    session.client.set_protocol(protocol);
    out.set_protocol(protocol);
    introduce(session, out);
    Ok(())
}

/// The name that the client gives itself.
fn hello_options(mut words: &[&[u8]]) -> Result<Option<String>, Refusal> {
    let mut name = None;
    loop {
        words = match words {
            [] => return Ok(name),
            [option, user, _password, rest @ ..] if option.eq_ignore_ascii_case(b"AUTH") => {
                check_user(user)?;
                rest
            }
            [option, word, rest @ ..] if option.eq_ignore_ascii_case(b"SETNAME") => {
                name = Some(check_name(word)?);
                rest
            }
            [option, ..] => {
                let option = String::from_utf8_lossy(option);
                return Err(Refusal::Told(format!("ERR Syntax error in HELLO option '{option}'")));
            }
        };
    }
}

fn introduce(session: &Session, out: &mut Writer<'_>) {
    let protocol = match session.protocol() {
        Protocol::Resp2 => 2,
        Protocol::Resp3 => 3,
    };
    out.map(7);
    for (name, value) in [("server", "redis"), ("version", REDIS_VERSION)] {
        out.text(name);
        out.text(value);
    }
    out.text("proto");
    out.integer(protocol);
    out.text("id");
    out.integer(session.id() as i64);
    for (name, value) in [("mode", session.client.mode), ("role", "master")] {
        out.text(name);
        out.text(value);
    }
    out.text("modules");
    out.array(0);
}

fn auth(call: &mut Call<'_>) -> Answer {
    log_in(call.args, &mut call.out)
}

/// As Redis without a password: the user `default` gets in with any.
pub(crate) fn log_in(args: &[&[u8]], out: &mut Writer<'_>) -> Answer {
    match args[1..] {
        [] => return Err(Refusal::Arity("auth")),
        [_] => {
            return Err(Refusal::Says(
                "AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
            ));
        }
        [user, _] => check_user(user)?,
        _ => return Err(Refusal::Syntax),
    }
    out.ok();
    Ok(())
}

fn check_user(user: &[u8]) -> Answer {
    if user == b"default" {
        return Ok(());
    }
    Err(Refusal::Told("WRONGPASS invalid username-password pair or user is disabled.".to_owned()))
}
