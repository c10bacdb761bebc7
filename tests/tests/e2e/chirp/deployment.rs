//! chirp, deployed by the command line as a person would, and what is to be true of it at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use adsum_tests::{Agent, http, program, running, until_through};
use serde_json::Value;

use crate::web;

/// For how long nothing may come further: a worker that was killed may have held a lock for 30 s. A hundred services take as
/// long as the machine makes them.
const STILL: Duration = Duration::from_secs(120);

/// One agent with reader, workers and proxy on it, and a service per user that tweeted.
pub(super) struct Deployment {
    pub(super) agent: Agent,
    /// Of every tweet in the stream, by user.
    tweets: BTreeMap<String, Vec<String>>,
    file: PathBuf,
    /// What is yet to come of the stream.
    rest: String,
}

impl Deployment {
    /// Begins with this stream, which is in a file.
    #[track_caller]
    pub(super) fn begin(stream: &str) -> Deployment {
        Deployment::deploy(stream, "", &[])
    }

    /// Begins with so many lines of this stream: the file grows, and more comes when the test lets it.
    #[track_caller]
    pub(super) fn begin_with(stream: &str, lines: usize) -> Deployment {
        let (first, rest) = stream.split_at(stream.split_inclusive('\n').take(lines).map(str::len).sum());
        Deployment::deploy(first, rest, &["--follow"])
    }

    /// `reader` are more arguments of the reader.
    #[track_caller]
    fn deploy(first: &str, rest: &str, reader: &[&str]) -> Deployment {
        let agent = Agent::builder().arg("--dev").start();
        let file = agent.scratch().file("stream.ndjson");
        std::fs::write(&file, first).expect("our own directory is writable");
        let chirp = program::chirp();
        let chirp = chirp.to_str().expect("the target directory has a plain name");
        let create = |flags: &[&str], command: &[&str]| {
            let words = [
                &["service", "create", "--wait-timeout", "60s", "--update-monitor", "0s", "--name"],
                flags,
                &["--", chirp],
                command,
            ];
            agent.adsum(&words.concat()).ok();
        };
        create(&["chirp-proxy", "--health-http", "/healthz"], &["proxy"]);
        create(&["chirp-worker", "--replicas", "2", "--no-healthcheck"], &["worker"]);
        create(
            &["chirp-reader", "--no-healthcheck"],
            &[&["reader", "--stream", file.as_str()], reader].concat(),
        );
        let tweets = by_user(&format!("{first}{rest}"));
        Deployment { agent, tweets, file: file.into(), rest: rest.to_string() }
    }

    /// The rest of the stream, and its end.
    pub(super) fn let_come(&mut self) {
        let grown = OpenOptions::new().append(true).open(&self.file);
        let rest = std::mem::take(&mut self.rest);
        grown.and_then(|mut file| file.write_all(rest.as_bytes())).expect("it is our own file");
        std::fs::write(self.file.with_extension("ndjson.end"), "").expect("our own directory is writable");
    }

    /// How many users have a service that passes.
    pub(super) fn users(&self) -> usize {
        let services = web::json(&self.agent, "/api/services?prefix=chirp-user-");
        let passing = services.as_array().expect("it is a list").iter();
        passing.filter(|service| service["passing"] == 1).count()
    }

    /// Waits until so many users have a service, and says how many have one then.
    #[track_caller]
    pub(super) fn until_users(&self, least: usize) -> usize {
        until_through(&format!("{least} users have a service"), STILL, || {
            let users = self.users();
            if users >= least { Ok(users) } else { Err(format!("{users} have one")) }
        })
    }

    /// Waits until every tweet of the stream has been taken in and brought to its user.
    #[track_caller]
    pub(super) fn until_through(&self) {
        until_through("every tweet is delivered", STILL, || {
            let done = self.agent.redis_cli(&["GET", "/chirp/reader/done"]).ok();
            let queued = self.agent.redis_cli(&["LLEN", "/chirp/queue"]).ok();
            let in_hand = self.agent.redis_cli(&["KEYS", "/chirp/processing/*"]).ok();
            let through = !done.is_empty() && queued == "0" && in_hand.is_empty();
            let in_hand = in_hand.lines().count();
            through.then_some(()).ok_or_else(|| {
                format!("read {done:?}, queued {queued}, in hand {in_hand}, users {}", self.users())
            })
        });
        self.until_users(self.tweets.len());
    }

