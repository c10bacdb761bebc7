//! Every command of the table with too few and too many words, and with keys of every type: the answers of redis-server,
//! and a connection that goes on.

use super::differential::{Redis, of_later, run_here};
use super::harness::{Peer, World};

/// A command as COMMAND describes it.
struct Described {
    /// Of a subcommand both words.
    name: String,
    arity: i64,
    first: i64,
    last: i64,
    step: i64,
    /// At which word the number of keys stands.
    counted: Option<usize>,
    /// At which word it stands for how long to wait; 0 is the last one.
    timeout: Option<usize>,
}

/// Those that redis-server 7.0 does not have, or not unless it is told so.
const NOT_OF_REDIS_7_0: [&str; 12] = [
    "client no-touch",
    "client setinfo",
    "debug",
    "delex",
    "delifeq",
    "fence",
    "lock",
    "onexpire",
    "renew",
    "sentinel",
    "unlock",
    "waitaof",
];

/// A value of a reply, as far as COMMAND has them.
enum Value {
    Word(String),
    Number(i64),
    List(Vec<Value>),
}

impl Value {
    fn parse(bytes: &[u8], at: &mut usize) -> Value {
        let end = *at + bytes[*at..].iter().position(|byte| *byte == b'\r').unwrap();
        let (kind, line) = (bytes[*at], str::from_utf8(&bytes[*at + 1..end]).unwrap());
        *at = end + 2;
        match kind {
            b'*' => Value::List((0..line.parse().unwrap()).map(|_| Value::parse(bytes, at)).collect()),
            b'$' => {
                let word = &bytes[*at..*at + line.parse::<usize>().unwrap()];
                *at += word.len() + 2;
                Value::Word(String::from_utf8(word.to_vec()).unwrap())
            }
            b':' => Value::Number(line.parse().unwrap()),
            _ => Value::Word(line.to_owned()),
        }
    }

    fn list(&self) -> &[Value] {
        let Value::List(list) = self else { panic!("no list") };
        list
    }

    fn number(&self) -> i64 {
        let Value::Number(number) = self else { panic!("no number") };
        *number
    }

    fn word(&self) -> &str {
        let Value::Word(word) = self else { panic!("no word") };
        word
    }
}

/// The table, with a line for each subcommand in place of those that only have some.
fn table() -> Vec<Described> {
    let mut world = World::new();
    let mut peer = world.connect();
    world.send(&mut peer, b"COMMAND\r\n");
    let reply = Value::parse(&peer.take(), &mut 0);
    let mut all = Vec::new();
    for command in reply.list() {
        all.push(describe(command));
        all.extend(command.list()[9].list().iter().map(describe));
    }
    assert!(all.len() > 200, "{}", all.len());
    all
}

/// Of all commands and subcommands.
pub(crate) fn names() -> Vec<String> {
    table().into_iter().map(|command| command.name).collect()
}

fn describe(command: &Value) -> Described {
    let fields = command.list();
    let (name, flags) = (fields[0].word().replace('|', " "), fields[2].list());
    let blocks = flags.iter().any(|flag| flag.word() == "blocking");
    let movable = flags.iter().any(|flag| flag.word() == "movablekeys");
    let place = match name.as_str() {
        "blmpop" | "bzmpop" | "eval" | "evalsha" | "eval_ro" | "evalsha_ro" => 2,
        name if name.ends_with("store") => 2,
        _ => 1,
    };
    Described {
        arity: fields[1].number(),
        first: fields[3].number(),
        last: fields[4].number(),
        step: fields[5].number(),
        counted: movable.then_some(place),
        timeout: blocks.then(|| usize::from(name.ends_with("mpop"))),
        name,
    }
}

impl Described {
    /// As few words as it takes, or one more or less; each key is `key`.
    fn line(&self, words: usize, key: &str) -> String {
        let mut line = self.name.clone();
        for at in line.split(' ').count()..words {
            line += " ";
            let other = match self.name.as_str() {
                // No cursor but the first is known, and its number is any.
                name if name.ends_with("scan") => "0",
                _ if self.timeout == Some(at) || self.timeout == Some(0) && at + 1 == words => "0.01",
                _ => "1",
            };
            line += if self.is_key(at, words) { key } else { other };
        }
        line
    }

