//! Where tweets come from: a file, standard input, or the generator.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;

use crate::generator::{self, Generator};
use crate::lines::{Line, Lines};

pub enum Stream {
    File(PathBuf),
    /// A file that somebody still writes to.
    Growing(PathBuf),
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
            Stream::File(path) | Stream::Growing(path) => {
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
            Stream::File(path) => {
                let (file, position) = file(&path, position)
                    .with_context(|| format!("cannot read stream {}", path.display()))?;
                Box::new(Lines::new(BufReader::new(file), position))
            }
            Stream::Growing(path) => {
                let (file, position) = file(&path, position)
                    .with_context(|| format!("cannot read stream {}", path.display()))?;
                Box::new(Lines::new(BufReader::new(Growing::new(file, &path)), position))
            }
            Stream::StandardInput => Box::new(Lines::new(BufReader::new(io::stdin()), 0)),
            Stream::Generated(options) => Box::new(generated(options, position)),
        })
    }
}

/// Opened at a position. A file that is now shorter than the position is another one, and read from its beginning; so
/// is what cannot be wound, such as a named pipe.
fn file(path: &Path, position: u64) -> io::Result<(File, u64)> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let position = if metadata.is_file() && position <= metadata.len() { position } else { 0 };
    if position > 0 {
        file.seek(SeekFrom::Start(position))?;
    }
    Ok((file, position))
}

/// A file whose end is not its end before a file of the same name with `.end` stands beside it.
struct Growing {
    file: File,
    end: PathBuf,
}

/// Between two looks at a file that has not grown.
const LOOK: Duration = Duration::from_millis(100);

impl Growing {
    fn new(file: File, path: &Path) -> Growing {
        let mut end = path.as_os_str().to_owned();
        end.push(".end");
        Growing { file, end: end.into() }
    }
}

impl Read for Growing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // In this order: what was written before the end was declared is still read.
            let ended = self.end.exists();
            let count = self.file.read(buffer)?;
            if count > 0 || ended || buffer.is_empty() {
                return Ok(count);
            }
            std::thread::sleep(LOOK);
        }
    }
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
    fn a_growing_file_is_followed_until_its_end_is_declared() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stream");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        let mut lines = Stream::Growing(path).open(0).unwrap();
        let mut next = || lines.blocking_recv().map(|line| line.unwrap().content.unwrap());
        assert_eq!(next().as_deref(), Some("one\n"));
        file.write_all(b"o\nthree\n").unwrap();
        assert_eq!(next().as_deref(), Some("two\n"));
        File::create(dir.path().join("stream.end")).unwrap();
        assert_eq!(next().as_deref(), Some("three\n"));
        assert_eq!(next(), None);
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
