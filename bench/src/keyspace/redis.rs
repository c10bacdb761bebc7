//! What redis-server needs to keep the same keys: memory only, since its commands come over a socket.

use std::io::{BufWriter, Read, Write};
use std::net::TcpStream;

use adsum_keyspace::Blob;
use anyhow::Context;

use super::keys::{KeySet, value};
use super::{Column, memory};
use crate::server::Server;

/// Nothing when there is no redis-server.
pub(crate) fn memory(keys: &KeySet) -> anyhow::Result<Column> {
    let server = match Server::redis(&["--appendonly", "no"]) {
        Ok(server) => server,
        Err(error) => {
            eprintln!("redis-server is left out: {error:#}");
            return Ok(Column::new());
        }
    };
    let before = server.process().rss()?;
    load(&server, keys).context("redis-server was not loaded")?;
    let bytes = (server.process().rss()?.saturating_sub(before)) as f64;
    Ok(vec![("memory per key".to_string(), memory::per_key(bytes, keys.len()))])
}

fn load(server: &Server, keys: &KeySet) -> std::io::Result<()> {
    let stream = TcpStream::connect(server.resp())?;
    let mut answers = stream.try_clone()?;
    let mut requests = BufWriter::new(stream);
    let keys: Vec<&Blob> = keys.random().collect();
    for batch in keys.chunks(1000) {
        for (write, key) in (0..).zip(batch) {
            set(&mut requests, key, &value(write))?;
        }
        requests.flush()?;
        let mut oks = vec![0; batch.len() * b"+OK\r\n".len()];
        answers.read_exact(&mut oks)?;
    }
    Ok(())
}

fn set(requests: &mut impl Write, key: &[u8], value: &[u8]) -> std::io::Result<()> {
    requests.write_all(b"*3\r\n")?;
    for word in [b"SET", key, value] {
        write!(requests, "${}\r\n", word.len())?;
        requests.write_all(word)?;
        requests.write_all(b"\r\n")?;
    }
    Ok(())
}
