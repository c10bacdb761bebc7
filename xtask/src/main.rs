//! The project's tasks: `cargo xtask ...`. `main` only dispatches; one file per task.
//!
//! Kept thin on purpose: it is compiled before anything else on a fresh machine.

mod bench;
mod cargo;
mod component;
mod demo;
mod etcd_protos;
mod report;
mod soak;
mod task;
mod test;
mod tidy;

use std::process::ExitCode;

use task::Task;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match Task::parse(&words) {
        Ok(task) => finish(run(task)),
        Err(wrong) => {
            eprintln!("xtask: {wrong}\n\n{}", task::HELP);
            ExitCode::from(2)
        }
    }
}

fn run(task: Task) -> anyhow::Result<bool> {
    match task {
        Task::Help => {
            println!("{}", task::HELP);
            Ok(true)
        }
        Task::Demo { words } => demo::run(&words),
        Task::Test { strict, filter } => test::run(strict, filter.as_deref()),
        Task::Soak { name, rounds } => soak::run(name.as_deref(), rounds),
        Task::Bench { words } => bench::run(&words),
        Task::Tidy => tidy::run(),
        Task::EtcdProtos => etcd_protos::run(),
    }
}

fn finish(outcome: anyhow::Result<bool>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
