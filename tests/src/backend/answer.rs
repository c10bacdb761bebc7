//! What a backend answers to which path.

use std::path::Path;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::Settings;
use super::request::{Reader, Request};

/// What becomes of the connection.
pub(super) enum After {
    Next,
    Close,
    Reset,
    WebSocket,
}

/// So many bytes, which anybody can tell from wrong ones.
pub fn bytes(length: usize) -> Vec<u8> {
    (b'a'..=b'z').cycle().take(length).collect()
}

/// So many pieces of a stream.
pub fn pieces(count: usize) -> String {
    (0..count).map(piece).collect()
}

fn piece(at: usize) -> String {
    format!("piece {at}\n")
}

pub(super) async fn give(reader: &mut Reader, request: &Request, settings: &Settings) -> After {
    let Some(_length) = reader.body(request).await else { return After::Close };
    let mood = settings.mood();
    let words: Vec<&str> = match request.path.as_str() {
        "/healthz" if mood == "sick" => vec!["status", "503"],
        "/healthz" => vec!["healthz"],
        path => request_words(path, &mood),
    };
    if let Some(millis) = mood.strip_prefix("delay ").filter(|_| words != ["healthz"]) {
        sleep(millis).await;
    }
    if let Some(id) = request.header("x-post-id").filter(|_| request.method == "POST") {
        settings.ledger.note(&format!("post {id}"));
    }
    Answer { reader, request, settings }.give(&words).await.unwrap_or(After::Close)
}

/// The parts of the path, or what the mood makes of it.
fn request_words<'a>(path: &'a str, mood: &'a str) -> Vec<&'a str> {
    match mood {
        "silent" => vec!["hang"],
        mood if mood.starts_with("status ") => mood.split(' ').collect(),
        _ => path.split('?').next().unwrap_or(path).split('/').filter(|part| !part.is_empty()).collect(),
    }
}

struct Answer<'a> {
    reader: &'a mut Reader,
    request: &'a Request,
    settings: &'a Settings,
}

impl Answer<'_> {
    async fn give(mut self, words: &[&str]) -> std::io::Result<After> {
        match words {
            ["status", code] => self.whole(code, format!("status {code}\n").as_bytes()).await,
            ["hang"] => std::future::pending().await,
            ["reset", place] => self.reset(place).await,
            _ if self.request.method == "POST" => self.posted().await,
            ["bytes", length] => self.whole("200", &bytes(number(length))).await,
            ["slow", millis] => {
                sleep(millis).await;
                self.whole("200", b"slow\n").await
            }
            ["until", name] => {
                exists(&self.settings.ledger.folder().join(name)).await;
                self.whole("200", b"until\n").await
            }
            ["stream", pieces, millis] => self.stream(number(pieces), millis).await,
            ["events", millis] => self.events(millis).await,
            ["ws"] => self.websocket().await,
            ["counts"] => self.whole("200", self.counts().as_bytes()).await,
            _ => self.whole("200", format!("{}\n", self.settings.name).as_bytes()).await,
        }
    }

    async fn posted(&mut self) -> std::io::Result<After> {
        let id = self.request.header("x-post-id").unwrap_or("-").to_string();
        self.whole("200", format!("post {id}\n").as_bytes()).await
    }

    async fn whole(&mut self, code: &str, body: &[u8]) -> std::io::Result<After> {
        let mut answer = self.head(code, &format!("Content-Length: {}\r\n", body.len())).into_bytes();
        if self.request.method != "HEAD" {
            answer.extend_from_slice(body);
        }
        self.reader.stream.write_all(&answer).await?;
        Ok(if self.request.last { After::Close } else { After::Next })
    }

    fn head(&self, code: &str, more: &str) -> String {
        format!("HTTP/1.1 {code} As asked\r\nX-Backend: {}\r\n{more}\r\n", self.settings.name)
    }

    async fn reset(&mut self, place: &str) -> std::io::Result<After> {
        let head = self.head("200", "Content-Length: 2000\r\n").into_bytes();
        let sent = match place {
            "before" => Vec::new(),
            "head" => head,
            _ => [head, bytes(1000)].concat(),
        };
        self.reader.stream.write_all(&sent).await?;
        // A reset overtakes what the other side has not read yet, and it is to have read that.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(After::Reset)
    }

    async fn stream(&mut self, pieces: usize, millis: &str) -> std::io::Result<After> {
        let head = self.head("200", "Transfer-Encoding: chunked\r\n");
        self.reader.stream.write_all(head.as_bytes()).await?;
        for at in 0..pieces {
            self.chunk(&piece(at)).await?;
            sleep(millis).await;
        }
        self.reader.stream.write_all(b"0\r\n\r\n").await?;
        Ok(After::Next)
    }

    async fn events(&mut self, millis: &str) -> std::io::Result<After> {
        let more = "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n";
        let head = self.head("200", more);
        self.reader.stream.write_all(head.as_bytes()).await?;
        for id in 0.. {
            self.chunk(&format!("id: {id}\ndata: {}\n\n", self.settings.name)).await?;
            sleep(millis).await;
        }
        Ok(After::Close)
    }

    async fn chunk(&mut self, text: &str) -> std::io::Result<()> {
        let chunk = format!("{:x}\r\n{text}\r\n", text.len());
        self.reader.stream.write_all(chunk.as_bytes()).await
    }

    async fn websocket(&mut self) -> std::io::Result<After> {
        let Some(key) = self.request.header("sec-websocket-key") else {
            return self.whole("400", b"no WebSocket\n").await;
        };
        let accept = derive_accept_key(key.as_bytes());
        let more = format!("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n");
        let head = self.head("101", &more);
        self.reader.stream.write_all(head.as_bytes()).await?;
        Ok(After::WebSocket)
    }

    fn counts(&self) -> String {
        let entries = self.settings.ledger.entries();
        let counts = serde_json::json!({
            "requests": entries.count("request "),
            "races": entries.count("race"),
            "resets": entries.count("reset"),
            "posts": entries.posts(),
        });
        counts.to_string()
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or(0)
}

/// Waits for the level that there is this file.
async fn exists(file: &Path) {
    while !file.exists() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn sleep(millis: &str) {
    tokio::time::sleep(Duration::from_millis(millis.parse().unwrap_or(0))).await;
}
