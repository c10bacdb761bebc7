//! What a client can grow has its bound here.

/// Bytes of a key.
pub const KEY: usize = 64 * 1024;
/// Bytes of a string or of one element of an aggregate.
pub const VALUE: usize = 8 * 1024 * 1024;
/// Bytes of a list with all its elements: a snapshot has it in one piece.
pub const AGGREGATE: usize = 1024 * 1024 * 1024;
/// Bytes of effects of one transaction.
pub const TRANSACTION: usize = 64 * 1024 * 1024;
/// Bytes of commits kept for watches and history, per space.
pub const USER_HISTORY: usize = 16 * 1024 * 1024;
/// Adsum's own churn has its own history, so that it never evicts the users'.
pub const SYSTEM_HISTORY: usize = 8 * 1024 * 1024;
/// Keys that one round of expiry takes out, so that a million keys due at once do not hold everybody up.
pub const EXPIRE_ROUND: usize = 1000;
/// Bytes of effects after which a round of expiry ends.
pub const EXPIRE_BYTES: usize = 1024 * 1024;
/// Bytes of the action of a dead man's switch.
pub const ACTION: usize = 4 * 1024;
/// Bytes of what a commit has taken away that are kept for those who read the past. What takes more cannot be read any
/// more, so that to delete one large value does not cost everybody the whole history.
pub const UNDO_KEPT: usize = 1024 * 1024;
/// As so many bytes at most does a copied value count in the history, so that to rename a large list does not cost
/// everybody the whole of it. Few of those that are larger can be in the window at once.
pub const COPY_COUNTED: usize = 4 * 1024 * 1024;
/// Bytes of a forgotten commit from which on somebody else frees it.
pub const FREED_ELSEWHERE: usize = 64 * 1024;
