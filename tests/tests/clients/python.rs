//! redis-py, kombu and Celery.

use adsum_tests::libraries::Language::Python;

use crate::check;

#[test]
fn redis_py_stores_counts_and_transacts() {
    check(Python, "redis_py.py");
}

#[test]
fn redis_py_locks() {
    check(Python, "redis_py_lock.py");
}

#[test]
fn redis_py_publishes_and_hears() {
    check(Python, "redis_py_pubsub.py");
}

#[test]
fn redis_py_shares_a_stream_in_a_group() {
    check(Python, "redis_py_streams.py");
}

#[test]
fn redis_py_works_under_asyncio() {
    check(Python, "redis_py_asyncio.py");
}

#[test]
fn kombu_exchanges_messages() {
    check(Python, "kombu_queues.py");
}

#[test]
fn a_celery_worker_does_its_tasks() {
    check(Python, "celery_worker.py");
}
