//! Where tweets come from: a file, standard input, or the generator.

use std::fs::{self, File};
use std::io::{self, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::Context;
use tokio::sync::mpsc;

use crate::generator::{self, Generator};
use crate::lines::{Line, Lines};

pub enum Stream {
    File(PathBuf),
    StandardInput,
    Generated(generator::Options),
}

/// The iterator is an ordinary, blocking one.
type Reading = Box<dyn Iterator<Item = io::Result<Line>> + Send>;

impl Stream {
    /// The key under which a restarted reader finds how far it was; standard input cannot be read again.
    pub fn key(&self) -> Option<String> {
        let name = match self {
            Stream::StandardInput => return None,
            Stream::File(path) => {
                fs::canonicalize(path).unwrap_or_else(|_| path.clone()).display().to_string()
            }
            Stream::Generated(generator::Options { seed, tweets, users }) => {
                let tweets = tweets.map_or("endless".to_string(), |tweets| tweets.to_string());
                format!("generated:{seed}:{users}:{tweets}")
            }
        };
        Some(format!("/chirp/reader/position:{name}"))
    }

    /// Lines from a position on, read by a thread of their own so that waiting for them holds up nobody.
    pub fn open(self, position: u64) -> anyhow::Result<mpsc::Receiver<io::Result<Line>>> {
        let reading = self.reading(position)?;
        let (lines, received) = mpsc::channel(16);
        std::thread::spawn(move || reading.into_iter().try_for_each(|line| lines.blocking_send(line)));
        Ok(received)
    }

    fn reading(self, position: u64) -> anyhow::Result<Reading> {
        Ok(match self {
            Stream::File(path) => Box::new(
                file(&path, position).with_context(|| format!("cannot read stream {}", path.display()))?,
            ),
            Stream::StandardInput => Box::new(Lines::new(BufReader::new(io::stdin()), 0)),
            Stream::Generated(options) => Box::new(generated(options, position)),
        })
    }
}

/// A file that is now shorter than the position is another one, and read from its beginning; so is what cannot be
/// wound, such as a named pipe.
fn file(path: &Path, position: u64) -> io::Result<Lines<BufReader<File>>> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let position = if metadata.is_file() && position <= metadata.len() { position } else { 0 };
    if position > 0 {
        file.seek(SeekFrom::Start(position))?;
    }
    Ok(Lines::new(BufReader::new(file), position))
}

/// Here the position counts tweets.
fn generated(options: generator::Options, position: u64) -> impl Iterator<Item = io::Result<Line>> + Send {
    let tweets = Generator::new(&options).enumerate().skip(position as usize);
    tweets.map(|(number, tweet)| Ok(Line { end: number as u64 + 1, content: Ok(tweet) }))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn contents(stream: Stream, position: u64) -> Vec<String> {
        let lines = stream.reading(position).unwrap();
        lines.map(|line| line.unwrap().content.unwrap().trim_end().to_string()).collect()
    }

    #[test]
    fn a_file_goes_on_where_it_was_left() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"one\ntwo\nthree\n").unwrap();
        let stream = || Stream::File(file.path().to_path_buf());
        assert_eq!(contents(stream(), 0), ["one", "two", "three"]);
        assert_eq!(contents(stream(), 4), ["two", "three"]);
        assert_eq!(contents(stream(), 14), Vec::<String>::new());
        assert_eq!(contents(stream(), 15), ["one", "two", "three"], "a shorter file is another one");
    }

    #[test]
    fn the_generator_goes_on_where_it_was_left() {
        let stream = || Stream::Generated(generator::Options { seed: 1, tweets: Some(10), users: 5 });
        assert_eq!(contents(stream(), 7), contents(stream(), 0)[7..]);
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Stream::File("/nowhere/tweets".into()).open(0).unwrap_err();
        assert!(format!("{error:#}").contains("/nowhere/tweets"));
    }
}
