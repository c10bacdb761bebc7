//! A program that is nothing but a keeper, for the tests: `keeper keeper --dir DIR --cluster HEX [--tree KIND]`.

use std::process::ExitCode;

use adsum_runtime::TreeKind;
use adsum_runtime::keeper::{Options, run};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().map(String::as_str) != Some("keeper") {
        eprintln!("usage: keeper keeper --dir DIR --cluster HEX [--tree cgroup2|cgroup1|process-group]");
        return ExitCode::from(2);
    }
    let option = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1)
    };
    let tree = option("--tree").and_then(|kind| match kind.as_str() {
        "cgroup2" => Some(TreeKind::Cgroup2),
        "cgroup1" => Some(TreeKind::Cgroup1),
        "process-group" => Some(TreeKind::ProcessGroup),
        _ => None,
    });
    let text = |name| option(name).cloned().unwrap_or_default();
    match run(&Options { dir: text("--dir").into(), cluster: text("--cluster"), tree }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
