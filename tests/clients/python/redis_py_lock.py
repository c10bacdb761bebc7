"""redis-py's Lock: SET NX PX, and three scripts that release, extend and renew what is still one's own."""

import threading
import time

import redis
from redis.exceptions import LockError, LockNotOwnedError
from steps import URL, fails, run, until

CLIENT = redis.Redis.from_url(URL)


def a_lock_has_one_holder():
    CLIENT.flushdb()
    held = CLIENT.lock("lock", timeout=60)
    assert held.acquire(blocking=False)
    assert not CLIENT.lock("lock", timeout=60).acquire(blocking=False)
    assert held.locked() and held.owned()
    held.release()
    assert not held.locked()


def a_holder_extends_and_renews():
    with CLIENT.lock("lock", timeout=10) as held:
        held.extend(100)
        assert CLIENT.pttl("lock") > 100_000
        held.extend(20, replace_ttl=True)
        assert 15_000 < CLIENT.pttl("lock") <= 20_000
        held.reacquire()
        assert 5_000 < CLIENT.pttl("lock") <= 10_000


def who_lost_the_lock_is_told():
    late = CLIENT.lock("lock", timeout=0.05)
    assert late.acquire()
    until("the lock has expired", lambda: not CLIENT.exists("lock"))
    other = CLIENT.lock("lock", timeout=60)
    assert other.acquire(blocking=False)
    fails(LockNotOwnedError, late.release)
    assert other.owned()
    other.release()
    fails(LockNotOwnedError, lambda: other.do_release("somebody"))


def who_waits_gets_it_or_gives_up():
    held = CLIENT.lock("lock", timeout=60)
    assert held.acquire()
    begin = time.monotonic()
    assert not CLIENT.lock("lock", blocking_timeout=0.2).acquire()
    assert time.monotonic() - begin < 10

    def wait():
        with redis.Redis.from_url(URL).lock("lock", timeout=60, blocking_timeout=20, sleep=0.01):
            CLIENT.set("turn", "theirs")

    waiting = threading.Thread(target=wait)
    waiting.start()
    held.release()
    waiting.join()
    assert CLIENT.get("turn") == b"theirs"
    fails(LockError, held.release)


def nobody_is_inside_with_somebody_else():
    CLIENT.set("inside", 0)
    seen = []

    def work():
        client = redis.Redis.from_url(URL)
        for _ in range(10):
            with client.lock("lock", timeout=60, sleep=0.001):
                seen.append(client.incr("inside"))
                client.decr("inside")

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 50, seen


run(
    a_lock_has_one_holder,
    a_holder_extends_and_renews,
    who_lost_the_lock_is_told,
    who_waits_gets_it_or_gives_up,
    nobody_is_inside_with_somebody_else,
)
