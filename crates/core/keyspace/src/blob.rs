//! Bytes that are cheap to clone and free of an allocation when short.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

const INLINE: usize = 22;

/// An immutable byte string of 24 bytes: up to 22 bytes stand in the value itself, more behind an `Arc`.
/// Most keys and values of coordination are short, and a clone of a tree node clones its keys.
#[derive(Clone)]
pub struct Blob(Form);

#[derive(Clone)]
enum Form {
    Inline { length: u8, bytes: [u8; INLINE] },
    Shared(Arc<[u8]>),
}

impl Blob {
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Form::Inline { length, bytes } => &bytes[..usize::from(*length)],
            Form::Shared(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for Blob {
    fn from(slice: &[u8]) -> Blob {
        if slice.len() > INLINE {
            return Blob(Form::Shared(slice.into()));
        }
        let mut bytes = [0; INLINE];
        bytes[..slice.len()].copy_from_slice(slice);
        Blob(Form::Inline { length: slice.len() as u8, bytes })
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

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl Borrow<[u8]> for Blob {
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

impl PartialEq for Blob {
    fn eq(&self, other: &Blob) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Blob {}

impl PartialOrd for Blob {
    fn partial_cmp(&self, other: &Blob) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Blob {
    fn cmp(&self, other: &Blob) -> std::cmp::Ordering {
        self.as_slice().cmp(other.as_slice())
    }
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
}