    /// Every tweet is stored once with its user, and every process runs once.
    #[track_caller]
    pub(super) fn check(&self, workers: usize) {
        assert_eq!(self.agent.redis_cli(&["LLEN", "/chirp/dead"]).ok(), "0");
        assert_eq!(self.stored(), self.tweets);
        self.check_processes(workers);
    }

    pub(super) fn has_all_tweets_once(&self) -> bool {
        self.stored() == self.tweets
    }

    /// What the proxy answers for a path, as it comes over the wire.
    #[track_caller]
    pub(super) fn ask_proxy(&self, path: &str) -> String {
        self.agent.curl(&["-i", &format!("http://{}{path}", self.proxy())]).ok()
    }

    /// Ends the agent, which takes everything along.
    #[track_caller]
    pub(super) fn end(mut self) {
        let status = self.agent.terminate();
        assert!(status.success(), "{status}");
        web::nothing_runs(&self.agent);
    }

    /// The ids of all stored tweets by user, as a person finds them: by `curl -L` over the proxy.
    #[track_caller]
    fn stored(&self) -> BTreeMap<String, Vec<String>> {
        let proxy = self.proxy();
        let users = http::get(proxy, "/user").expect("the proxy answers").ok();
        let users: Value = serde_json::from_str(&users).expect("it is JSON");
        assert_eq!(users["users"].as_array().map(Vec::len), Some(self.tweets.len()), "{users}");
        self.tweets.keys().map(|user| self.stored_by(user, proxy)).collect()
    }

    #[track_caller]
    fn stored_by(&self, user: &str, proxy: SocketAddr) -> (String, Vec<String>) {
        let url = format!("http://{proxy}/user/{user}");
        let body = self.agent.curl(&["-L", "--fail", &url]).ok();
        let page: Value = serde_json::from_str(&body).expect("it is JSON");
        assert_eq!(page["next"], Value::Null, "{user} has one page");
        let tweets = page["tweets"].as_array().expect("it is a list");
        let mut ids: Vec<String> = tweets.iter().map(id).collect();
        ids.sort_unstable();
        (user.to_string(), ids)
    }

    fn proxy(&self) -> SocketAddr {
        let proxy = &web::service(&self.agent, "chirp-proxy")["instances"][0];
        web::address(proxy)
    }

    #[track_caller]
    fn check_processes(&self, workers: usize) {
        let instances = self.agent.instances();
        let ids: BTreeSet<_> = instances.iter().map(|process| process.env("ADSUM_INSTANCE")).collect();
        assert_eq!(ids.len(), instances.len(), "an instance runs twice: {instances:?}");
        let mut count: BTreeMap<&str, usize> = BTreeMap::new();
        for process in &instances {
            let service = process.env("ADSUM_SERVICE").expect("an instance knows its service");
            let role = if service.starts_with("chirp-user-") { "chirp-user" } else { service };
            *count.entry(role).or_default() += 1;
        }
        let users = self.tweets.len();
        let expect =
            [("chirp-proxy", 1), ("chirp-reader", 1), ("chirp-user", users), ("chirp-worker", workers)];
        assert_eq!(count, BTreeMap::from(expect));
    }
}

/// 100 tweets by 100 users.
#[track_caller]
pub(super) fn generated(seed: u32) -> String {
    println!("seed {seed}");
    let seed = seed.to_string();
    let mut chirp = Command::new(program::chirp());
    chirp.args(["generate", "--tweets", "100", "--users", "100", "--seed", &seed]);
    let stream = running::run(&mut chirp, b"", Duration::from_secs(30)).ok();
    let tweets = by_user(&stream);
    assert_eq!((stream.lines().count(), tweets.len()), (100, 100));
    stream + "\n"
}

/// The ids of the tweets in a stream by user, each once; lines that are no tweets left out.
pub(super) fn by_user(stream: &str) -> BTreeMap<String, Vec<String>> {
    let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for tweet in stream.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        if let Some(name) = tweet["user"]["screen_name"].as_str() {
            users.entry(name.to_string()).or_default().insert(id(&tweet));
        }
    }
    users.into_iter().map(|(name, ids)| (name, ids.into_iter().collect())).collect()
}

fn id(tweet: &Value) -> String {
    tweet["id_str"].as_str().expect("a tweet has an id").to_string()
}
