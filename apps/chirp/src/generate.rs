//! `chirp generate`: the made-up stream on standard output, to look at or to feed to `chirp reader --stream -`.

use std::io::{BufWriter, ErrorKind, Write};
use std::time::Duration;

use crate::generator::{self, Generator};
use crate::reader::per_second;

#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    generator: generator::Options,
    /// Tweets per second [default: as fast as they can be written]
    #[arg(long, value_name = "PER_SECOND", value_parser = per_second)]
    rate: Option<Duration>,
}

pub fn run(options: Options) -> anyhow::Result<()> {
    match write(options, BufWriter::new(std::io::stdout().lock())) {
        // Whoever reads has had enough, as in `chirp generate | head`.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

fn write(options: Options, mut output: impl Write) -> std::io::Result<()> {
    for tweet in Generator::new(&options.generator) {
        writeln!(output, "{tweet}")?;
        if let Some(pause) = options.rate {
            output.flush()?;
            std::thread::sleep(pause);
        }
    }
    output.flush()
}
