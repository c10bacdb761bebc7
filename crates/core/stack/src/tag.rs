//! Tags: words by which a service is found in the catalog and, where they are labels, in DNS. Others read their own settings
//! in them (``traefik.http.routers.web.rule=Host(`a.example`)``), so that they may be any text of one line.

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
    if tag.is_empty() || tag.len() > bound::TAG {
        return Some(format!("has no fitting length: give 1 to {} characters", bound::TAG));
    }
    if tag.trim() != tag {
        return Some("begins or ends with a space: leave that out".to_string());
    }
    let odd = tag.chars().find(|letter| letter.is_control())?;
    Some(format!("has {odd:?}: use what can be seen"))
}