    fn is_key(&self, at: usize, words: usize) -> bool {
        let (at, last) = (at as i64, if self.last < 0 { words as i64 + self.last } else { self.last });
        let ranged =
            self.first > 0 && at >= self.first && at <= last && (at - self.first) % self.step.max(1) == 0;
        ranged || self.counted.is_some_and(|count| at == count as i64 + 1)
    }

    fn words(&self) -> usize {
        self.arity.unsigned_abs() as usize
    }
}

/// Both sides.
struct Sides {
    redis: Redis,
    world: World,
    peer: Peer,
    differences: Vec<String>,
}

impl Sides {
    fn new() -> Option<Sides> {
        let redis = Redis::start()?;
        let mut world = World::new();
        let peer = world.connect();
        Some(Sides { redis, world, peer, differences: Vec::new() })
    }

    fn compare(&mut self, line: &str) {
        let theirs = of_later(line, self.redis.run(line.as_bytes()));
        let ours = run_here(&mut self.world, &mut self.peer, line.as_bytes());
        if ours != theirs {
            let (ours, theirs) = (ours.escape_ascii(), theirs.escape_ascii());
            self.differences.push(format!("{line}\n  ours   {ours}\n  theirs {theirs}\n"));
        }
        assert_eq!(run_here(&mut self.world, &mut self.peer, b"ECHO on"), b"$2\r\non\r\n", "after {line}");
    }

    #[track_caller]
    fn end(self) {
        let Sides { differences, .. } = self;
        assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.concat());
    }
}

fn of_redis(command: &Described) -> bool {
    let container = command.name.split(' ').next().unwrap();
    !NOT_OF_REDIS_7_0.contains(&command.name.as_str()) && !NOT_OF_REDIS_7_0.contains(&container)
}

#[test]
fn too_few_and_too_many_words_are_refused_in_redis_words() {
    let Some(mut sides) = Sides::new() else { return };
    let mut count = 0;
    for command in table().iter().filter(|command| of_redis(command)) {
        let fewest = command.name.split(' ').count();
        if command.words() > fewest {
            sides.compare(&command.line(command.words() - 1, "k"));
            count += 1;
        }
        if command.arity > 0 {
            sides.compare(&command.line(command.words() + 1, "k"));
            count += 1;
        }
    }
    assert!(count > 250, "{count}");
    sides.end();
}

/// One key of each type, by the letter that is its name.
const KEYS: [&str; 6] = ["SET s x", "RPUSH l 1 2", "HSET h f v", "SADD t a", "ZADD z 1 a", "XADD x 1-1 f v"];

/// Those whose answer tells of a moment, of an order that Redis does not have, or of another server.
fn differs_by_intent(name: &str) -> bool {
    let first = name.split(' ').next().unwrap();
    let of_the_server = [
        "info", "time", "hello", "client", "command", "config", "debug", "memory", "lastsave", "role", "acl",
        "latency",
    ];
    let ends = ["quit", "reset", "subscribe", "psubscribe", "ssubscribe", "multi", "monitor"];
    of_the_server.contains(&first)
        || ends.contains(&first)
        || ["flushall", "randomkey", "object freq"].contains(&name)
}

#[test]
fn keys_of_another_type_are_refused_in_redis_words() {
    let Some(mut sides) = Sides::new() else { return };
    let (mut count, mut refused) = (0, 0);
    for command in table().iter().filter(|command| of_redis(command) && !differs_by_intent(&command.name)) {
        if command.first == 0 && command.counted.is_none() {
            continue;
        }
        for key in ["s", "l", "h", "t", "z", "x", "missing"] {
            let fill = "FLUSHALL ;; ".to_owned() + &KEYS.join(" ;; ");
            sides.compare(&fill);
            let line = command.line(command.words(), key);
            sides.compare(&line);
            count += 1;
            refused += usize::from(sides.redis.run(line.as_bytes()).starts_with(b"-WRONGTYPE"));
        }
    }
    assert!(count > 700 && refused > 400, "{refused} of {count}");
    sides.end();
}

