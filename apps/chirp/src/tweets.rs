//! The tweets of a service, in an SQLite file in its data directory.
//!
//! ```text
//! id                     author     json                         ids have 20 digits, so that
//! 00505874924095815681   foo_bar    {"id_str": "5058749...       text order is number order
//! ```

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use rusqlite::{Connection, Row, params};

use crate::page::Page;
use crate::tweet::Tweet;

/// FULL: what is acknowledged is on disk. The cache is small, as there are a hundred of these.
const SETUP: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA cache_size = -256;
    PRAGMA busy_timeout = 5000;
    CREATE TABLE IF NOT EXISTS tweets (id TEXT PRIMARY KEY, author TEXT NOT NULL, json TEXT NOT NULL);
";
const INSERT: &str = "INSERT INTO tweets (id, author, json) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING";
const NEWEST_FIRST: &str = "
    SELECT id, json FROM tweets WHERE id < ?1 AND (?2 IS NULL OR author = ?2) ORDER BY id DESC LIMIT ?3";

/// Queries run on the thread that asked. They take microseconds to milliseconds, and one user's tweets are few.
pub struct Tweets(Mutex<Connection>);

/// Newest first, each as it came.
#[derive(Debug, PartialEq)]
pub struct Found {
    pub tweets: Vec<String>,
    /// The cursor of the next page, if there is one.
    pub next: Option<u64>,
}

impl Tweets {
    pub fn open(directory: &Path) -> anyhow::Result<Tweets> {
        let file = directory.join("tweets.db");
        let connect = || -> rusqlite::Result<Connection> {
            let connection = Connection::open(&file)?;
            connection.execute_batch(SETUP)?;
            Ok(connection)
        };
        let connection = connect().with_context(|| format!("cannot open database {}", file.display()))?;
        Ok(Tweets(Mutex::new(connection)))
    }

    /// Stores it, unless its id is there: then what is there stays. Gives what is stored.
    pub fn put(&self, tweet: &Tweet) -> rusqlite::Result<String> {
        let database = self.database();
        let author = tweet.user.as_str().to_ascii_lowercase();
        database.prepare_cached(INSERT)?.execute(params![key(tweet.id), author, tweet.json])?;
        let mut stored = database.prepare_cached("SELECT json FROM tweets WHERE id = ?")?;
        stored.query_row([key(tweet.id)], |row| row.get(0))
    }

    pub fn find(&self, page: &Page) -> rusqlite::Result<Found> {
        let before = page.cursor.map_or("9".repeat(21), key);
        let database = self.database();
        let mut statement = database.prepare_cached(NEWEST_FIRST)?;
        // One more than wanted, to know whether there is a next page.
        let rows = statement.query_map(params![before, page.user, page.limit + 1], entry)?;
        let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        let limit = page.limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).and_then(|(id, _)| id.parse().ok());
        Ok(Found { tweets: rows.into_iter().map(|(_, json)| json).collect(), next })
    }

    /// A panic elsewhere leaves no half-done transaction: SQLite is told to commit or it does not.
    fn database(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(id: u64) -> String {
    format!("{id:020}")
}

fn entry(row: &Row) -> rusqlite::Result<(String, String)> {
    Ok((row.get(0)?, row.get(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tweet(id: u64, user: &str, text: &str) -> Tweet {
        let json = serde_json::json!({"id_str": id.to_string(), "text": text, "user": {"screen_name": user}});
        Tweet::parse(&json.to_string()).unwrap()
    }

    fn page(limit: u32, cursor: Option<u64>, user: Option<&str>) -> Page {
        Page { limit, cursor, user: user.map(String::from) }
    }

    #[test]
    fn newest_is_the_largest_number_up_to_the_largest_there_is() {
        let directory = tempfile::tempdir().unwrap();
        let tweets = Tweets::open(directory.path()).unwrap();
        for id in [9, u64::MAX, 10, 0, i64::MAX as u64] {
            tweets.put(&tweet(id, "a", "text")).unwrap();
        }
        let first = tweets.find(&page(3, None, None)).unwrap();
        assert_eq!(first.next, Some(10));
        assert!(first.tweets[0].contains("18446744073709551615"));
        let second = tweets.find(&page(3, first.next, None)).unwrap();
        assert_eq!((second.tweets.len(), second.next), (2, None));
    }

    #[test]
    fn a_full_last_page_has_no_next() {
        let directory = tempfile::tempdir().unwrap();
        let tweets = Tweets::open(directory.path()).unwrap();
        for id in 1..=4 {
            tweets.put(&tweet(id, "a", "text")).unwrap();
        }
        assert_eq!(tweets.find(&page(4, None, None)).unwrap().next, None);
        assert_eq!(tweets.find(&page(2, Some(3), None)).unwrap().next, None);
        assert_eq!(tweets.find(&page(2, Some(1), None)).unwrap(), Found { tweets: vec![], next: None });
    }

    #[test]
    fn the_first_of_an_id_stays() {
        let directory = tempfile::tempdir().unwrap();
        let tweets = Tweets::open(directory.path()).unwrap();
        let first = tweets.put(&tweet(1, "a", "first")).unwrap();
        assert_eq!(tweets.put(&tweet(1, "a", "second")).unwrap(), first);
        assert_eq!(tweets.find(&page(50, None, None)).unwrap().tweets, [first]);
    }

    #[test]
    fn two_users_of_one_service_can_be_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let tweets = Tweets::open(directory.path()).unwrap();
        let (underscore, x) = (tweet(1, "Foo_", "mine"), tweet(2, "foo_x", "also mine"));
        assert_eq!(underscore.user.service(), x.user.service());
        tweets.put(&underscore).unwrap();
        tweets.put(&x).unwrap();
        assert_eq!(tweets.find(&page(50, None, None)).unwrap().tweets.len(), 2);
        assert_eq!(tweets.find(&page(50, None, Some("foo_"))).unwrap().tweets, [underscore.json]);
    }
}
