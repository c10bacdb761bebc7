//! One connection to a keeper.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::{Config, Error, launch};
use crate::wire::{self, Hello, PROTOCOL, Request, SOCKET, Verb, Word};

#[derive(Debug)]
pub(super) struct Link {
    pub(super) hello: Hello,
    pub(super) words: Words,
    pub(super) writer: OwnedWriteHalf,
}

/// What the keeper says.
#[derive(Debug)]
pub(super) struct Words {
    reader: OwnedReadHalf,
    buffer: Vec<u8>,
}

/// A path to the socket that is short however long the directory's is: a socket's path has a limit of 107 bytes. The
/// open directory has to outlive its use.
pub(super) fn socket_path(dir: &Path) -> io::Result<(File, PathBuf)> {
    let dir = File::open(dir)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", dir.as_raw_fd()));
    Ok((dir, path))
}

/// Between two tries with a keeper that was just ending.
const PAUSE: Duration = Duration::from_millis(10);

/// How often we connect, when each time the keeper has gone that was just there.
const MOST_TURNS: u32 = 20;

/// Connects to the keeper that is there, or to one started for it. One of another version is replaced.
pub(super) async fn open(config: &Config) -> Result<Link, Error> {
    for _ in 0..MOST_TURNS {
        let link = find(config).await?;
        if link.is_understood() {
            return Ok(link);
        }
        send_home(config, link).await?;
    }
    Err(Error::Launch("one of another version comes back, again and again".to_string()))
}

/// The same, but that one of another version is left in its place.
pub(super) async fn find(config: &Config) -> Result<Link, Error> {
    for turn in 0..MOST_TURNS {
        match connect(config).await? {
            Some(link) => return Ok(link),
            None => launch(config).await?,
        }
        if turn > 0 {
            sleep(PAUSE).await;
        }
    }
    Err(Error::Launch("it ended at once, again and again; its keeper.log may say why".to_string()))
}

async fn launch(config: &Config) -> Result<(), Error> {
    let config = config.clone();
    let launched = spawn_blocking(move || launch::start(&config)).await;
    launched.map_err(|error| Error::Launch(error.to_string()))?
}

/// None when there is no keeper.
async fn connect(config: &Config) -> Result<Option<Link>, Error> {
    let Ok((_dir, path)) = socket_path(&config.dir) else { return Ok(None) };
    let stream = match UnixStream::connect(path).await {
        Ok(stream) => stream,
        Err(error) if is_absence(&error) => return Ok(None),
        Err(error) => return Err(Error::Connection(Arc::new(error))),
    };
    let (reader, writer) = stream.into_split();
    let mut words = Words { reader, buffer: Vec::new() };
    let Some(hello) = greeting(config, &mut words).await? else { return Ok(None) };
    if hello.cluster != config.cluster {
        let (dir, wanted) = (config.dir.clone(), config.cluster.clone());
        return Err(Error::Cluster { dir, found: hello.cluster, wanted });
    }
    Ok(Some(Link { hello, words, writer }))
}

/// No keeper, or one that is ending just now.
fn is_absence(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotFound};
    matches!(error.kind(), NotFound | ConnectionRefused | ConnectionReset | BrokenPipe)
}

/// None when the keeper ends instead of greeting.
async fn greeting(config: &Config, words: &mut Words) -> Result<Option<Hello>, Error> {
    let silent = || Error::Launch(format!("one is there but has not greeted within {:?}", config.timeout));
    match timeout(config.timeout, words.next()).await.map_err(|_| silent())? {
        Ok(Some(Word::Hello(hello))) => Ok(Some(hello)),
        Ok(Some(Word::Answer { .. } | Word::Changed { .. })) => Err(Error::Nonsense),
        Ok(None) => Ok(None),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(Error::Connection(Arc::new(error))),
    }
}

/// Asks a keeper of another version to leave its instances to the next.
async fn send_home(config: &Config, mut link: Link) -> Result<(), Error> {
    let late = Error::Timeout { pid: link.hello.pid, timeout: config.timeout };
    let leaving = async {
        link.say(&Request { number: 0, verb: Verb::Leave }).await?;
        while let Ok(Some(_)) = link.words.next().await {}
        Ok(())
    };
    let left: io::Result<()> = timeout(config.timeout, leaving).await.map_err(|_| late)?;
    left.map_err(|error| Error::Connection(Arc::new(error)))
}

impl Link {
    pub(super) fn is_understood(&self) -> bool {
        self.hello.protocol == PROTOCOL
    }

    pub(super) async fn say(&mut self, request: &Request) -> io::Result<()> {
        let mut frame = Vec::new();
        wire::put(&mut frame, request);
        self.writer.write_all(&frame).await
    }
}

impl Words {
    /// The next word, none at the end. Cancelling it loses nothing.
    pub(super) async fn next(&mut self) -> io::Result<Option<Word>> {
        loop {
            if let Some(word) = wire::take(&mut self.buffer)? {
                return Ok(Some(word));
            }
            if self.reader.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}