/// What no sensible client sends.
const ABSURD: [&str; 8] = [
    "9223372036854775807",
    "-9223372036854775808",
    "-9223372036854775807",
    "18446744073709551616",
    "-1000000",
    "1e308",
    "nan",
    "\"\"",
];

/// Those after which the connection is not as it was, or nobody's requests are run for a while.
const ENDS: [&str; 5] = ["quit", "reset", "client reply", "client pause", "multi"];

#[test]
fn absurd_numbers_cost_nothing_and_the_connection_goes_on() {
    const REPLY: usize = 16 * 1024 * 1024;
    let mut world = World::new();
    let mut peer = world.connect();
    let mut count = 0;
    for command in table().iter().filter(|command| !ENDS.contains(&command.name.as_str())) {
        for (absurd, key) in
            ABSURD.iter().flat_map(|absurd| ["s", "l", "h", "t", "z", "x"].map(|key| (absurd, key)))
        {
            for key_line in KEYS {
                run_here(&mut world, &mut peer, key_line.as_bytes());
            }
            for more in 0..3 {
                let words = command.words() + more;
                let sane = command.line(words, key);
                let line: Vec<&str> =
                    sane.split(' ').map(|word| if word == "1" { absurd } else { word }).collect();
                let reply = run_here(&mut world, &mut peer, line.join(" ").as_bytes());
                assert!(reply.len() < REPLY, "{} bytes for {}", reply.len(), line.join(" "));
                run_here(&mut world, &mut peer, b"UNSUBSCRIBE ;; PUNSUBSCRIBE ;; SUNSUBSCRIBE ;; UNWATCH");
                assert_eq!(
                    run_here(&mut world, &mut peer, b"ECHO on"),
                    b"$2\r\non\r\n",
                    "after {}",
                    line.join(" ")
                );
                count += 1;
            }
        }
        run_here(&mut world, &mut peer, b"FLUSHALL");
    }
    assert!(count > 10_000, "{count}");
}

#[test]
fn a_reply_that_names_the_same_thing_without_end_is_refused() {
    let mut world = World::new();
    let mut peer = world.connect();
    let refused = "-ERR the reply would be over the limit of 268435456 bytes: ask for less at once";
    let value = "v".repeat(1_000_000);
    for line in [
        format!("SET s {value}"),
        format!("HSET h f {value}"),
        format!("SADD t {value}"),
        format!("ZADD z 1 {value}"),
    ] {
        // Too long for a line, but not for a request.
        let words: Vec<&str> = line.split(' ').collect();
        let words: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        world.send(&mut peer, format!("*{}\r\n{words}", line.split(' ').count()).as_bytes());
        assert!([":1", "+OK"].contains(&peer.received().as_str()));
    }
    let list = format!("RPUSH l{}", " s".repeat(300));
    assert_eq!(world.run(&mut peer, &list), ":300");
    for line in [
        format!("MGET{}", " s".repeat(300)),
        format!("HMGET h{}", " f".repeat(300)),
        "SORT l BY nosort GET *".to_owned(),
        "SRANDMEMBER t -1000000".to_owned(),
        "HRANDFIELD h -1000000 WITHVALUES".to_owned(),
        "ZRANDMEMBER z -1000000".to_owned(),
    ] {
        assert_eq!(world.run(&mut peer, &line), refused, "{}", &line[..10]);
    }
    let list = format!("RPUSH many{}", " x".repeat(1000));
    assert_eq!(world.run(&mut peer, &list), ":1000");
    let line = format!("SORT many BY nosort{}", " GET #".repeat(5000));
    assert_eq!(world.run(&mut peer, &line), "-ERR a SORT looks up 4000000 keys at most, not 5000000");
}
