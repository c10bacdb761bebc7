//! One violation of every kind, planted into a history that passes without it: each must be found, and the message
//! must name the operations. A checker that finds nothing would pass every other test.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::time::Duration;

use adsum_history::{Action, Answer, Failure, History, Operation, Returned, lock, register, revision};

const BUDGET: u64 = 100_000;
const TTL: Duration = Duration::from_secs(1);
const SECOND: u64 = 1_000_000_000;

/// One operation of a history that is written by hand: `at(client, from, to)`, and what was asked and answered.
struct Line {
    client: u64,
    call: u64,
    back: Option<u64>,
}

fn at(client: u64, call: u64, back: u64) -> Line {
    Line { client, call, back: Some(back) }
}

fn lost(client: u64, call: u64) -> Line {
    Line { client, call, back: None }
}

impl Line {
    fn of(self, action: Action, answer: Answer, revision: Option<u64>) -> Operation {
        let returned = self.back.map(|at| Returned { at, answer, revision });
        Operation { client: self.client, key: "/a".to_string(), action, call: self.call, returned }
    }

    fn write(self, value: &str, revision: u64) -> Operation {
        self.of(Action::Write { value: value.to_string() }, Answer::Done(true), Some(revision))
    }

    /// Without a revision, as over RESP.
    fn write_plain(self, value: &str) -> Operation {
        self.of(Action::Write { value: value.to_string() }, Answer::Done(true), None)
    }

    fn read(self, value: &str, revision: u64) -> Operation {
        self.of(Action::Read, Answer::Value(Some(value.to_string())), Some(revision))
    }

    fn read_plain(self, value: &str) -> Operation {
        self.of(Action::Read, Answer::Value(Some(value.to_string())), None)
    }

    fn missing(self, revision: u64) -> Operation {
        self.of(Action::Read, Answer::Value(None), Some(revision))
    }

    fn compare(self, expect: &str, value: &str, done: bool) -> Operation {
        let action = Action::Compare { expect: Some(expect.to_string()), value: value.to_string() };
        self.of(action, Answer::Done(done), None)
    }

    fn delete(self, there: bool) -> Operation {
        self.of(Action::Delete, Answer::Done(there), None)
    }

    fn acquire(self, fence: Option<u64>) -> Operation {
        self.of(Action::Acquire { ttl: TTL }, Answer::Fence(fence), None)
    }

    fn renew(self, fence: u64, answer: Answer) -> Operation {
        self.of(Action::Renew { fence, ttl: TTL }, answer, None)
    }

    fn release(self, fence: u64, answer: Answer) -> Operation {
        self.of(Action::Release { fence }, answer, None)
    }

    fn inspect(self, fence: Option<u64>) -> Operation {
        self.of(Action::Inspect, Answer::Fence(fence), None)
    }
}

fn history(operations: Vec<Operation>) -> History {
    History { operations, faults: Vec::new() }
}

/// The check fails, and its message has all of these in it.
#[track_caller]
fn found(failed: Result<(), Failure>, named: &[&str]) {
    let failure = failed.expect_err("the planted violation is found");
    assert!(matches!(failure, Failure::Violated(_)), "{failure}");
    let message = failure.to_string();
    for name in named {
        assert!(message.contains(name), "{name:?} is not named in: {message}");
    }
}

#[track_caller]
fn found_by_search(operations: Vec<Operation>, named: &[&str]) {
    found(register::check(&history(operations), BUDGET).map(drop), named);
}

#[track_caller]
fn found_by_revision(operations: Vec<Operation>, named: &[&str]) {
    found(revision::check(&history(operations)).map(drop), named);
}

#[track_caller]
fn found_by_lock(operations: Vec<Operation>, named: &[&str]) {
    found(lock::check(&history(operations), BUDGET).map(drop), named);
}

#[track_caller]
fn passes(operations: Vec<Operation>) {
    let history = history(operations);
    register::check(&history, BUDGET).unwrap();
    revision::check(&history).unwrap();
    lock::check(&history, BUDGET).unwrap();
}

// --- Values

#[test]
fn overlapping_operations_that_fit_in_some_order_pass() {
    passes(vec![
        at(1, 10, 20).missing(1),
        at(1, 30, 60).write("a", 2),
        at(2, 35, 55).write("b", 3),
        at(3, 40, 50).read("b", 3),
        at(3, 70, 80).read("b", 3),
        at(1, 90, 100).compare("b", "c", true),
        at(2, 90, 110).compare("b", "d", false),
        at(3, 120, 130).delete(true),
        at(3, 140, 150).missing(9),
        at(3, 160, 170).delete(false),
    ]);
}

#[test]
fn a_write_whose_answer_was_lost_may_come_into_effect_later_or_never() {
    passes(vec![at(1, 10, 20).write("a", 2), lost(2, 30).write("b", 0), at(3, 40, 50).read("a", 2)]);
    passes(vec![
        at(1, 10, 20).write("a", 2),
        lost(2, 30).write("b", 0),
        at(3, 40, 50).read("a", 2),
        at(3, 60, 70).read("b", 5),
    ]);
    passes(vec![
        at(1, 10, 20).write("a", 2),
        lost(2, 30).compare("a", "b", true),
        at(3, 40, 50).compare("b", "c", true),
        at(3, 60, 70).delete(true),
    ]);
}

