//! Whether two requests are the same one.

const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

/// 128 bits of FNV-1a over parts and their lengths. It finds a client's mistake, not a forger: who can choose the
/// request chooses its token as well.
pub(crate) fn fingerprint(parts: &[&[u8]]) -> u128 {
    let lengths = parts.iter().map(|part| part.len().to_le_bytes());
    let bytes = lengths.zip(parts).flat_map(|(length, part)| length.into_iter().chain(part.iter().copied()));
    bytes.fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_parts_are_the_same_and_others_are_not() {
        assert_eq!(fingerprint(&[b"PUT", b"/a"]), fingerprint(&[b"PUT", b"/a"]));
        assert_ne!(fingerprint(&[b"PUT", b"/a"]), fingerprint(&[b"PUT/", b"a"]));
        assert_eq!(fingerprint(&[]), BASIS);
    }
}
