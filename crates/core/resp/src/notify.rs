//! Keyspace notifications: which events are wanted, and what they are called.
//!
//! A change tells its events itself ([`Change::notices`]); this is the filter before the subscribers. A message with
//! the event goes to `__keyspace@DB__:KEY`, then one with the key to `__keyevent@DB__:EVENT`.
//! <https://redis.io/docs/latest/develop/use/keyspace-notifications/>
//!
//! The classes of modules and of evictions, which Adsum does not do, are accepted and stay silent. That a key is new (`n`)
//! no notice says: it is seen by what a change found there. A missed key (`m`) is of no change at all. See
//! `server/notifications.rs` for both.

use adsum_keyspace::{Change, Notice};

/// A set of event classes, one bit per letter of [`LETTERS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Classes(u16);

/// In the order in which they are printed.
const LETTERS: &[u8; 14] = b"g$lshzxetdnKEm";
/// What `A` stands for.
const ALL: &[u8] = b"g$lshzxetd";

/// Asked for by every command or message.
const KEYSPACE: u16 = bit(b'K');
const KEYEVENT: u16 = bit(b'E');
const NEW_KEYS: u16 = bit(b'n');
const MISSES: u16 = bit(b'm');

impl Default for Classes {
    /// `AKE`: nothing is computed as long as nobody is subscribed.
    fn default() -> Classes {
        let letters = ALL.iter().chain(b"KE");
        letters.fold(Classes(0), |classes, letter| Classes(classes.0 | bit(*letter)))
    }
}

impl Classes {
    /// Reads what `CONFIG SET notify-keyspace-events` takes. None for a letter that is no class.
    pub(crate) fn parse(text: &[u8]) -> Option<Classes> {
        let mut classes = 0;
        for letter in text {
            match letter {
                b'A' => ALL.iter().for_each(|letter| classes |= bit(*letter)),
                letter if LETTERS.contains(letter) => classes |= bit(*letter),
                _ => return None,
            }
        }
        Some(Classes(classes))
    }

    pub(crate) fn keyspace(self) -> bool {
        self.0 & KEYSPACE != 0
    }

    pub(crate) fn keyevent(self) -> bool {
        self.0 & KEYEVENT != 0
    }

    pub(crate) fn new_keys(self) -> bool {
        self.0 & NEW_KEYS != 0
    }

    pub(crate) fn misses(self) -> bool {
        self.0 & MISSES != 0
    }

    /// Whether anything can be sent at all.
    pub(crate) fn any(self) -> bool {
        self.0 & (KEYSPACE | KEYEVENT) != 0
    }

    /// The events of a change that are wanted, in order.
    pub(crate) fn of(self, change: &Change) -> impl Iterator<Item = Notice> {
        let of_redis = change.notices.iter().copied().filter(|notice| notice.is_of_redis());
        of_redis.filter(move |notice| self.has(class(*notice)))
    }

    fn has(self, letter: u8) -> bool {
        self.0 & bit(letter) != 0
    }
}

impl std::fmt::Display for Classes {
    /// The canonical form that `CONFIG GET` prints: like Redis 7.0 it does not tell of new keys beside `A`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = ALL.iter().all(|letter| self.has(*letter));
        if all {
            f.write_str("A")?;
        }
        let letters = LETTERS.iter().filter(|letter| self.has(**letter));
        for letter in letters.filter(|letter| !(all && (ALL.contains(letter) || **letter == b'n'))) {
            write!(f, "{}", char::from(*letter))?;
        }
        Ok(())
    }
}

/// None is set for a letter that is no class.
const fn bit(letter: u8) -> u16 {
    let mut at = 0;
    while at < LETTERS.len() {
        if LETTERS[at] == letter {
            return 1 << at;
        }
        at += 1;
    }
    0
}

fn class(notice: Notice) -> u8 {
    match notice {
        Notice::Expire
        | Notice::Persist
        | Notice::Del
        | Notice::RenameFrom
        | Notice::RenameTo
        | Notice::CopyTo
        | Notice::MoveFrom
        | Notice::MoveTo
        | Notice::LockBroken
        | Notice::Released => b'g',
        Notice::Hset | Notice::Hdel | Notice::Hincrby | Notice::Hincrbyfloat => b'h',
        Notice::Sadd
        | Notice::Srem
        | Notice::Spop
        | Notice::Sinterstore
        | Notice::Sunionstore
        | Notice::Sdiffstore => b's',
        Notice::Zadd
        | Notice::Zincr
        | Notice::Zrem
        | Notice::Zremrangebyrank
        | Notice::Zremrangebyscore
        | Notice::Zremrangebylex
        | Notice::Zpopmin
        | Notice::Zpopmax
        | Notice::Zrangestore
        | Notice::Zunionstore
        | Notice::Zinterstore
        | Notice::Zdiffstore => b'z',
        Notice::Xadd
        | Notice::Xtrim
        | Notice::Xdel
        | Notice::Xsetid
        | Notice::XgroupCreate
        | Notice::XgroupSetid
        | Notice::XgroupDestroy
        | Notice::XgroupCreateconsumer
        | Notice::XgroupDelconsumer => b't',
        Notice::Expired => b'x',
        Notice::Set
        | Notice::Append
        | Notice::Incrby
        | Notice::Incrbyfloat
        | Notice::Setrange
        | Notice::Setbit => b'$',
        Notice::Lpush
        | Notice::Rpush
        | Notice::Lpop
        | Notice::Rpop
        | Notice::Lrem
        | Notice::Linsert
        | Notice::Lset
        | Notice::Ltrim
        | Notice::Sortstore => b'l',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_print_in_canonical_order() {
        for (text, expected) in [
            ("KA", "AK"),
            ("EA", "AE"),
            ("AKE", "AKE"),
            ("gKE", "gKE"),
            ("KEx", "xKE"),
            ("Elg", "glE"),
            ("tdxezhsl$gK", "AK"),
            ("KEAmn", "AKEm"),
            ("", ""),
        ] {
            assert_eq!(Classes::parse(text.as_bytes()).unwrap().to_string(), expected, "{text}");
        }
        assert_eq!(Classes::parse(b"KEq"), None);
        assert_eq!(Classes::default().to_string(), "AKE");
    }
}
