//! What CONFIG shows and sets.
//!
//! Clients ask for Redis' settings to learn what they can rely on, so those that describe Adsum's behaviour are shown
//! under Redis' names. Only those with an effect can be set; setting another to what it is does no harm.

use adsum_keyspace::Database;
use adsum_script::BUSY_AFTER;

use crate::commands::object;
use crate::notify::Classes;
use crate::{About, glob, limits};

pub(crate) struct Settings {
    pub(crate) notify: Classes,
    /// In order of name. Redis has some under an old name, too.
    fixed: Vec<(&'static str, String)>,
}

/// Why a setting was not set.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SetError {
    Unknown,
    Immutable,
    Invalid(&'static str),
}

const NOTIFY: &str = "notify-keyspace-events";

impl Settings {
    pub(crate) fn new(about: &About) -> Settings {
        let fixed = [
            ("appendfsync", "always".to_owned()),
            ("appendonly", "yes".to_owned()),
            ("busy-reply-threshold", BUSY_AFTER.as_millis().to_string()),
            ("cluster-enabled", "no".to_owned()),
            ("databases", Database::USERS.to_string()),
            ("hash-max-listpack-entries", object::HASH_MAX_LISTPACK_ENTRIES.to_string()),
            ("hash-max-listpack-value", object::MAX_LISTPACK_VALUE.to_string()),
            ("hash-max-ziplist-entries", object::HASH_MAX_LISTPACK_ENTRIES.to_string()),
            ("hash-max-ziplist-value", object::MAX_LISTPACK_VALUE.to_string()),
            ("latency-monitor-threshold", "0".to_owned()),
            ("list-max-listpack-size", "-2".to_owned()),
            ("list-max-ziplist-size", "-2".to_owned()),
            ("lua-time-limit", BUSY_AFTER.as_millis().to_string()),
            ("maxclients", about.max_clients.to_string()),
            ("maxmemory", "0".to_owned()),
            ("maxmemory-clients", "0".to_owned()),
            ("maxmemory-policy", "noeviction".to_owned()),
            ("min-replicas-to-write", "0".to_owned()),
            ("min-slaves-to-write", "0".to_owned()),
            ("port", about.port.to_string()),
            ("proto-max-bulk-len", limits::BULK.to_string()),
            ("replica-read-only", "yes".to_owned()),
            ("requirepass", String::new()),
            ("save", String::new()),
            ("set-max-intset-entries", object::SET_MAX_INTSET_ENTRIES.to_string()),
            ("set-max-listpack-entries", object::SET_MAX_LISTPACK_ENTRIES.to_string()),
            ("set-max-listpack-value", object::MAX_LISTPACK_VALUE.to_string()),
            ("slave-read-only", "yes".to_owned()),
            // None are kept.
            ("slowlog-log-slower-than", "-1".to_owned()),
            ("slowlog-max-len", "0".to_owned()),
            ("tcp-keepalive", "300".to_owned()),
            ("timeout", "0".to_owned()),
            ("tracking-table-max-keys", limits::TRACKED.to_string()),
            ("zset-max-listpack-entries", object::ZSET_MAX_LISTPACK_ENTRIES.to_string()),
            ("zset-max-listpack-value", object::MAX_LISTPACK_VALUE.to_string()),
            ("zset-max-ziplist-entries", object::ZSET_MAX_LISTPACK_ENTRIES.to_string()),
            ("zset-max-ziplist-value", object::MAX_LISTPACK_VALUE.to_string()),
        ];
        Settings { notify: Classes::default(), fixed: fixed.into() }
    }

    /// What the durability of the journal is, in the words of `appendfsync`.
    pub(crate) fn set_durability(&mut self, appendfsync: &str) {
        let setting = self.fixed.iter_mut().find(|(name, _)| *name == "appendfsync");
        setting.expect("it was put there").1 = appendfsync.to_owned();
    }

    /// Whether what is answered is on disk.
    pub(crate) fn is_synced(&self) -> bool {
        self.fixed.iter().any(|(name, value)| *name == "appendfsync" && value == "always")
    }

    /// The settings whose names one of the patterns matches, each once. What is asked for by its name is called as it was
    /// asked for.
    pub(crate) fn get<'a>(&self, patterns: &[&'a [u8]]) -> Vec<(&'a [u8], String)> {
        let all = self.fixed.iter().map(|(name, value)| (*name, value.clone()));
        let all = all.chain([(NOTIFY, self.notify.to_string())]);
        all.filter_map(|(name, value)| {
            let name = name.as_bytes();
            let asked = *patterns.iter().find(|pattern| glob::matches_any_case(pattern, name))?;
            let name = if asked.eq_ignore_ascii_case(name) { asked } else { name };
            Some((name, value))
        })
        .collect()
    }

    /// Sets all or none. The name that it failed for.
    pub(crate) fn set<'a>(&mut self, pairs: &[(&'a [u8], &[u8])]) -> Result<(), (&'a [u8], SetError)> {
        let mut notify = self.notify;
        for (at, (name, value)) in pairs.iter().enumerate() {
            if self.is_known(name) && pairs[..at].iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
                return Err((*name, SetError::Invalid("duplicate parameter")));
            }
            if name.eq_ignore_ascii_case(NOTIFY.as_bytes()) {
                let invalid = SetError::Invalid("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
                notify = Classes::parse(value).ok_or((*name, invalid))?;
            } else {
                self.check_fixed(name, value).map_err(|error| (*name, error))?;
            }
        }
        self.notify = notify;
        Ok(())
    }

    fn is_known(&self, name: &[u8]) -> bool {
        let mut names = self.fixed.iter().map(|(name, _)| *name).chain([NOTIFY]);
        names.any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
    }

    fn check_fixed(&self, name: &[u8], value: &[u8]) -> Result<(), SetError> {
        let fixed = self.fixed.iter().find(|(other, _)| name.eq_ignore_ascii_case(other.as_bytes()));
        match fixed {
            None => Err(SetError::Unknown),
            Some((_, is)) if is.as_bytes() == value => Ok(()),
            Some(_) => Err(SetError::Immutable),
        }
    }
}
