//! The binary, run to its end.

use std::process::{Command, Output};

#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// `words` are separated by blanks; `address` is where the agent is to be.
pub(crate) fn adsum(address: &str, words: &str) -> Ended {
    adsum_command(address, &words.split(' ').collect::<Vec<_>>()).output().unwrap().into()
}

pub(crate) fn adsum_command(address: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_adsum"));
    command.env_remove("ADSUM_RESP_ADDR").env("ADSUM_HTTP_ADDR", address).args(args);
    command
}

impl From<Output> for Ended {
    fn from(output: Output) -> Ended {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}
