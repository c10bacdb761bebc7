//! What a client can make grow has its bound here. Keys and values have theirs in [`adsum_keyspace::limits`].

/// Bytes of one argument, refused as soon as they are announced.
pub const BULK: usize = 16 * 1024 * 1024;
/// Arguments of one request.
pub const ARGUMENTS: usize = 1024 * 1024;
/// Bytes of an inline request, and of a line that announces a length.
pub const LINE: usize = 64 * 1024;
/// Bytes of one request as a whole.
pub const REQUEST: usize = 64 * 1024 * 1024;
/// Bytes of commits behind which a connection's next request waits for its next turn.
pub const COMMITS: usize = 16 * 1024 * 1024;
/// Channels and patterns that one client can be subscribed to.
pub const SUBSCRIPTIONS: usize = 100_000;
/// Bytes of their names.
pub const SUBSCRIPTION_BYTES: usize = 16 * 1024 * 1024;
/// Cursors of SCAN that are remembered, and the bytes of their keys.
pub const CURSORS: usize = 64 * 1024;
pub const CURSOR_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of events that one XREAD gives, about; the client goes on behind the last.
pub const READING: usize = 8 * 1024 * 1024;
/// Bytes of a copied value from which on an event names the key that it is of.
pub const EVENT_VALUE: usize = 1024 * 1024;
/// Bytes of the name of a group of consumers, or of one of them.
pub const GROUP_NAME: usize = 1024;
/// Streams of one XREAD.
pub const STREAMS: usize = 128;
/// Elements that a reply walks over under the lock, and the bytes of them; one that has more is written without it.
pub const AT_ONCE: usize = 5000;
pub const BYTES_AT_ONCE: usize = 1024 * 1024;
/// Keys that one client can WATCH, and the bytes of them.
pub const WATCHED: usize = 10_000;
pub const WATCHED_BYTES: usize = 16 * 1024 * 1024;
/// Requests that one client can queue for EXEC, and the bytes of them.
pub const QUEUED: usize = 100_000;
pub const QUEUED_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of the reply to one EXEC.
pub const EXEC_REPLY: usize = 64 * 1024 * 1024;
/// Bytes of the name of a semaphore: each waiter waits for as many names as there may be holders.
pub const SEMAPHORE: usize = 1024;
/// Bytes of a client's name and of what it says about its library.
pub const CLIENT_NAME: usize = 1024;
/// Names in one request about settings or commands, each of which is looked for among all.
pub const NAMES: usize = 1000;
/// Bytes of a glob pattern.
pub const PATTERN: usize = 64 * 1024;
/// Keys of clients that track what they read, counted once for each, and the bytes of the keys.
pub const TRACKED: usize = 1_000_000;
pub const TRACKED_BYTES: usize = 64 * 1024 * 1024;
/// Messages to one client that wait for the end of its own request, and the bytes of them; more become one, that
/// everything may have changed.
pub const PENDING: usize = 10_000;
pub const PENDING_BYTES: usize = 16 * 1024 * 1024;
/// Prefixes that one client can track, and the bytes of them.
pub const PREFIXES: usize = 1000;
pub const PREFIX_BYTES: usize = 1024 * 1024;
/// Bytes that one BITOP combines.
pub const BITOP: usize = 256 * 1024 * 1024;
/// Bytes of a reply that can name the same thing any number of times.
pub const REPLY: usize = 256 * 1024 * 1024;
/// Keys and fields that one SORT looks up.
pub const LOOKED_UP: usize = 4_000_000;
