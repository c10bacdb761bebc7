//! The one binary: reads the arguments, dispatches to one file per subcommand, turns the outcome into an exit code.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage; of commands that deploy also 3 not converged and 4 refused. `agent`, `demo` and `keeper` wire the product together; everything
//! else is a client that knows the agent only over the wire.

mod agent;
mod catalog;
mod cli;
mod client;
mod completions;
mod demo;
mod events;
mod gateway;
mod keeper;
mod kv;
mod listing;
mod lock;
mod maint;
mod moment;
mod node;
mod screen;
mod service;
mod snapshot;
mod status;
mod usage;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use client::{Address, Client, Outcome};
use screen::PrintError;
use usage::Usage;

/// Requests and commands allocate and free a few kilobytes on one thread, which is what this allocator is made for. It takes
/// no huge pages: an agent that does nothing would have 25 MB of them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    run(Cli::parse()).unwrap_or_else(|error| report(&error))
}

fn run(cli: Cli) -> Outcome {
    match cli.command {
        Command::Agent(args) => no_agent_of(cli.addr).and_then(|()| agent::run(args)),
        Command::Demo(args) => no_agent_of(cli.addr).and_then(|()| demo::run(args)),
        Command::Keeper(args) => keeper::run(args),
        Command::Service(args) => with(cli.addr, async |client| service::run(args, client).await),
        Command::Kv(args) => with(cli.addr, async |client| kv::run(args, client).await),
        Command::Lock(args) => with(cli.addr, async |client| lock::run(args, client).await),
        Command::Catalog(args) => with(cli.addr, async |client| catalog::run(args, client).await),
        Command::Gateway(args) => with(cli.addr, async |client| gateway::run(args, client).await),
        Command::Node(args) => with(cli.addr, async |client| node::run(args, client).await),
        Command::Maint(args) => with(cli.addr, async |client| maint::run(args, client).await),
        Command::Status(args) => with(cli.addr, async |client| status::run(args, client).await),
        Command::Events(args) => with(cli.addr, async |client| events::run(args, client).await),
        Command::Snapshot(args) => with(cli.addr, async |client| snapshot::run(args, client).await),
        Command::Completions(args) => completions::run(&args),
    }
}

/// Runs a command that talks to an agent.
fn with(addr: Option<Address>, command: impl AsyncFnOnce(&Client) -> Outcome) -> Outcome {
    let address = Address::choose(addr).map_err(|error| Usage(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(command(&Client::new(address)))
}

/// An agent is not told which agent to talk to.
fn no_agent_of(addr: Option<Address>) -> anyhow::Result<()> {
    match addr {
        None => Ok(()),
        Some(addr) => {
            Err(Usage(format!("--addr {addr} is for clients of an agent: pass --http-addr")).into())
        }
    }
}

/// Says what went wrong. A reader that has gone away (`adsum service ls | head -1`) has what it wanted.
fn report(error: &anyhow::Error) -> ExitCode {
    if matches!(error.downcast_ref(), Some(PrintError::Gone)) {
        return ExitCode::SUCCESS;
    }
    for line in format!("{error:#}").lines() {
        eprintln!("error: {line}");
    }
    let code = match () {
        () if error.is::<Usage>() => 2,
        () if error.is::<service::Refused>() => 4,
        () => 1,
    };
    ExitCode::from(code)
}
