//! What a client can grow has its bound here.

/// Bytes of a key.
pub const KEY: usize = 64 * 1024;
/// Bytes of a string or of one element of an aggregate.
pub const VALUE: usize = 8 * 1024 * 1024;
/// Bytes of effects of one transaction.
pub const TRANSACTION: usize = 64 * 1024 * 1024;
/// Bytes of commits kept for watches and history, per space.
pub const USER_HISTORY: usize = 16 * 1024 * 1024;
/// Adsum's own churn has its own history, so that it never evicts the users'.
pub const SYSTEM_HISTORY: usize = 8 * 1024 * 1024;
/// Keys that one round of expiry takes out, so that a million keys due at once do not hold everybody up.
pub const EXPIRE_ROUND: usize = 1000;
/// Keys of an emptied database that can still be read as of a revision before.
pub const CLEARED_KEPT: usize = 1000;
