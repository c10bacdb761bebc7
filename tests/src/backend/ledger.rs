//! What a backend has done, one line per event, appended with one write each: it is there after `kill -9` too, and
//! instances that are gone by now are counted with those that live.
//!
//! ```text
//! post load-17          a POST with this id was carried out (its body had come completely)
//! request GET /bytes/9  a request's head has come
//! done GET /bytes/9     its answer has been sent, or could not be
//! race                  bytes came on a connection that was as good as closed
//! ```

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Where one backend writes.
#[derive(Debug)]
pub struct Ledger {
    file: File,
    path: PathBuf,
}

impl Ledger {
    /// A ledger of its own in this folder.
    pub fn create(folder: &Path, name: &str) -> std::io::Result<Ledger> {
        let path = folder.join(format!("{name}-{}.ledger", std::process::id()));
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        Ok(Ledger { file, path })
    }

    pub fn folder(&self) -> &Path {
        self.path.parent().expect("a ledger is a file in a folder")
    }

    pub fn note(&self, event: &str) {
        // With no ledger the test misses what it counts, and fails by that.
        let _ = (&self.file).write_all(format!("{event}\n").as_bytes());
    }

    /// What this backend alone has written so far.
    pub fn entries(&self) -> Entries {
        Entries::parse(&std::fs::read_to_string(&self.path).unwrap_or_default())
    }
}

/// The events of one or of many backends.
#[derive(Debug, Default, Clone)]
pub struct Entries(Vec<String>);

impl Entries {
    /// All events of all ledgers in a folder.
    pub fn of_folder(folder: &Path) -> Entries {
        Entries(Entries::by_process(folder).into_values().flat_map(|entries| entries.0).collect())
    }

    /// The events in a folder by the process that wrote them.
    pub fn by_process(folder: &Path) -> BTreeMap<i32, Entries> {
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let process = |path: &Path| path.file_stem()?.to_str()?.rsplit('-').next()?.parse().ok();
        let ledgers = files.filter(|path| path.extension().is_some_and(|extension| extension == "ledger"));
        let text = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        let mut all: BTreeMap<i32, Entries> = BTreeMap::new();
        for path in ledgers {
            let entries = Entries::parse(&text(&path));
            all.entry(process(&path).unwrap_or(0)).or_default().0.extend(entries.0);
        }
        all
    }

    fn parse(text: &str) -> Entries {
        Entries(text.lines().map(str::to_string).collect())
    }

    /// How many events begin with this.
    pub fn count(&self, begin: &str) -> usize {
        self.0.iter().filter(|event| event.starts_with(begin)).count()
    }

    /// How often each POST was carried out, by its id.
    pub fn posts(&self) -> BTreeMap<&str, usize> {
        let mut posts = BTreeMap::new();
        for id in self.0.iter().filter_map(|event| event.strip_prefix("post ")) {
            *posts.entry(id).or_default() += 1;
        }
        posts
    }

    /// How many requests to paths that begin with this were there at a time, at most.
    pub fn most_at_once(&self, path: &str) -> usize {
        let (mut now, mut most) = (0usize, 0);
        for event in &self.0 {
            let mut words = event.splitn(3, ' ');
            let (what, _method) = (words.next(), words.next());
            match what.filter(|_| words.next().is_some_and(|it| it.starts_with(path))) {
                Some("request") => now += 1,
                Some("done") => now = now.saturating_sub(1),
                Some(_) | None => (),
            }
            most = most.max(now);
        }
        most
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scratch;

    #[test]
    fn events_of_all_ledgers_in_a_folder_are_counted_together() {
        let scratch = Scratch::new();
        let [one, two] = ["one", "two"].map(|name| Ledger::create(scratch.path(), name).unwrap());
        one.note("post a-1");
        two.note("post a-1");
        two.note("post a-2");
        two.note("race");
        let all = Entries::of_folder(scratch.path());
        assert_eq!(all.posts(), BTreeMap::from([("a-1", 2), ("a-2", 1)]));
        assert_eq!((all.count("race"), one.entries().count("post")), (1, 1));
    }

    #[test]
    fn requests_at_a_time_are_those_between_request_and_done() {
        let entries =
            Entries::parse("request GET /a\nrequest GET /a\ndone GET /a\nrequest GET /a\nrequest GET /b");
        assert_eq!((entries.most_at_once("/a"), entries.most_at_once("/")), (2, 3));
    }
}
