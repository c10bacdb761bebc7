//! The keys of a run: 16 bytes each, with values of 16 bytes.

use crate::random::Random;

use super::client::Client;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Ascending,
    Random,
}

/// `key:000000001042`
pub(super) fn key(number: usize) -> String {
    format!("key:{number:012}")
}

/// SETs the first `count` keys.
pub(super) fn fill(client: &mut Client, count: usize, order: Order) -> anyhow::Result<()> {
    let mut numbers: Vec<usize> = (0..count).collect();
    if order == Order::Random {
        Random::seeded(1).shuffle(&mut numbers);
    }
    for numbers in numbers.chunks(10_000) {
        let pairs: Vec<[String; 2]> =
            numbers.iter().map(|number| [key(*number), format!("{number:016}")]).collect();
        client.pour(pairs.iter().map(|[key, value]| [b"SET", key.as_bytes(), value.as_bytes()]))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_16_bytes() {
        assert_eq!(key(999_999).len(), 16);
    }
}
