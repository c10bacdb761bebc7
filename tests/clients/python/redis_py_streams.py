"""redis-py's streams: a log that is read from a place, and groups of consumers that take over from each other."""

import threading

import redis
from steps import URL, fails, run, until

CLIENT = redis.Redis.from_url(URL, protocol=2, decode_responses=True)


def a_log_is_read_from_a_place():
    CLIENT.flushdb()
    ids = [CLIENT.xadd("log", {"n": number}) for number in range(10)]
    assert CLIENT.xlen("log") == 10
    assert CLIENT.xrange("log", count=2) == [(ids[0], {"n": "0"}), (ids[1], {"n": "1"})]
    assert CLIENT.xrevrange("log", count=1) == [(ids[9], {"n": "9"})]
    assert CLIENT.xread({"log": ids[7]}) == [["log", [(ids[8], {"n": "8"}), (ids[9], {"n": "9"})]]]
    assert CLIENT.xdel("log", ids[0]) == 1
    assert CLIENT.xtrim("log", maxlen=5, approximate=False) == 4
    assert CLIENT.xinfo_stream("log")["length"] == 5


def who_waits_for_an_entry_gets_it():
    got = []
    waiting = redis.Redis.from_url(URL, protocol=2, decode_responses=True)
    thread = threading.Thread(target=lambda: got.append(waiting.xread({"log": "$"}, block=20_000)))
    thread.start()
    until("somebody waits", lambda: int(CLIENT.info("clients")["blocked_clients"]) == 1)
    entry = CLIENT.xadd("log", {"n": "new"})
    thread.join()
    assert got == [[["log", [(entry, {"n": "new"})]]]], got
    assert waiting.xread({"log": "$"}, block=50) == []


def a_group_gives_each_entry_to_one_consumer():
    CLIENT.delete("work")
    assert CLIENT.xgroup_create("work", "workers", id="0", mkstream=True) is True
    error = fails(redis.ResponseError, lambda: CLIENT.xgroup_create("work", "workers", id="0"))
    assert "BUSYGROUP" in str(error), error
    ids = [CLIENT.xadd("work", {"job": number}) for number in range(4)]
    first = CLIENT.xreadgroup("workers", "a", {"work": ">"}, count=2)[0][1]
    second = CLIENT.xreadgroup("workers", "b", {"work": ">"})[0][1]
    assert [entry for entry, _ in first + second] == ids
    assert CLIENT.xack("work", "workers", ids[0]) == 1
    pending = CLIENT.xpending("work", "workers")
    assert pending["pending"] == 3 and pending["min"] == ids[1] and pending["max"] == ids[3], pending
    assert {it["name"]: it["pending"] for it in pending["consumers"]} == {"a": "1", "b": "2"} or {
        it["name"]: it["pending"] for it in pending["consumers"]
    } == {"a": 1, "b": 2}, pending
    assert CLIENT.xreadgroup("workers", "a", {"work": "0"}) == [["work", [(ids[1], {"job": "1"})]]]


def what_a_lost_consumer_had_is_claimed_by_another():
    ids = [it["message_id"] for it in CLIENT.xpending_range("work", "workers", "-", "+", 10, consumername="b")]
    cursor, entries, deleted = CLIENT.xautoclaim("work", "workers", "a", min_idle_time=0, start_id=ids[0])
    assert (cursor, [entry for entry, _ in entries], deleted) == ("0-0", ids, [])
    assert CLIENT.xclaim("work", "workers", "c", 0, [ids[0]], justid=True) == [ids[0]]
    details = CLIENT.xpending_range("work", "workers", "-", "+", 10, consumername="c")
    assert [it["message_id"] for it in details] == [ids[0]], details
    consumers = {it["name"]: it["pending"] for it in CLIENT.xinfo_consumers("work", "workers")}
    assert consumers == {"a": 2, "b": 0, "c": 1}, consumers
    assert CLIENT.xgroup_delconsumer("work", "workers", "c") == 1
    groups = CLIENT.xinfo_groups("work")
    assert [(it["name"], it["consumers"], it["pending"]) for it in groups] == [("workers", 2, 2)], groups
    assert CLIENT.xgroup_destroy("work", "workers")
    error = fails(redis.ResponseError, lambda: CLIENT.xreadgroup("workers", "a", {"work": ">"}))
    assert "NOGROUP" in str(error), error


run(
    a_log_is_read_from_a_place,
    who_waits_for_an_entry_gets_it,
    a_group_gives_each_entry_to_one_consumer,
    what_a_lost_consumer_had_is_claimed_by_another,
)
