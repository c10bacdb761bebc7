//! The keys that every subject gets, and the order in which they are touched.

use adsum_keyspace::Blob;

use crate::random::Random;

pub(crate) struct KeySet {
    /// In order.
    pub(crate) sorted: Vec<Blob>,
    /// Numbers of keys, each once, in no order.
    pub(crate) shuffled: Vec<u32>,
}

impl KeySet {
    pub(crate) fn new(count: usize) -> KeySet {
        let mut sorted: Vec<Blob> = (0..count).map(key).collect();
        sorted.sort_unstable();
        let mut shuffled: Vec<u32> = (0..count as u32).collect();
        Random::seeded(42).shuffle(&mut shuffled);
        KeySet { sorted, shuffled }
    }

    pub(crate) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// The keys in no order.
    pub(crate) fn random(&self) -> impl Iterator<Item = &Blob> + Clone {
        self.shuffled.iter().map(|number| &self.sorted[*number as usize])
    }
}

/// 16 to 24 bytes, all lengths equally often: some stand in the `Blob` itself, some behind its `Arc`.
fn key(number: usize) -> Blob {
    let digits = 11 + number % 9;
    format!("user:{number:0digits$}").into()
}

/// 16 bytes that differ from write to write.
pub(crate) fn value(write: u64) -> Blob {
    let mut bytes = [b'v'; 16];
    bytes[8..].copy_from_slice(&write.to_be_bytes());
    Blob::from(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_different_and_of_16_to_24_bytes() {
        let keys = KeySet::new(10_000);
        assert!(keys.sorted.windows(2).all(|pair| pair[0] < pair[1]));
        let lengths = |pick: fn(usize, usize) -> usize| keys.sorted.iter().map(|key| key.len()).reduce(pick);
        assert_eq!((lengths(usize::min), lengths(usize::max)), (Some(16), Some(24)));
        assert_eq!(keys.random().count(), 10_000);
    }
}
