//! The one binary: reads the arguments, dispatches to one file per subcommand, turns the outcome into an exit code.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage. `agent`, `demo` and `keeper` wire the product together; everything
//! else is a client that knows the agent only over the wire.

mod agent;
mod cli;
mod completions;
mod demo;
mod keeper;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => report(&error),
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Agent(args) => agent::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Keeper(args) => keeper::run(args),
        Command::Completions(args) => completions::run(&args),
    }
}

/// Says what went wrong. A reader that has gone away (`adsum service ls | head -1`) has what it wanted.
fn report(error: &anyhow::Error) -> ExitCode {
    let broken_pipe = |cause: &std::io::Error| cause.kind() == std::io::ErrorKind::BrokenPipe;
    if error.chain().filter_map(|cause| cause.downcast_ref()).any(broken_pipe) {
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
