//! The Redis protocol: bytes, frames, commands.
