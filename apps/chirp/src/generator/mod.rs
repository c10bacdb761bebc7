//! A made-up tweet stream: the same seed gives the same tweets on every machine.

mod moment;
mod people;
mod phrases;
mod random;

use serde_json::json;

use moment::Moment;
use people::Person;
use phrases::Phrase;
use random::Random;

#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
pub struct Options {
    /// The same seed gives the same tweets
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many tweets [default: without end]
    #[arg(long)]
    pub tweets: Option<u64>,
    /// How many users tweet them; the first tweets are by one user each
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub users: u64,
}

/// Gives one tweet after the other, each as one line of JSON.
pub struct Generator {
    random: Random,
    people: Vec<Person>,
    now: Moment,
    tweeted: u64,
    wanted: u64,
}

impl Generator {
    pub fn new(options: &Options) -> Generator {
        let mut random = Random::new(options.seed);
        Generator {
            people: people::gather(options.users, &mut random),
            now: Moment::START,
            tweeted: 0,
            wanted: options.tweets.unwrap_or(u64::MAX),
            random,
        }
    }

    /// Everybody tweets once before anybody tweets again, so n tweets of n users are n users.
    fn author(&mut self) -> usize {
        let count = self.people.len() as u64;
        let author = if self.tweeted <= count { self.tweeted - 1 } else { self.random.below(count) };
        author as usize
    }

    fn tweet(&mut self) -> String {
        self.now.pass(self.random.between(1, 2000));
        let author = self.author();
        let mentioned = self.random.below(self.people.len() as u64) as usize;
        let phrase = Phrase::make(&self.people[mentioned], &mut self.random);
        let id = self.now.snowflake(&mut self.random);
        json!({
            "created_at": self.now.to_string(),
            "id": id,
            "id_str": id.to_string(),
            "text": phrase.text,
            "in_reply_to_status_id_str": null,
            "in_reply_to_screen_name": null,
            "entities": {"hashtags": phrase.hashtags, "user_mentions": phrase.mentions, "urls": []},
            "retweet_count": self.random.below(100),
            "favorite_count": self.random.below(100),
            "lang": phrase.lang,
            "user": self.people[author].json(),
        })
        .to_string()
    }
}

impl Iterator for Generator {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        if self.tweeted == self.wanted {
            return None;
        }
        self.tweeted += 1;
        Some(self.tweet())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::filter::Filter;
    use crate::tweet::Tweet;

    fn tweets(seed: u64, tweets: u64, users: u64) -> Vec<String> {
        Generator::new(&Options { seed, tweets: Some(tweets), users }).collect()
    }

    #[test]
    fn a_seed_gives_the_same_tweets_every_time() {
        assert_eq!(tweets(7, 200, 20), tweets(7, 200, 20));
        assert_ne!(tweets(7, 200, 20), tweets(8, 200, 20));
    }

    #[test]
    fn the_stream_of_a_seed_does_not_change_from_release_to_release() {
        let tweet = Tweet::parse(&tweets(1, 100, 100)[99]).unwrap();
        let seen = (tweet.id, tweet.user.as_str(), tweet.text.as_str());
        assert_eq!(seen, (842299779185371042, "Elena81198", "Всё работает, не трогай #猫"));
    }

    #[test]
    fn a_hundred_tweets_of_a_hundred_users_need_a_hundred_services() {
        for seed in 0..20 {
            let tweets: Vec<_> =
                tweets(seed, 100, 100).iter().map(|json| Tweet::parse(json).unwrap()).collect();
            let services: BTreeSet<_> = tweets.iter().map(|tweet| tweet.user.service()).collect();
            assert_eq!((tweets.len(), services.len()), (100, 100));
        }
    }

    #[test]
    fn ids_grow_and_names_keep_to_twitter() {
        let tweets: Vec<_> = tweets(3, 3000, 2000).iter().map(|json| Tweet::parse(json).unwrap()).collect();
        assert!(tweets.windows(2).all(|pair| pair[0].id < pair[1].id));
        assert!(tweets.iter().all(|tweet| tweet.user.as_str().len() <= 15));
        let is = |test: fn(&str) -> bool| tweets.iter().any(|tweet| test(tweet.user.as_str()));
        assert!(is(|name| name.starts_with('_')) && is(|name| name.ends_with('_')));
        assert!(is(|name| name.contains(char::is_uppercase)) && is(|name| name.contains(char::is_numeric)));
    }

    #[test]
    fn the_texts_have_hashtags_several_scripts_and_four_byte_characters() {
        let tweets: Vec<_> = tweets(3, 300, 20).iter().map(|json| Tweet::parse(json).unwrap()).collect();
        let has = |test: fn(char) -> bool| tweets.iter().any(|tweet| tweet.text.contains(test));
        assert!(has(|c| c.len_utf8() == 4) && has(|c| c.len_utf8() == 3) && has(|c| c == '\n'));
        let rust = Filter::parse("#rust");
        let matching = tweets.iter().filter(|tweet| rust.matches(tweet)).count();
        assert!(matching > 0 && matching < tweets.len());
    }

    #[test]
    fn indices_point_at_the_hashtag_in_characters() {
        for json in tweets(5, 300, 20) {
            let tweet: serde_json::Value = serde_json::from_str(&json).unwrap();
            let text: Vec<char> = tweet["text"].as_str().unwrap().chars().collect();
            for hashtag in tweet["entities"]["hashtags"].as_array().unwrap() {
                let at = |n: usize| hashtag["indices"][n].as_u64().unwrap() as usize;
                let found: String = text[at(0)..at(1)].iter().collect();
                assert_eq!(found, format!("#{}", hashtag["text"].as_str().unwrap()));
            }
        }
    }
}
