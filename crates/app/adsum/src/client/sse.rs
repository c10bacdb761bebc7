//! Server-sent events (WHATWG HTML 9.2.6): bytes to messages.

use anyhow::Context;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

/// No message is near this size.
const LARGEST: usize = 64 * 1024 * 1024;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// `message` when the stream names none.
    pub(crate) event: String,
    pub(crate) id: String,
    pub(crate) data: String,
}

impl Message {
    pub(crate) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.data).context("the agent sent an event that is no JSON")
    }

    /// What the last message of a stream says that cannot go on without a gap.
    pub(crate) fn compacted(&self) -> Option<String> {
        let error = || Some(self.json().ok()?.get("error")?.as_str()?.to_string());
        (self.event == "compacted").then(|| error().unwrap_or_else(|| self.data.clone()))
    }
}

/// The messages of a body, as they come.
pub(crate) struct Messages {
    body: Incoming,
    parser: Parser,
    /// Came together with the beginning.
    early: Option<Message>,
}

impl Messages {
    pub(crate) fn new(body: Incoming) -> Messages {
        Messages { body, parser: Parser::default(), early: None }
    }

    /// Behind which a stream that was cut off goes on. An id without data counts too.
    pub(crate) fn last_id(&self) -> Option<&str> {
        Some(self.parser.last_id.as_str()).filter(|id| !id.is_empty())
    }

    /// None when the agent has closed the stream.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<Message>> {
        if let Some(message) = self.early.take() {
            return Ok(Some(message));
        }
        loop {
            if let Some(message) = self.parser.next() {
                return Ok(Some(message));
            }
            if !self.read().await? {
                return Ok(None);
            }
        }
    }

    /// The id that a stream begins with, before any message.
    pub(crate) async fn place(&mut self) -> anyhow::Result<String> {
        loop {
            self.early = self.parser.next();
            if self.early.is_some() || !self.parser.last_id.is_empty() {
                return Ok(self.parser.first_id.clone());
            }
            anyhow::ensure!(self.read().await?, "the agent has closed the stream");
        }
    }

    /// Whether there was more.
    async fn read(&mut self) -> anyhow::Result<bool> {
        let Some(frame) = self.body.frame().await else { return Ok(false) };
        let frame = frame.context("the agent broke the stream off")?;
        self.parser.bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| &data[..]));
        anyhow::ensure!(self.parser.bytes.len() <= LARGEST, "a message is larger than {LARGEST} bytes");
        Ok(true)
    }
}

#[derive(Default)]
struct Parser {
    bytes: Vec<u8>,
    begun: Message,
    /// The last one seen holds until another comes.
    id: String,
    /// Of the first message that was complete, and of the last one.
    first_id: String,
    last_id: String,
}

impl Parser {
    /// The next complete message; None until more bytes come.
    fn next(&mut self) -> Option<Message> {
        while let Some(end) = self.bytes.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            if let Some(message) = self.line(line.trim_end_matches(['\r', '\n'])) {
                return Some(message);
            }
        }
        None
    }

    fn line(&mut self, line: &str) -> Option<Message> {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" if line.is_empty() => return self.finish(),
            "event" => self.begun.event = value.to_string(),
            "id" => self.id = value.to_string(),
            "data" => {
                self.begun.data.push_str(value);
                self.begun.data.push('\n');
            }
            // A comment keeps the connection awake; other fields are not for us.
            _ => {}
        }
        None
    }

    fn finish(&mut self) -> Option<Message> {
        let mut message = std::mem::take(&mut self.begun);
        self.last_id.clone_from(&self.id);
        if self.first_id.is_empty() {
            self.first_id.clone_from(&self.id);
        }
        message.data.pop()?;
        message.id.clone_from(&self.id);
        if message.event.is_empty() {
            message.event = "message".to_string();
        }
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(event: &str, id: &str, data: &str) -> Message {
        Message { event: event.into(), id: id.into(), data: data.into() }
    }

    #[test]
    fn messages_come_out_however_the_bytes_are_cut() {
        let text =
            ": hello\n\nid: 7-1\ndata: a\ndata:b\n\nevent: compacted\r\ndata: {}\r\n\r\nevent: empty\n\n";
        let mut parser = Parser::default();
        let mut messages = Vec::new();
        for byte in text.bytes() {
            parser.bytes.push(byte);
            messages.extend(parser.next());
        }
        assert_eq!(messages, [message("message", "7-1", "a\nb"), message("compacted", "7-1", "{}")]);
    }

    #[test]
    fn an_id_without_data_says_how_far_it_is_and_one_that_breaks_off_does_not() {
        let mut parser = Parser::default();
        parser.bytes.extend_from_slice(b": from 7\nid: 7\n\nid: 8-1\ndata: {}\n");
        assert_eq!(parser.next(), None);
        assert_eq!(parser.last_id, "7");
        parser.bytes.extend_from_slice(b"\n");
        assert_eq!(parser.next(), Some(message("message", "8-1", "{}")));
        assert_eq!(parser.last_id, "8-1");
    }

    #[test]
    fn a_stream_that_cannot_go_on_says_why() {
        let end = message("compacted", "", r#"{"oldest":9,"error":"begins at 9"}"#);
        assert_eq!(end.compacted().as_deref(), Some("begins at 9"));
        assert_eq!(message("message", "7-1", "{}").compacted(), None);
    }
}
