//! Versions that are no good, under load: each is noticed while it has one instance, and what served before goes on
//! serving, by the same processes. What the one instance answered wrongly is counted, and nothing else is lost.
//!
//! The control is the version itself: `--update-failure-action continue` lets it through, and it is then all that there is.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use adsum_tests::load::{Outcome, Record};
use adsum_tests::running::Running;
use adsum_tests::stage::SOON;
use adsum_tests::traffic::Account;
use adsum_tests::{Output, Stage, Traffic, until, until_ok};

const RATE: u32 = 100;
const REPLICAS: usize = 3;
/// Less than by default, where the trial is over sooner anyway.
const WATCHED: [&str; 2] = ["--update-monitor", "2s"];
const IN_TURN: [&str; 2] = ["--label", "adsum.gateway.balance=round-robin"];

/// A service of which a bad version is tried.
struct Trial {
    /// Before the stage: it ends before there is nobody to go to.
    traffic: Traffic,
    stage: Stage,
    /// The processes of the good version, and the instances that they are.
    good: BTreeSet<(i32, String)>,
}

impl Trial {
    #[track_caller]
    fn begin(flags: &[&str]) -> Trial {
        Trial::begin_at(RATE, flags)
    }

    #[track_caller]
    fn begin_at(rate: u32, flags: &[&str]) -> Trial {
        let stage = Stage::new();
        stage.create("web", &[&["--replicas", "3"], flags].concat());
        let traffic = Traffic::start(&stage, "web", rate);
        traffic.go_on_for(u64::from(RATE));
        let good = running(&stage);
        assert_eq!(good.len(), REPLICAS);
        Trial { stage, traffic, good }
    }

    /// The update, to the end that it comes to.
    #[track_caller]
    fn update(&mut self, words: &[&str]) -> Output {
        self.update_with(words, |_| ())
    }

    /// The same; the test does something meanwhile.
    #[track_caller]
    fn update_with<T>(&mut self, words: &[&str], meanwhile: impl FnOnce(&Stage) -> T) -> Output {
        let words = [&["service", "update", "web"], words].concat();
        let update: Running = self.stage.agent.adsum_running(&words);
        let stage = &self.stage;
        self.traffic.during(&words.join(" "), || {
            // What it has made lives until the update has ended.
            let _held = meanwhile(stage);
            update.finish(SOON * 3)
        })
    }

    /// The same processes serve as before, and no others are left. What has become of the load.
    #[track_caller]
    fn end(self) -> (Stage, Account, BTreeSet<String>) {
        let Trial { stage, traffic, good } = self;
        until_ok("only the good ones are left", SOON, || match running(&stage) {
            left if left == good => Ok(()),
            left => Err(format!("{left:?} instead of {good:?}\n{}", told(&stage))),
        });
        traffic.go_on_for(u64::from(RATE) / 2);
        let account = traffic.stop();
        println!("{account}");
        account.posts_in(&stage.entries()).unwrap();
        (stage, account, good.into_iter().map(|(_, instance)| instance).collect())
    }
}

/// What the agent says of it.
fn told(stage: &Stage) -> String {
    ["ps", "rollouts"].map(|verb| stage.agent.adsum(&["service", verb, "web"]).stdout).join("\n")
}

fn running(stage: &Stage) -> BTreeSet<(i32, String)> {
    let instances = stage.agent.instances_of("web");
    instances.iter().map(|it| (it.pid, it.env("ADSUM_INSTANCE").unwrap().to_string())).collect()
}

/// The update fails with all these words in what it says, and not a request is lost.
#[track_caller]
fn check_is_never_used(update: &[&str], says: &[&str]) {
    let mut trial = Trial::begin(&WATCHED);
    let output = trial.update(update);
    check_says(&output, says);
    let (stage, account, _) = trial.end();
    account.check_nothing_lost(&stage.entries());
}

#[track_caller]
fn check_says(output: &Output, says: &[&str]) {
    let all = format!("{}{}", output.stdout, output.stderr);
    println!("{all}");
    assert_eq!(output.code, Some(1), "{all}");
    says.iter().for_each(|words| assert!(all.contains(words), "{words:?} is not in: {all}"));
}

/// Somebody who has a port and answers everything with 200, until dropped.
struct Foreign {
    address: SocketAddr,
    over: Arc<AtomicBool>,
}

impl Foreign {
    fn listen(port: u16) -> Foreign {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let address = listener.local_addr().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                if told.load(Ordering::Relaxed) {
                    return;
                }
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let _ = stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(answer));
            }
        });
        Foreign { address, over }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // It looks up when somebody comes.
        let _ = TcpStream::connect(self.address);
    }
}

#[test]
fn a_version_that_is_never_ready_is_taken_back() {
    let update = ["--env-add", "BACKEND_MOOD=sick", "--health-start-period", "2s"];
    check_is_never_used(&update, &["rolled back to version 1", "503"]);
}

#[test]
fn a_version_whose_program_is_missing_is_taken_back() {
    check_is_never_used(&["--", "/no/such/program"], &["rolled back to version 1", "/no/such/program"]);
}