#[test]
fn a_stale_read_is_found() {
    let plain = vec![
        at(1, 10, 20).write_plain("a"),
        at(2, 30, 40).write_plain("b"),
        at(3, 50, 60).read_plain("b"),
        at(3, 70, 80).read_plain("a"),
    ];
    found_by_search(plain, &["client 3: read of /a -> a", "client 2: write b", "the value b"]);
    let dated = vec![at(1, 10, 20).write("a", 2), at(2, 30, 40).write("b", 3), at(3, 50, 60).read("a", 2)];
    found_by_revision(dated.clone(), &["client 3: read of /a -> a", "client 2: write b", "revision 2 came"]);
    found_by_search(dated, &["client 3: read of /a -> a"]);
}

#[test]
fn a_stale_read_without_a_revision_is_found_by_the_revision_of_its_value() {
    let mixed = vec![
        at(1, 10, 20).write_plain("a"),
        at(2, 22, 24).read("a", 2),
        at(1, 30, 40).write_plain("b"),
        at(2, 42, 44).read("b", 3),
        at(3, 50, 60).read_plain("a"),
    ];
    found_by_revision(mixed, &["client 3: read of /a -> a", "client 1: write b of /a", "revision 2 came"]);
}

#[test]
fn a_lost_write_is_found() {
    let lost_write = vec![
        at(1, 10, 20).write_plain("a"),
        at(1, 30, 40).write_plain("b"),
        at(2, 50, 60).read_plain("a"),
        at(3, 70, 80).compare("a", "c", true),
        at(2, 90, 100).read_plain("c"),
    ];
    found_by_search(lost_write, &["client 2: read of /a -> a", "client 1: write b"]);
    let gone = vec![at(1, 10, 20).write("a", 2), at(2, 30, 40).missing(1)];
    found_by_search(gone.clone(), &["client 2: read of /a -> nothing", "client 1: write a"]);
    found_by_revision(gone, &["client 2: read of /a -> nothing", "client 1: write a"]);
}

#[test]
fn a_value_that_nobody_wrote_is_found() {
    let phantom = vec![at(1, 10, 20).write("a", 2), at(2, 30, 40).read("x", 3)];
    found_by_search(phantom.clone(), &["client 2: read of /a -> x"]);
    found_by_revision(phantom, &["nobody wrote", "client 2: read of /a -> x"]);
    let early = vec![at(1, 10, 20).read("a", 2), at(2, 30, 40).write("a", 2)];
    found_by_search(early.clone(), &["client 1: read of /a -> a"]);
    found_by_revision(early, &["before it was written", "client 1: read", "client 2: write a"]);
}

#[test]
fn a_compare_that_was_carried_out_twice_is_found() {
    let twice = vec![
        at(1, 10, 20).write_plain("a"),
        at(1, 30, 60).compare("a", "b", true),
        at(2, 35, 55).compare("a", "c", true),
    ];
    found_by_search(twice.clone(), &["compare a, write b", "compare a, write c"]);
    found_by_revision(twice, &["client 1: compare a, write b", "client 2: compare a, write c"]);
}

#[test]
fn a_compare_that_was_refused_though_it_fitted_is_found() {
    let refused = vec![at(1, 10, 20).write_plain("a"), at(2, 30, 40).compare("a", "b", false)];
    found_by_search(refused, &["client 2: compare a, write b of /a -> not done", "the value a"]);
}

#[test]
fn a_delete_of_what_was_not_there_is_found() {
    found_by_search(vec![at(1, 10, 20).delete(true)], &["client 1: delete of /a -> done", "no value"]);
}

#[test]
fn a_revision_that_goes_back_is_found() {
    let back = vec![at(1, 10, 20).write("a", 5), at(2, 30, 40).write("b", 4)];
    found_by_revision(back, &["revision 4 came after revision 5", "client 1: write a", "client 2: write b"]);
    let same = vec![at(1, 10, 20).missing(5), at(2, 30, 40).write("b", 5)];
    found_by_revision(same, &["client 1: read of /a -> nothing", "client 2: write b"]);
}

#[test]
fn revisions_of_writes_go_up_over_all_keys_and_those_of_reads_need_not() {
    let other = |operation: Operation| Operation { key: "/b".to_string(), ..operation };
    let good =
        vec![at(1, 1, 2).write("b", 1), other(at(1, 10, 20).write("a", 5)), at(2, 30, 40).read("b", 1)];
    revision::check(&history(good)).unwrap();
    let back = vec![at(1, 10, 20).write("a", 5), other(at(2, 30, 40).write("b", 4))];
    found_by_revision(back, &["write a of /a", "write b of /b"]);
}

