//! Which part of a user's tweets is asked for: `?limit=50&cursor=505874924095815681&user=Foo_Bar`.

use serde::Deserialize;

use crate::tweet;

/// The query string, as it came.
#[derive(Default, Deserialize)]
pub struct Query {
    limit: Option<String>,
    cursor: Option<String>,
    user: Option<String>,
}

#[derive(Debug, PartialEq)]
pub struct Page {
    pub limit: u32,
    /// The last tweet of the page before: this one begins after it, which does not move when new tweets come in.
    pub cursor: Option<u64>,
    /// Only of this user, where two of them share a service; in lower case.
    pub user: Option<String>,
}

const DEFAULT: u32 = 50;
const LARGEST: u32 = 200;

impl TryFrom<Query> for Page {
    type Error = String;

    fn try_from(query: Query) -> Result<Page, String> {
        Ok(Page {
            limit: query.limit.as_deref().map_or(Ok(DEFAULT), limit)?,
            cursor: query.cursor.as_deref().map(cursor).transpose()?,
            user: query.user.map(|user| user.to_ascii_lowercase()),
        })
    }
}

fn limit(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|limit| (1..=LARGEST).contains(limit));
    number.ok_or_else(|| format!("limit '{text}' is not a number from 1 to {LARGEST}"))
}

fn cursor(text: &str) -> Result<u64, String> {
    tweet::id(text).map_err(|_| format!("cursor '{text}' is not one that a page gave as 'next'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(limit: Option<&str>, cursor: Option<&str>) -> Result<Page, String> {
        Query { limit: limit.map(String::from), cursor: cursor.map(String::from), user: None }.try_into()
    }

    #[test]
    fn without_a_query_it_is_the_first_fifty() {
        assert_eq!(page(None, None), Ok(Page { limit: 50, cursor: None, user: None }));
    }

    #[test]
    fn limit_and_cursor_are_numbers_in_their_ranges() {
        assert_eq!(page(Some("200"), Some("7")), Ok(Page { limit: 200, cursor: Some(7), user: None }));
        for limit in ["0", "201", "-1", "ten", "", "99999999999999999999"] {
            assert!(page(Some(limit), None).unwrap_err().contains("limit"), "{limit}");
        }
        for cursor in ["", "-1", "abc", "18446744073709551616"] {
            assert!(page(None, Some(cursor)).unwrap_err().contains("cursor"), "{cursor}");
        }
    }
}
