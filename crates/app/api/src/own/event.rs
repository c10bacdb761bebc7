//! The JSON of an entry of the event log, and its id.

use std::fmt;
use std::str::FromStr;

use adsum_model::Event;
use serde::Serialize;

/// `REVISION-N`, in the order of the log. The records themselves carry it with leading zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id {
    pub(crate) revision: u64,
    /// From 1; as part of a question, 0 is none of the revision and the greatest number all of them.
    pub(crate) number: u64,
}

#[derive(Serialize)]
pub(crate) struct Shape<'a> {
    id: String,
    /// Unix milliseconds.
    time: u64,
    kind: &'a str,
    service: Option<&'a str>,
    instance: Option<&'a str>,
    message: &'a str,
}

impl FromStr for Id {
    type Err = std::num::ParseIntError;

    /// A revision alone stands for the last of its entries.
    fn from_str(text: &str) -> Result<Id, Self::Err> {
        let (revision, number) = text.split_once('-').unwrap_or((text, ""));
        let number = if number.is_empty() { u64::MAX } else { number.parse()? };
        Ok(Id { revision: revision.parse()?, number })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.revision, self.number)
    }
}

impl<'a> Shape<'a> {
    pub(crate) fn of(id: Id, event: &'a Event) -> Shape<'a> {
        Shape {
            id: id.to_string(),
            time: event.time,
            kind: &event.kind,
            service: event.service.as_ref().map(|name| name.as_str()),
            instance: event.instance.as_ref().map(|id| id.as_str()),
            message: &event.message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_with_and_without_zeros_and_number() {
        let id = Id { revision: 12, number: 1 };
        assert_eq!("00000000000000000012-0001".parse(), Ok(id));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("12".parse(), Ok(Id { revision: 12, number: u64::MAX }));
        assert!("".parse::<Id>().is_err() && "a-1".parse::<Id>().is_err() && "1-b".parse::<Id>().is_err());
    }
}
