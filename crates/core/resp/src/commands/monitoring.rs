//! What Redis measures of itself and Adsum does not: the answers of a Redis that has nothing to tell.
//! <https://redis.io/docs/latest/commands/slowlog-get/>

use crate::command::{Call, Command, Flags, NO_SCRIPT, NONE};
use crate::number::parse_integer;
use crate::refusal::{Answer, Refusal};

pub(super) const COMMANDS: &[Command] = &[
    Command::container(
        "slowlog",
        &[
            Command::server("slowlog|get", -2, NONE, slowlog_get),
            Command::server("slowlog|len", 2, NONE, zero),
            Command::server("slowlog|reset", 2, NONE, ok),
        ],
    ),
    Command::container(
        "latency",
        &[
            Command::server("latency|latest", 2, FLAGS, nothing),
            Command::server("latency|history", 3, FLAGS, nothing),
            Command::server("latency|histogram", -2, FLAGS, no_histogram),
            Command::server("latency|graph", 3, FLAGS, latency_graph),
            Command::server("latency|reset", -2, FLAGS, zero),
            Command::server("latency|doctor", 2, FLAGS, latency_doctor),
        ],
    ),
];

const FLAGS: Flags = NO_SCRIPT;

/// `SLOWLOG GET [count]`
fn slowlog_get(call: &mut Call<'_>) -> Answer {
    match call.args[2..] {
        [] => {}
        [count] if parse_integer(count).is_some_and(|count| count >= -1) => {}
        [_] => return Err(Refusal::Says("count should be greater than or equal to -1")),
        _ => return Err(Refusal::words_of_subcommand("SLOWLOG", call.args[1])),
    }
    nothing(call)
}

fn nothing(call: &mut Call<'_>) -> Answer {
    call.out.array(0);
    Ok(())
}

fn zero(call: &mut Call<'_>) -> Answer {
    call.out.integer(0);
    Ok(())
}

fn ok(call: &mut Call<'_>) -> Answer {
    call.out.ok();
    Ok(())
}

fn no_histogram(call: &mut Call<'_>) -> Answer {
    call.out.map(0);
    Ok(())
}

fn latency_graph(call: &mut Call<'_>) -> Answer {
    let event = String::from_utf8_lossy(call.args[2]);
    Err(Refusal::Told(format!("ERR No samples available for event '{event}'")))
}

fn latency_doctor(call: &mut Call<'_>) -> Answer {
    call.out.verbatim("Latency is not monitored here. See the node's metrics on the HTTP face.\n");
    Ok(())
}
