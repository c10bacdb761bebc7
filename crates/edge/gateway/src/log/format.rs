//! A line of the access log, as JSON or in the combined format of Apache's httpd.

use std::fmt::Write as _;

use http::{HeaderValue, Version};

use super::Line;
use crate::date::{Date, MONTHS};

pub(super) type Print = fn(&Line, &mut String);

/// One object per line.
pub(super) fn json(line: &Line, out: &mut String) {
    let _ = write!(out, "{{\"time\":\"{}\"", Stamp(line.wall));
    text(out, "peer", &line.peer.ip().to_string());
    text(out, "method", line.method.as_str());
    value(out, "host", line.host.as_ref());
    text(out, "target", &line.target);
    text(out, "version", version(line.version));
    let _ = write!(out, ",\"status\":{},\"bytes\":{}", line.status.as_u16(), line.bytes);
    let _ = write!(out, ",\"duration_ms\":{:.3},\"tries\":{}", line.duration.as_secs_f64() * 1e3, line.tries);
    let _ = write!(out, ",\"complete\":{}", line.complete);
    optional(out, "route", line.route.as_deref());
    optional(out, "instance", line.instance.as_deref());
    optional(out, "error", line.error.map(|error| error.code()));
    value(out, "request_id", line.request_id.as_ref());
    value(out, "referer", line.referer.as_ref());
    value(out, "user_agent", line.agent.as_ref());
    out.push_str("}\n");
}

/// `%h - - [%t] "%r" %s %b "%{Referer}i" "%{User-Agent}i"`, and the duration in seconds behind it.
pub(super) fn combined(line: &Line, out: &mut String) {
    let _ = write!(out, "{} - - [{}] \"{} ", line.peer.ip(), Clf(line.wall), line.method);
    escape(out, &line.target);
    let _ = write!(out, " {}\" {} {} ", version(line.version), line.status.as_u16(), line.bytes);
    quoted(out, line.referer.as_ref());
    out.push(' ');
    quoted(out, line.agent.as_ref());
    let _ = writeln!(out, " {:.6}", line.duration.as_secs_f64());
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

fn quoted(out: &mut String, value: Option<&HeaderValue>) {
    out.push('"');
    match value {
        Some(value) => escape(out, &String::from_utf8_lossy(value.as_bytes())),
        None => out.push('-'),
    }
    out.push('"');
}

fn text(out: &mut String, name: &str, value: &str) {
    let _ = write!(out, ",\"{name}\":\"");
    escape(out, value);
    out.push('"');
}

fn value(out: &mut String, name: &str, value: Option<&HeaderValue>) {
    if let Some(value) = value {
        text(out, name, &String::from_utf8_lossy(value.as_bytes()));
    }
}

fn optional(out: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        text(out, name, value);
    }
}

/// Nothing that a client sends ends a line, a string or a terminal's patience.
fn escape(out: &mut String, value: &str) {
    for letter in value.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            letter if letter.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
}

/// `2026-01-31T13:05:09.250Z`.
struct Stamp(u64);

/// `31/Jan/2026:13:05:09 +0000`.
struct Clf(u64);

impl std::fmt::Display for Stamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Date { year, month, day, seconds } = Date::of(self.0);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", self.0 % 1000)
    }
}

impl std::fmt::Display for Clf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Date { year, month, day, seconds } = Date::of(self.0);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let month = MONTHS[month as usize - 1];
        write!(f, "{day:02}/{month}/{year:04}:{hour:02}:{minute:02}:{second:02} +0000")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_both_formats_want_them() {
        assert_eq!(Stamp(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Stamp(1_709_209_445_678).to_string(), "2024-02-29T12:24:05.678Z");
        assert_eq!(Stamp(4_107_542_399_999).to_string(), "2100-02-28T23:59:59.999Z");
        assert_eq!(Stamp(4_107_542_400_000).to_string(), "2100-03-01T00:00:00.000Z");
        assert_eq!(Clf(1_709_209_445_678).to_string(), "29/Feb/2024:12:24:05 +0000");
    }
}
