//! Bytes that are cheap to clone and free of an allocation when short.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

const INLINE: usize = 22;

/// An immutable byte string of 24 bytes: up to 22 bytes stand in the value itself, more behind an `Arc`.
/// Most keys and values of coordination are short, and a clone of a tree node clones its keys.
///
/// Behind the bytes of a short one stand zeros, so that two of them are compared as numbers: a walk down a tree compares
/// some twenty keys.
#[derive(Clone)]
pub struct Blob(Form);

#[derive(Clone)]
enum Form {
    Inline { length: u8, bytes: [u8; INLINE] },
    Shared(Arc<[u8]>),
}

impl Blob {
    /// The bytes, if they are few enough to stand in the value itself: what is looked for then is compared fast.
    #[inline]
    pub(crate) fn short(slice: &[u8]) -> Option<Blob> {
        (slice.len() <= INLINE).then(|| Blob::inline(slice))
    }

    #[inline]
    fn inline(slice: &[u8]) -> Blob {
        let mut bytes = [0; INLINE];
        bytes[..slice.len()].copy_from_slice(slice);
        Blob(Form::Inline { length: slice.len() as u8, bytes })
    }

    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Form::Inline { length, bytes } => &bytes[..usize::from(*length)],
            Form::Shared(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for Blob {
    fn from(slice: &[u8]) -> Blob {
        if slice.len() > INLINE { Blob(Form::Shared(slice.into())) } else { Blob::inline(slice) }
    }
}

impl From<&str> for Blob {
    fn from(text: &str) -> Blob {
        text.as_bytes().into()
    }
}

impl<const N: usize> From<&[u8; N]> for Blob {
    fn from(bytes: &[u8; N]) -> Blob {
        bytes.as_slice().into()
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Blob {
        bytes.as_slice().into()
    }
}

impl From<String> for Blob {
    fn from(text: String) -> Blob {
        text.as_bytes().into()
    }
}

impl Deref for Blob {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl Borrow<[u8]> for Blob {
    #[inline]
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

impl PartialEq for Blob {
    #[inline]
    fn eq(&self, other: &Blob) -> bool {
        match (&self.0, &other.0) {
            (Form::Inline { length, bytes }, Form::Inline { length: other_length, bytes: other_bytes }) => {
                length == other_length && digits(bytes) == digits(other_bytes)
            }
            _ => self.as_slice() == other.as_slice(),
        }
    }
}

impl Eq for Blob {}

/// As its bytes do, by which it is found, too.
impl Hash for Blob {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

impl PartialOrd for Blob {
    #[inline]
    fn partial_cmp(&self, other: &Blob) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Blob {
    #[inline]
    fn cmp(&self, other: &Blob) -> Ordering {
        match (&self.0, &other.0) {
            (Form::Inline { length, bytes }, Form::Inline { length: other_length, bytes: other_bytes }) => {
                let (digits, others) = (digits(bytes), digits(other_bytes));
                // One after the other: most names differ where they differed the last time.
                if digits[0] != others[0] {
                    return digits[0].cmp(&others[0]);
                }
                if digits[1] != others[1] {
                    return digits[1].cmp(&others[1]);
                }
                (digits[2], length).cmp(&(others[2], other_length))
            }
            _ => self.as_slice().cmp(other.as_slice()),
        }
    }
}

/// Numbers that compare as the bytes do. The last two overlap by two bytes, which are the same then.
#[inline]
fn digits(bytes: &[u8; INLINE]) -> [u64; 3] {
    let at = |start: usize| u64::from_be_bytes(*bytes[start..].first_chunk().expect("there are 22 bytes"));
    [at(0), at(8), at(INLINE - 8)]
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.as_slice().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_takes_24_bytes_and_keeps_what_it_was_given() {
        assert_eq!(size_of::<Blob>(), 24);
        for length in [0, 1, 22, 23, 1000] {
            let bytes = vec![7u8; length];
            assert_eq!(Blob::from(bytes.as_slice()).as_slice(), bytes.as_slice());
        }
    }

    #[test]
    fn blobs_compare_as_their_bytes_do() {
        let lengths = [0, 1, 2, 7, 8, 15, 16, 17, 21, 22, 23, 40];
        let filled = |length: usize, at: usize, byte: u8| {
            let mut bytes = vec![b'a'; length];
            bytes.iter_mut().skip(at).take(1).for_each(|other| *other = byte);
            bytes
        };
        let at_all = lengths.iter().flat_map(|length| (0..=*length).map(move |at| (*length, at)));
        let all: Vec<Vec<u8>> = at_all
            .flat_map(|(length, at)| [0, b'a', b'b', 255].map(|byte| filled(length, at, byte)))
            .collect();
        for one in &all {
            for other in &all {
                let (blob, against) = (Blob::from(one.as_slice()), Blob::from(other.as_slice()));
                assert_eq!(blob.cmp(&against), one.cmp(other), "{blob:?} and {against:?}");
                assert_eq!(blob == against, one == other, "{blob:?} and {against:?}");
            }
        }
    }
}
