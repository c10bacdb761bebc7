//! `adsum kv put`.

use std::io::Read;
use std::process::ExitCode;

use anyhow::Context;
use hyper::Method;

use crate::client::{Call, Client, Outcome};

const EXAMPLES: &str = "Examples:
  adsum kv put /config/color blue
  adsum kv put /config/logo @logo.png
  date | adsum kv put /config/date
  adsum kv put /config/handle - <<< @adsum";

/// Give a key a value
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[arg(value_parser = super::key)]
    key: String,
    /// The value, @FILE for what is in a file, or - for standard input, which is also read when there is none
    #[arg(allow_hyphen_values = true)]
    value: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Source<'a> {
    Text(&'a str),
    File(&'a str),
    Input,
}

pub(super) async fn run(args: Args, client: &Client) -> Outcome {
    let value = Source::of(args.value.as_deref()).read()?;
    let answer = client.send(Call::new(Method::PUT, super::path(&args.key)).bytes(value)).await?;
    anyhow::ensure!(answer.body.trim_ascii() != b"false", "the agent has not stored '{}'", args.key);
    Ok(ExitCode::SUCCESS)
}

impl Source<'_> {
    fn of(value: Option<&str>) -> Source<'_> {
        match value {
            None | Some("-") => Source::Input,
            Some(text) => text.strip_prefix('@').map_or(Source::Text(text), Source::File),
        }
    }

    fn read(&self) -> anyhow::Result<Vec<u8>> {
        match self {
            Source::Text(text) => Ok(text.as_bytes().to_vec()),
            Source::File(path) => std::fs::read(path).with_context(|| format!("cannot read '{path}'")),
            Source::Input => {
                let mut value = Vec::new();
                std::io::stdin().lock().read_to_end(&mut value).context("cannot read standard input")?;
                Ok(value)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_from_its_argument_a_file_or_standard_input() {
        assert_eq!(Source::of(Some("blue")), Source::Text("blue"));
        assert_eq!(Source::of(Some("-5")), Source::Text("-5"));
        assert_eq!(Source::of(Some("@logo")), Source::File("logo"));
        assert_eq!(Source::of(Some("-")), Source::Input);
        assert_eq!(Source::of(None), Source::Input);
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Source::File("/nowhere/x").read().unwrap_err();
        assert!(format!("{error:#}").starts_with("cannot read '/nowhere/x': "), "{error:#}");
    }
}
