//! In which order the places of a service are tried (RFC 2782).

use std::collections::BTreeMap;
use std::fmt;

/// Of SRV records: clients take the lowest that answers. 1 unless it is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Priority(pub u16);

/// A text that is no priority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("srv-priority '{0}' is no priority: use 0 to 65535")]
pub struct PriorityError(pub String);

impl Default for Priority {
    fn default() -> Priority {
        Priority(1)
    }
}

impl Priority {
    /// The entry of a service's metadata, or the label, that says it. Consul has no field for it.
    pub const KEY: &str = "srv-priority";

    /// # Errors
    /// When it is said and is no number from 0 to 65535.
    pub fn of(notes: &BTreeMap<String, String>) -> Result<Priority, PriorityError> {
        let Some(text) = notes.get(Priority::KEY) else { return Ok(Priority::default()) };
        text.parse().map(Priority).map_err(|_| PriorityError(text.clone()))
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_is_a_number_of_16_bits_and_1_unless_it_is_said() {
        let of = |text: &str| Priority::of(&[(Priority::KEY.to_string(), text.to_string())].into());
        assert_eq!(Priority::of(&BTreeMap::new()), Ok(Priority(1)));
        assert_eq!((of("0"), of("65535")), (Ok(Priority(0)), Ok(Priority(65535))));
        for wrong in ["", "-1", "65536", "high"] {
            assert_eq!(of(wrong), Err(PriorityError(wrong.to_string())));
        }
        assert_eq!(of("high").unwrap_err().to_string(), "srv-priority 'high' is no priority: use 0 to 65535");
    }
}
