//! Tags: words by which a service is found in the catalog and, where they are labels, in DNS.

use std::collections::BTreeSet;

use crate::bound;
use crate::problem::Problems;

pub(crate) fn tags(tags: Option<&[String]>, problems: &mut Problems) -> Vec<String> {
    let tags = tags.unwrap_or_default();
    if tags.len() > bound::TAGS {
        problems.add("tags", tags.len(), format!("is too many: give at most {}", bound::TAGS));
    }
    let mut seen = BTreeSet::new();
    for (at, tag) in tags.iter().enumerate() {
        let field = format!("tags[{at}]");
        if let Some(wrong) = wrong_with(tag) {
            problems.add(field, tag, wrong);
        } else if !seen.insert(tag) {
            problems.add(field, tag, "is there twice: leave one out");
        }
    }
    tags.to_vec()
}

fn wrong_with(tag: &str) -> Option<String> {
    let known = |letter: &char| letter.is_ascii_alphanumeric() || "-_.=:/".contains(*letter);
    if tag.is_empty() || tag.len() > bound::TAG {
        return Some(format!("has no fitting length: give 1 to {} characters", bound::TAG));
    }
    let odd = tag.chars().find(|letter| !known(letter))?;
    Some(format!("has {odd:?}: use letters, digits and any of - _ . = : / only"))
}
