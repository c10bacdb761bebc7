//! Made-up users: names as on Twitter, of letters, digits and `_`, up to 15 of them, no two of one service.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::moment::Moment;
use super::random::Random;
use crate::name::slug;

const FIRST: [&str; 20] = [
    "alba", "bruno", "chiara", "dario", "Elena", "fabio", "gaia", "Hugo", "irene", "jan", "kenji", "luca",
    "Mei", "nadia", "otto", "pia", "ravi", "sara", "teo", "yuki",
];
const SECOND: [&str; 12] =
    ["dev", "ops", "codes", "runs", "JP", "torino", "cat", "fm", "tea", "cloud", "ski", "news"];
const LOCATIONS: [&str; 6] = ["", "Torino", "東京", "Zürich", "København", "São Paulo"];
const LONGEST: usize = 15;

pub struct Person {
    id: u64,
    pub screen_name: String,
    location: &'static str,
    followers: u64,
    joined: Moment,
}

/// That many users, whose services all have different names.
pub fn gather(count: u64, random: &mut Random) -> Vec<Person> {
    let mut taken = HashSet::new();
    (0..count).map(|_| Person::new(&mut taken, random)).collect()
}

impl Person {
    fn new(taken: &mut HashSet<String>, random: &mut Random) -> Person {
        let screen_name = loop {
            let name = screen_name(random);
            if taken.insert(slug(&name)) {
                break name;
            }
        };
        Person {
            id: random.between(10_000, 4_000_000_000),
            screen_name,
            location: random.pick(&LOCATIONS),
            followers: random.below(5000),
            joined: Moment::START.days_before(random.between(100, 3000)),
        }
    }

    pub fn json(&self) -> Value {
        json!({
            "id": self.id,
            "id_str": self.id.to_string(),
            "name": self.screen_name.trim_matches('_').replace('_', " "),
            "screen_name": self.screen_name,
            "location": self.location,
            "followers_count": self.followers,
            "lang": "en",
            "created_at": self.joined.to_string(),
        })
    }

    /// As it stands in the `user_mentions` of a tweet.
    pub fn mention(&self, indices: [usize; 2]) -> Value {
        json!({"screen_name": self.screen_name, "id": self.id, "id_str": self.id.to_string(), "indices": indices})
    }
}

/// `kenji_dev`, `Mei77`, `_sara_tea`, `otto_`
fn screen_name(random: &mut Random) -> String {
    let first = random.pick(&FIRST);
    let mut name = match random.below(4) {
        0 => format!("{first}{}", random.between(10, 99_999)),
        1 => format!("{first}_{}", random.pick(&SECOND)),
        2 => format!("{first}_{}{}", random.pick(&SECOND), random.below(1000)),
        _ => format!("{}{first}{}", random.pick(&SECOND), random.below(10_000)),
    };
    name.truncate(LONGEST - 1);
    match random.below(10) {
        0 => format!("_{name}"),
        1 => format!("{name}_"),
        _ => name,
    }
}
