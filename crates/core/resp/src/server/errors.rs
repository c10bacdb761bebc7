//! How often clients were answered with errors.

use std::collections::BTreeMap;

/// Codes that are told apart, and bytes of one: scripts can make up any number of them.
const CODES: usize = 128;
const BYTES: usize = 32;
const NAME: &str = "errorstat_";

#[derive(Default)]
pub(crate) struct Errors {
    all: u64,
    /// By the first word of the error, with the name that INFO has for it.
    by_code: BTreeMap<String, u64>,
}

impl Errors {
    /// `text`: the reply without its first byte.
    pub(crate) fn count(&mut self, text: &str) {
        self.all += 1;
        let code = text.split([' ', '\r', '\n']).next().unwrap_or_default();
        let name = format!("{NAME}{code}");
        if let Some(count) = self.by_code.get_mut(&name) {
            *count += 1;
        } else if self.by_code.len() < CODES && (1..=BYTES).contains(&code.len()) && !code.contains(':') {
            self.by_code.insert(name, 1);
        }
    }

    pub(crate) fn all(&self) -> u64 {
        self.all
    }

    /// In order of name.
    pub(crate) fn by_name(&self) -> impl Iterator<Item = (&str, u64)> {
        self.by_code.iter().map(|(name, count)| (name.as_str(), *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_apart_by_their_code_up_to_a_number_of_codes() {
        let mut errors = Errors::default();
        for text in ["ERR a", "ERR b", "WRONGTYPE x", "", " x", "a:b x", &"X".repeat(BYTES + 1)] {
            errors.count(text);
        }
        (0..1000).for_each(|number| errors.count(&format!("CODE{number} x")));
        assert_eq!(errors.all(), 1007);
        assert_eq!(errors.by_name().count(), CODES);
        let told: Vec<_> = errors.by_name().filter(|(name, _)| !name.contains("CODE")).collect();
        assert_eq!(told, [("errorstat_ERR", 2), ("errorstat_WRONGTYPE", 1)]);
    }
}
