//! A backend that writes down every byte it receives, and reads it as requests in the plainest way: whatever somebody
//! smuggles past a gateway is here as a request too many.
//!
//! ```text
//! HOST, PORT             given by the agent
//! RECORDER_FOLDER=DIR    DIR/recorder-PID.ledger, "head METHOD TARGET" and "request METHOD TARGET" for each request, and
//!                        "garbage" for what is none; DIR/NUMBER.raw, the bytes of one connection
//! any target             200 with the head as it came, when the body has come
//! /early                 200 at once, the body is read afterwards
//! /accept                101, then every byte is sent back
//! /bytes/N               200 with so many bytes
//! /twice                 200, and another 200 that nobody asked for, in one write
//! /no-content            204 with a body all the same; HEAD of it likewise
//! ```

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use adsum_tests::backend::Ledger;

/// An answer that a test recognises wherever it turns up.
const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nastray!\n";

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(setting("RECORDER_FOLDER"));
    let listener = TcpListener::bind(format!("{}:{}", setting("HOST"), setting("PORT")))?;
    let ledger = Arc::new(Ledger::create(&folder, "recorder")?);
    for (number, stream) in listener.incoming().enumerate() {
        let (stream, ledger) = (stream?, Arc::clone(&ledger));
        let raw = File::create(folder.join(format!("{number}.raw")))?;
        std::thread::spawn(move || {
            let mut connection = Connection { stream, raw, ledger, buffer: Vec::new() };
            // Its end is of no interest; what came is in the file.
            while connection.request().is_some() {}
        });
    }
    Ok(())
}

fn setting(key: &str) -> String {
    std::env::var(key).unwrap_or_default()
}

struct Connection {
    stream: TcpStream,
    raw: File,
    ledger: Arc<Ledger>,
    buffer: Vec<u8>,
}

impl Connection {
    /// Reads and answers one request. None: the connection has ended, or what came is no request.
    fn request(&mut self) -> Option<()> {
        let head = self.until(b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&head).into_owned();
        let line: Vec<&str> = head.split("\r\n").next()?.split(' ').collect();
        let [method, target, "HTTP/1.1"] = line[..] else {
            self.ledger.note(&format!("garbage {head:?}"));
            return None;
        };
        self.ledger.note(&format!("head {method} {target}"));
        let early = target.starts_with("/early");
        if early {
            self.answer(method, &head)?;
        }
        self.body(&head)?;
        // Before the answer: whoever has that finds this.
        self.ledger.note(&format!("request {method} {target}"));
        match target.strip_prefix("/bytes/") {
            _ if early => Some(()),
            _ if target.starts_with("/accept") => self.echo(),
            _ if target.starts_with("/twice") => self.say(&ANSWER.repeat(2)),
            _ if target.starts_with("/no-content") => self.say(&ANSWER.replace("200 OK", "204 No Content")),
            Some(length) => self.answer(method, &"x".repeat(length.parse().ok()?)),
            None => self.answer(method, &head),
        }
    }

    fn say(&mut self, bytes: &str) -> Option<()> {
        self.stream.write_all(bytes.as_bytes()).ok()
    }

    fn answer(&mut self, method: &str, body: &str) -> Option<()> {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        let body = if method == "HEAD" { "" } else { body };
        self.say(&format!("{head}{body}"))
    }

    fn echo(&mut self) -> Option<()> {
        let head = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
        self.say(head)?;
        loop {
            let bytes = std::mem::take(&mut self.buffer);
            self.stream.write_all(&bytes).ok()?;
            self.more()?;
        }
    }

    fn body(&mut self, head: &str) -> Option<()> {
        let field = |name: &str| {
            let mut fields = head.split("\r\n").filter_map(|line| line.split_once(':'));
            fields.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned()))
        };
        if field("transfer-encoding").is_some() {
            return self.chunks();
        }
        let length = field("content-length").map_or(Some(0), |length| length.parse().ok())?;
        self.exactly(length)
    }

    fn chunks(&mut self) -> Option<()> {
        loop {
            let line = String::from_utf8_lossy(&self.until(b"\r\n")?).into_owned();
            let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
            if size == 0 {
                while self.until(b"\r\n")?.len() > 2 {}
                return Some(());
            }
            self.exactly(size + 2)?;
        }
    }

    /// What comes up to this, with it.
    fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.windows(end.len()).position(|window| window == end) {
                return Some(self.buffer.drain(..at + end.len()).collect());
            }
            self.more()?;
        }
    }

    fn exactly(&mut self, length: usize) -> Option<()> {
        while self.buffer.len() < length {
            self.more()?;
        }
        self.buffer.drain(..length);
        Some(())
    }

    fn more(&mut self) -> Option<()> {
        let mut chunk = [0; 16384];
        let length = self.stream.read(&mut chunk).ok().filter(|length| *length > 0)?;
        self.raw.write_all(&chunk[..length]).ok()?;
        self.buffer.extend_from_slice(&chunk[..length]);
        Some(())
    }
}
