//! ioredis, node-redis, redlock and BullMQ.

use adsum_tests::libraries::Language::JavaScript;

use crate::check;

#[test]
fn ioredis_does_what_it_does_with_redis() {
    check(JavaScript, "ioredis.cjs");
}

#[test]
fn node_redis_speaks_both_protocols() {
    check(JavaScript, "node_redis.cjs");
}

#[test]
fn redlock_locks() {
    check(JavaScript, "redlock.cjs");
}

#[test]
fn bullmq_has_its_jobs_done() {
    check(JavaScript, "bullmq.cjs");
}
