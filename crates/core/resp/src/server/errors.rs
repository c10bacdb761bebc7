//! How often clients were answered with errors.

use std::collections::BTreeMap;

/// Codes that are told apart: scripts can make up any number of them.
const CODES: usize = 128;
/// Bytes of an error within which its code ends. What has none there counts as [`PLAIN`].
const WITHIN: usize = 31;
const PLAIN: &str = "ERR";
/// Stands for all codes beyond [`CODES`], as in Redis since 7.4.
const OTHERS: &str = "errorstat_ERRORSTATS_OVERFLOW";

/// Those of a request count when the next one begins: until then it may have to be run again.
#[derive(Default)]
pub(crate) struct Errors {
    settled: Counts,
    of_request: Counts,
}

#[derive(Default)]
struct Counts {
    all: u64,
    /// By the name that INFO has for the code.
    by_name: BTreeMap<String, u64>,
}

impl Errors {
    /// `text`: the reply without its first byte.
    pub(crate) fn count(&mut self, text: &str) {
        let code = text.split_once(' ').map(|(code, _)| code).filter(|code| code.len() < WITHIN);
        let name = format!("errorstat_{}", code.unwrap_or(PLAIN));
        self.of_request.add(&name.replace([':', '\r', '\n'], "_"), 1);
    }

    /// Those of a part of the request.
    pub(crate) fn add(&mut self, part: &Errors) {
        self.of_request.add_all(&part.of_request);
    }

    /// Another request begins.
    pub(crate) fn settle(&mut self) {
        if self.of_request.all > 0 {
            self.settled.add_all(&std::mem::take(&mut self.of_request));
        }
    }

    /// The request is to be run again.
    pub(crate) fn forget(&mut self) {
        self.of_request = Counts::default();
    }

    pub(crate) fn all(&self) -> u64 {
        self.settled.all
    }

    /// In order of name.
    pub(crate) fn by_name(&self) -> impl Iterator<Item = (&str, u64)> {
        self.settled.by_name.iter().map(|(name, count)| (name.as_str(), *count))
    }
}

impl Counts {
    fn add(&mut self, name: &str, count: u64) {
        self.all += count;
        let is_known = self.by_name.len() < CODES || self.by_name.contains_key(name);
        *self.by_name.entry(if is_known { name } else { OTHERS }.to_owned()).or_default() += count;
    }

    fn add_all(&mut self, other: &Counts) {
        other.by_name.iter().for_each(|(name, count)| self.add(name, *count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(texts: &[&str]) -> Errors {
        let mut errors = Errors::default();
        texts.iter().for_each(|text| errors.count(text));
        errors
    }

    fn by_code(errors: &Errors) -> Vec<(&str, u64)> {
        errors.by_name().map(|(name, count)| (name.strip_prefix("errorstat_").unwrap(), count)).collect()
    }

    #[test]
    fn errors_are_told_apart_by_their_code() {
        let long = "X".repeat(WITHIN) + " x";
        let mut errors = counted(&["ERR a", "ERR b", "WRONGTYPE x", "", "word", " x", "a:b x", &long]);
        errors.settle();
        assert_eq!(by_code(&errors), [("", 1), ("ERR", 5), ("WRONGTYPE", 1), ("a_b", 1)]);
        assert_eq!(errors.all(), 8);
    }

    #[test]
    fn beyond_a_number_of_codes_they_count_together() {
        let mut errors = counted(&["ERR a"]);
        (0..1000).for_each(|number| errors.count(&format!("CODE{number} x")));
        errors.count("ERR b");
        errors.settle();
        assert_eq!(errors.by_name().count(), CODES + 1);
        assert_eq!(errors.by_name().map(|(_, count)| count).sum::<u64>(), errors.all());
        assert!(by_code(&errors).contains(&("ERR", 2)));
        assert!(by_code(&errors).contains(&("ERRORSTATS_OVERFLOW", 1000 - 127)), "{:?}", by_code(&errors));
    }

    #[test]
    fn those_of_a_request_that_is_run_again_count_once() {
        let mut errors = counted(&["ERR a"]);
        errors.forget();
        errors.add(&counted(&["ERR a", "ERR b"]));
        assert_eq!(errors.all(), 0);
        errors.settle();
        errors.settle();
        assert_eq!((errors.all(), by_code(&errors)), (2, vec![("ERR", 2)]));
    }
}
