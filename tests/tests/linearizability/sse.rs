//! One connection to `GET /api/watch`, message by message.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::ControlFlow;
use std::time::Duration;

use serde_json::Value;

/// After what a watch begins.
#[derive(Clone, Copy)]
pub(crate) enum After<'a> {
    Revision(u64),
    /// What was told last.
    Event(&'a str),
}

/// Tells `each` the id and the data of every message under this prefix, until it breaks, the connection ends, or nothing
/// has come for a while.
pub(crate) fn follow(
    address: SocketAddr,
    prefix: &str,
    after: After<'_>,
    mut each: impl FnMut(&str, &Value) -> ControlFlow<()>,
) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let (from, last) = match after {
        After::Revision(revision) => (revision, String::new()),
        After::Event(id) => (0, format!("Last-Event-ID: {id}\r\n")),
    };
    let path = format!("/api/watch?prefix={prefix}&from={from}");
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n{last}\r\n")?;
    let mut id = String::new();
    for line in BufReader::new(stream).lines() {
        let line = line?;
        assert!(!line.starts_with("event: compacted"), "the history is long enough for this test");
        if let Some(text) = line.strip_prefix("id: ") {
            id = text.to_string();
        } else if let Some(data) = line.strip_prefix("data: ") {
            // A line that broke off is no message: it comes again.
            let Ok(data) = serde_json::from_str(data) else { return Ok(()) };
            if each(&id, &data).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}
