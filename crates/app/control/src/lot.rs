//! What is left to chance, from the system's randomness: nothing of it repeats over restarts.

/// 64 bits.
pub(crate) fn draw() -> u64 {
    getrandom::u64().expect("the kernel's randomness is there once the machine has started")
}
