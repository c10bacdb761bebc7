//! What a client can grow has its bound here.

use std::time::Duration;

/// Bytes of a request's head.
pub const HEADER: usize = 32 * 1024;
/// How long a client may take for a request's head, and how long a connection may be idle.
pub const HEADER_TIME: Duration = Duration::from_secs(10);
/// Bytes of a body for the own API.
pub const BODY: usize = 1024 * 1024;
/// Bytes of a value put through `/v1/kv`, as Consul has it.
pub const KV_VALUE: usize = 512 * 1024;
/// Bytes of a key that is named in a transaction.
pub const KV_KEY: usize = 32 * 1024;
/// Bytes of the payload of an event that is fired, and of its name.
pub const USER_EVENT: usize = 4 * 1024;
/// Events that are kept of those that were fired.
pub const USER_EVENTS: usize = 256;
/// Bytes of what is sent to make a prepared query.
pub const QUERY: usize = 64 * 1024;
/// Bytes of what is sent to make a session.
pub const SESSION: usize = 16 * 1024;
/// Bytes beyond a limit that are read and thrown away, so that the client gets to read the refusal.
pub const DRAINED: usize = 8 * 1024 * 1024;
/// How long a client may take for a body.
pub const BODY_TIME: Duration = Duration::from_secs(60);
/// Connections at a time.
pub const CONNECTIONS: usize = 10_000;
/// How long a client may take nothing of an answer.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long requests in flight may take when the face closes.
pub const GRACE: Duration = Duration::from_secs(5);

/// How long a blocking query waits unless it says.
pub const WAIT: Duration = Duration::from_secs(300);
/// How long a blocking query waits at most.
pub const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// Between two signs of life of a stream that has nothing to tell.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// Streams of answers (`Accept: text/event-stream` under `/v1`) at a time.
pub const STREAMS: usize = 1000;
/// Bytes of their events that are not written yet.
pub const STREAM_ROOM: usize = 64 * 1024 * 1024;
/// Clients that listen to the agent's log at a time.
pub const MONITORS: usize = 16;
/// Lines of the log that wait for such a client.
pub const MONITOR_LINES: usize = 512;
/// Bytes of such a line.
pub const MONITOR_LINE: usize = 8 * 1024;

/// Bytes of an answer that is kept for a client token; of a longer one the status alone is.
pub const KEPT_ANSWER: usize = 64 * 1024;
/// Characters of a client token (`Idempotency-Key`).
pub const TOKEN: usize = 255;
/// Lines of the past that a log is asked for.
pub const LOG_LINES: usize = 10_000;
/// Entries of the event log in one answer.
pub const EVENTS: usize = 1000;
/// Bytes of what a dead man's switch says, or of its address.
pub const SWITCH: usize = 4096;
/// Bytes of why something is in maintenance.
pub const REASON: usize = 1024;
