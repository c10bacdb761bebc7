//! What they say.

use serde_json::{Value, json};

use super::people::Person;
use super::random::Random;

/// In several languages, from one to four bytes per character.
const SAYINGS: [(&str, &str); 14] = [
    ("en", "Scaled to ten and nobody noticed"),
    ("en", "A lock is a promise with a deadline"),
    ("en", "Reading about dead man's switches over \"coffee\""),
    ("en", "No, it is not DNS.\nIt was DNS"),
    ("it", "Oggi si va in montagna, perché no?"),
    ("it", "Il servizio è su. Anche il caffè"),
    ("de", "Größe ist nicht alles, Übung schon"),
    ("fr", "Déployé à midi, tout va bien"),
    ("es", "Mañana será otro día ☀️"),
    ("ja", "おはようございます、今日もデプロイ日和"),
    ("ja", "猫が膝の上で寝ている"),
    ("zh", "服务已经部署好了"),
    ("ru", "Всё работает, не трогай"),
    ("ar", "صباح الخير يا أصدقاء"),
];
const HASHTAGS: [&str; 8] =
    ["rust", "Redis", "devops", "microservices", "cloudconf", "DNS", "猫", "デプロイ"];
const EMOJI: [&str; 6] = ["😋", "🚀", "💖", "👩‍💻", "🦀", "𝒸𝒽𝒾𝓇𝓅"];

/// A text and what Twitter says is in it.
#[derive(Default)]
pub struct Phrase {
    pub lang: &'static str,
    pub text: String,
    pub hashtags: Vec<Value>,
    pub mentions: Vec<Value>,
}

impl Phrase {
    pub fn make(mentioned: &Person, random: &mut Random) -> Phrase {
        let mut phrase = Phrase::default();
        if random.one_in(4) {
            phrase.mention(mentioned);
        }
        let (lang, saying) = random.pick(&SAYINGS);
        phrase.lang = lang;
        phrase.add(saying);
        if random.one_in(2) {
            phrase.add(random.pick(&EMOJI));
        }
        for _ in 0..random.below(3) {
            phrase.hashtag(random.pick(&HASHTAGS));
        }
        phrase
    }

    fn mention(&mut self, person: &Person) {
        let indices = self.add(&format!("@{}", person.screen_name));
        self.mentions.push(person.mention(indices));
    }

    fn hashtag(&mut self, hashtag: &str) {
        let indices = self.add(&format!("#{hashtag}"));
        self.hashtags.push(json!({"text": hashtag, "indices": indices}));
    }

    /// Where it begins and ends, in characters as Twitter counts them.
    fn add(&mut self, part: &str) -> [usize; 2] {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        let begin = self.text.chars().count();
        self.text.push_str(part);
        [begin, begin + part.chars().count()]
    }
}
