//! Lua 5.1 as Redis gives it to scripts: the interpreter, what a script may see of it, and when a script ends.
//!
//! ```text
//! body -> Interpreter::load -> sha1   (cache, bounded)
//! sha1, KEYS, ARGV -> Interpreter::run -> value
//!                          |  redis.call(...)
//!                          v
//!                      Commands::call    (core/resp)
//! ```
//!
//! Not here: what a command does, and how its reply and the script's become values and bytes (`core/resp`).
//!
//! Invariants:
//! - One interpreter serves all scripts, and none leaves anything behind for the next: what is global is read-only.
//! - A script knows no clock, file, process or other code than its own and that of the libraries here.
//! - A script that is to end does so at its next instruction, whatever it catches; what it has done is to be taken back.
//! - What a script and its libraries allocate has a bound.

mod arguments;
mod bits;
mod cache;
mod calls;
mod chance;
mod cjson;
mod cmsgpack;
mod digits;
mod garbage;
mod interpreter;
mod overseer;
mod raised;
mod redis;
mod sandbox;
mod sha1;
mod shebang;
mod structs;
pub mod words;

pub use calls::{Commands, Make, Reply};
pub use interpreter::{Failure, Input, Interpreter};
pub use mlua;
pub use overseer::{BUSY_AFTER, End, Overseer, Patience};
pub use raised::{Raised, is_counted};
pub use sha1::hex as sha1_hex;
pub use shebang::Writing;

/// Bytes that a script may have beside what is there already: the libraries, the cache, what earlier ones have left and
/// nobody has collected yet. Also of what a library makes in one piece.
pub const MEMORY: usize = 64 * 1024 * 1024;