#[test]
fn a_value_that_is_not_that_of_its_revision_is_found() {
    let two = vec![at(1, 10, 40).write("a", 2), at(2, 10, 40).write("b", 3), at(3, 15, 35).read("a", 3)];
    found_by_revision(
        two,
        &["one revision has two values", "client 2: write b", "client 3: read of /a -> a"],
    );
    let other = vec![at(1, 10, 40).write("a", 2), at(3, 15, 35).read("a", 3)];
    found_by_revision(other, &["one value has two revisions", "client 1: write a", "client 3: read"]);
}

#[test]
fn a_search_that_runs_out_of_steps_is_no_pass() {
    let many: Vec<Operation> =
        (0..8).map(|client| at(client, 10, 90).write_plain(&format!("{client}"))).collect();
    let mut stale = many.clone();
    stale.push(at(9, 100, 110).read_plain("x"));
    let undecided = register::check(&history(stale), 50).unwrap_err();
    assert_eq!(undecided, Failure::Undecided { key: "/a".to_string(), steps: 50 });
    register::check(&history(many), 50).unwrap();
}

// --- Locks

/// Two holders in turn, a renewal, refusals, and an expiry.
fn good_locks() -> Vec<Operation> {
    vec![
        at(1, 0, 10).acquire(Some(5)),
        at(2, 5, 15).acquire(None),
        at(2, 20, 30).inspect(Some(5)),
        at(1, 40, 50).renew(5, Answer::Done(true)),
        at(1, 60, 70).release(5, Answer::Done(true)),
        at(2, 80, 90).inspect(None),
        at(2, 100, 110).acquire(Some(9)),
        at(1, 120, 130).release(5, Answer::Fenced(9)),
        at(3, 200, 200 + SECOND).acquire(Some(12)),
        at(2, 2 * SECOND, 2 * SECOND + 10).renew(9, Answer::Fenced(0)),
    ]
}

#[test]
fn locks_that_change_hands_by_release_and_expiry_pass() {
    passes(good_locks());
}

#[test]
fn a_grant_whose_answer_was_lost_is_known_by_its_fence() {
    passes(vec![
        lost(1, 0).acquire(None),
        at(2, 10, 20).inspect(Some(5)),
        at(2, 30, 40).acquire(None),
        at(2, 50, 60 + SECOND).acquire(Some(7)),
    ]);
    found_by_lock(
        vec![lost(1, 0).acquire(None), at(2, 10, 20).inspect(Some(5)), at(2, 30, 40).inspect(Some(6))],
        &["client 2: inspect of /a -> fence 6", "held under 5"],
    );
}

#[test]
fn two_holders_at_once_are_found() {
    let two = vec![at(1, 0, 10).acquire(Some(5)), at(2, 20, 30).acquire(Some(6))];
    found_by_lock(two, &["client 2: acquire for 1s of /a -> fence 6", "client 1: acquire", "held under 5"]);
}

#[test]
fn a_fence_that_comes_again_is_found() {
    let again = vec![
        at(1, 0, 10).acquire(Some(5)),
        at(1, 20, 30).release(5, Answer::Done(true)),
        at(2, 40, 50).acquire(Some(5)),
    ];
    found_by_lock(again, &["client 2: acquire for 1s of /a -> fence 5", "5 the highest fence"]);
}

#[test]
fn a_lock_that_expires_early_is_found() {
    let early = vec![
        at(1, 0, 10).acquire(Some(5)),
        at(1, SECOND / 2, SECOND / 2 + 10).renew(5, Answer::Done(true)),
        at(2, SECOND + 100, SECOND + 200).acquire(Some(8)),
    ];
    found_by_lock(early, &["client 2: acquire for 1s of /a -> fence 8", "client 1: renew 5", "held under 5"]);
    let seen = vec![at(1, 0, 10).acquire(Some(5)), at(2, SECOND / 2, SECOND - 1).inspect(None)];
    found_by_lock(seen, &["client 2: inspect of /a -> no fence", "held under 5"]);
}

#[test]
fn a_release_under_an_old_fence_is_found() {
    let stale = vec![
        at(1, 0, 10).acquire(Some(5)),
        at(2, SECOND, SECOND + 20).acquire(Some(8)),
        at(1, SECOND + 30, SECOND + 40).release(5, Answer::Done(true)),
    ];
    found_by_lock(stale, &["client 1: release 5 of /a -> done", "held under 8"]);
}

#[test]
fn a_renewal_after_the_lock_was_lost_is_found() {
    let stale = vec![
        at(1, 0, 10).acquire(Some(5)),
        at(1, 20, 30).release(5, Answer::Done(true)),
        at(1, 40, 50).renew(5, Answer::Done(true)),
    ];
    found_by_lock(stale, &["client 1: renew 5 for 1s of /a -> done", "the lock free"]);
}

#[test]
fn a_refusal_though_the_lock_is_free_is_found() {
    let refused = vec![
        at(1, 0, 10).acquire(Some(5)),
        at(1, 20, 30).release(5, Answer::Done(true)),
        at(2, 40, 50).acquire(None),
    ];
    found_by_lock(refused, &["client 2: acquire for 1s of /a -> no fence", "the lock free"]);
}