#[test]
fn a_version_whose_port_somebody_else_has_is_taken_back() {
    let mut trial = Trial::begin(&WATCHED);
    // Long enough to take its port, and for that to be found, also on a machine that is busy.
    let update = ["--env-add", "BACKEND_LISTEN=no", "--health-start-period", "6s"];
    let output = trial.update_with(&update, |stage| {
        let old: BTreeSet<i32> = running(stage).into_iter().map(|(pid, _)| pid).collect();
        let new = until("the new one runs", SOON, || {
            stage.agent.instances_of("web").into_iter().find(|it| !old.contains(&it.pid))
        });
        let port: u16 = new.env("PORT").unwrap().parse().unwrap();
        Foreign::listen(port)
    });
    check_says(&output, &["rolled back to version 1", "does not belong to this instance"]);
    let (stage, account, _) = trial.end();
    account.check_nothing_lost(&stage.entries());
}

/// Half of the defaults' time of watching has passed when it does.
#[test]
fn a_version_that_breaks_down_after_three_seconds_is_taken_back() {
    let mut trial = Trial::begin(&[]);
    let output = trial.update(&["--env-add", "BACKEND_EXIT=3000"]);
    check_says(
        &output,
        &["rolled back to version 1", "exited with code 1", "the disk of this version is square"],
    );
    let before = trial.good.iter().map(|(pid, _)| *pid).collect();
    let (stage, account, good) = trial.end();
    let failures = account.failures();
    check_of_the_bad_one(&failures, &good);
    let (had, unread) = (in_flight_beside(&stage, &before), unread(&stage, &failures));
    assert!(failures.len() <= had + unread, "{} failed, of {had} and {unread}\n{account}", failures.len());
}

/// What all but these processes had begun and not ended when they did, by their own ledgers.
fn in_flight_beside(stage: &Stage, good: &BTreeSet<i32>) -> usize {
    let all = stage.entries_by_process().into_iter().filter(|(pid, _)| !good.contains(pid));
    all.map(|(_, entries)| entries.count("request ").saturating_sub(entries.count("done "))).sum()
}

/// POSTs that failed and that nobody has carried out: they were on their way, which no ledger has.
fn unread(stage: &Stage, failures: &[&Record]) -> usize {
    let entries = stage.entries();
    let posts = entries.posts();
    let lost = failures.iter().filter_map(|record| record.post.as_deref());
    lost.filter(|id| !posts.contains_key(id)).count()
}

/// In turn, since whoever fails is given little otherwise: 20 requests may not come together while it is watched.
#[test]
fn a_version_that_answers_500_while_its_check_passes_is_taken_back() {
    let mut trial = Trial::begin_at(2 * RATE, &IN_TURN);
    let output = trial.update(&["--env-add", "BACKEND_MOOD=status 500"]);
    check_says(&output, &["rolled back to version 1", "of its requests"]);
    let (_, account, good) = trial.end();
    let failures = account.failures();
    check_of_the_bad_one(&failures, &good);
    check_bounded(&failures, &account);
    assert!(failures.iter().all(|it| it.outcome == Outcome::Answered(500)), "{account}");
}

/// In turn, as above.
#[test]
fn a_version_that_is_too_slow_while_its_check_passes_is_taken_back() {
    let mut trial = Trial::begin(&[&["--label", "adsum.gateway.timeout=1s"], &IN_TURN[..]].concat());
    let output = trial.update(&["--env-add", "BACKEND_MOOD=delay 20000"]);
    check_says(&output, &["rolled back to version 1", "of its requests"]);
    let (_, account, good) = trial.end();
    let failures = account.failures();
    check_of_the_bad_one(&failures, &good);
    check_bounded(&failures, &account);
    assert!(failures.iter().all(|it| it.outcome == Outcome::Answered(504)), "{account}");
}

/// No instance of the good version has given one of these answers.
#[track_caller]
fn check_of_the_bad_one(failures: &[&Record], good: &BTreeSet<String>) {
    let wrong: Vec<_> =
        failures.iter().filter(|it| it.backend.as_ref().is_some_and(|name| good.contains(name))).collect();
    assert!(wrong.is_empty(), "answered by the good version: {wrong:#?}");
}

/// There were some, or the trial shows nothing; and no more than one instance of four gets, with what was queued there when
/// it was let go.
#[track_caller]
fn check_bounded(failures: &[&Record], account: &Account) {
    println!("{} of {} failed", failures.len(), account.total());
    assert!(!failures.is_empty(), "the version was never asked");
    assert!(failures.len() * 3 <= account.total(), "{} failed\n{account}", failures.len());
}

/// The control: nothing but that it is noticed keeps it from being all that there is.
#[test]
fn a_version_that_answers_500_and_is_let_through_is_all_that_there_is() {
    let mut trial = Trial::begin(&["--update-failure-action", "continue"]);
    trial.update(&["--env-add", "BACKEND_MOOD=status 500"]);
    let Trial { stage, traffic, good } = trial;
    assert!(running(&stage).is_disjoint(&good));
    traffic.go_on_for(u64::from(RATE) / 2);
    let account = traffic.stop();
    println!("{account}");
    assert!(account.failures().len() > 2 * RATE as usize, "{account}");
}

#[test]
fn a_bad_version_pauses_when_that_is_wanted_and_is_taken_back_by_hand() {
    let mut trial = Trial::begin(&["--update-failure-action", "pause"]);
    let output = trial.update(&["--env-add", "BACKEND_EXIT=200"]);
    check_says(&output, &["paused", "exited with code 1"]);
    trial.stage.agent.adsum(&["service", "abort", "web"]).ok();
    let (stage, account, good) = trial.end();
    check_of_the_bad_one(&account.failures(), &good);
    assert!(stage.entries().count("begun") > REPLICAS, "the bad version was never begun");
}
