"""redis-py: commands, pipelines, transactions, scripts. In RESP2 and in RESP3, as a program that stores and counts does."""

import threading

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from steps import URL, fails, run, until

RESP2 = redis.Redis.from_url(URL, protocol=2, decode_responses=True)
RESP3 = redis.Redis.from_url(URL, protocol=3, decode_responses=True)
PLAIN = redis.Redis.from_url(URL)


def strings_expire_and_count():
    for client in (RESP2, RESP3, PLAIN):
        client.flushdb()
        assert client.set("a", "1", ex=100) is True
        assert client.set("a", "2", nx=True) is None
        assert client.set("a", "2", get=True, keepttl=True) in ("1", b"1")
        assert 99 <= client.ttl("a") <= 100
        assert client.incrby("a", 5) == 7
        assert client.incrbyfloat("f", "0.5") == 0.5
        assert client.mset({"x": "1", "y": "2"}) is True
        assert [None if it is None else int(it) for it in client.mget("x", "no", "y")] == [1, None, 2]
        assert client.getex("x", px=50_000) in ("1", b"1")
        assert 0 < client.pttl("x") <= 50_000
        assert client.persist("x") is True and client.ttl("x") == -1
        assert client.getdel("x") in ("1", b"1")
        assert client.exists("x", "y") == 1
        assert client.append("y", "34") == 3 and client.strlen("y") == 3
        assert client.getrange("y", 1, -1) in ("34", b"34")
        assert client.delete("a", "f", "y", "no") == 3


def values_are_bytes():
    value = bytes(range(256))
    PLAIN.set(value, value)
    assert PLAIN.get(value) == value
    assert PLAIN.keys() == [value]


def hashes_lists_sets_and_sorted_sets():
    for client in (RESP2, RESP3):
        client.flushdb()
        assert client.hset("h", mapping={"one": 1, "two": 2}) == 2
        assert client.hgetall("h") == {"one": "1", "two": "2"}
        assert client.hincrby("h", "one", 10) == 11
        assert client.hmget("h", "two", "no") == ["2", None]
        assert client.hdel("h", "one") == 1
        assert client.rpush("l", "a", "b", "c") == 3
        assert client.lrange("l", 0, -1) == ["a", "b", "c"]
        assert client.lmove("l", "m", "LEFT", "RIGHT") == "a"
        assert client.lpop("l", 2) == ["b", "c"]
        assert client.blpop(["l", "m"], timeout=1) in (("m", "a"), ["m", "a"])
        assert client.sadd("s", "a", "b") == 2 and client.sadd("t", "b", "c") == 2
        assert client.smembers("s") == {"a", "b"}
        assert client.sinter("s", "t") == {"b"}
        assert client.smismember("s", ["a", "z"]) == [1, 0]
        assert client.zadd("z", {"one": 1, "two": 2.5}) == 2
        assert client.zadd("z", {"one": 3}, gt=True, ch=True) == 1
        assert [tuple(pair) for pair in client.zrange("z", 0, -1, withscores=True)] == [("two", 2.5), ("one", 3.0)]
        assert client.zscore("z", "two") == 2.5
        assert client.zrange("z", "-inf", "(3", byscore=True) == ["two"]
        # In RESP3 it is the pair itself.
        assert client.zpopmin("z") in ([("two", 2.5)], ["two", 2.5])


def everything_is_found_by_scan():
    with RESP3.pipeline(transaction=False) as pipeline:
        for number in range(2_000):
            pipeline.set(f"scan:{number}", number)
        assert all(pipeline.execute())
    assert len(set(RESP3.scan_iter("scan:*", count=100))) == 2_000
    assert set(RESP2.scan_iter("scan:199*")) == {"scan:199"} | {f"scan:199{digit}" for digit in range(10)}
    assert RESP3.unlink(*RESP3.keys("scan:*")) == 2_000


def a_pipeline_keeps_going_after_an_error():
    with RESP3.pipeline(transaction=False) as pipeline:
        pipeline.set("p", "text").incr("p").get("p")
        answers = pipeline.execute(raise_on_error=False)
    assert answers[0] is True and answers[2] == "text"
    assert isinstance(answers[1], redis.ResponseError)
    error = fails(redis.ResponseError, lambda: RESP2.lpush("p", "x"))
    assert "WRONGTYPE" in str(error), error


def a_transaction_sees_that_a_watched_key_has_changed():
    RESP3.set("w", 1)
    with RESP3.pipeline() as pipeline:
        pipeline.watch("w")
        seen = int(pipeline.get("w"))
        RESP2.set("w", 10)
        pipeline.multi()
        pipeline.set("w", seen + 1)
        fails(redis.WatchError, pipeline.execute)
    assert RESP3.get("w") == "10"


def nothing_is_lost_by_those_who_count_with_watch():
    RESP3.set("n", 0)

    def count():
        client = redis.Redis.from_url(URL)
        for _ in range(25):
            client.transaction(lambda it: (n := int(it.get("n")), it.multi(), it.set("n", n + 1)), "n")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert RESP3.get("n") == "100"


def scripts_are_loaded_when_the_server_does_not_know_them():
    compare_and_delete = RESP3.register_script(
        "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"
    )
    RESP3.set("k", "mine")
    RESP3.script_flush()
    assert compare_and_delete(keys=["k"], args=["theirs"]) == 0
    assert compare_and_delete(keys=["k"], args=["mine"]) == 1
    assert RESP3.script_exists(compare_and_delete.sha) == [True]
    RESP3.script_flush()
    with RESP3.pipeline() as pipeline:
        pipeline.set("k", "mine")
        compare_and_delete(keys=["k"], args=["mine"], client=pipeline)
        assert pipeline.execute() == [True, 1]
    assert RESP2.eval("return {1, 'two', {3}, false}", 0) == [1, "two", [3], None]
    error = fails(redis.ResponseError, lambda: RESP2.eval("return redis.call('lpush', KEYS[1])", 1, "k"))
    assert "rong number of arg" in str(error), error


def a_blocked_client_is_served_and_then_times_out():
    waiting = redis.Redis.from_url(URL)
    got = []
    thread = threading.Thread(target=lambda: got.append(waiting.brpop(["queue"], timeout=20)))
    thread.start()
    until("somebody waits", lambda: int(RESP3.info("clients")["blocked_clients"]) == 1)
    RESP3.lpush("queue", "work")
    thread.join()
    assert [tuple(it) for it in got] == [(b"queue", b"work")], got
    assert waiting.blpop(["queue"], timeout=0.1) is None


def a_client_has_a_name_and_is_listed():
    again = Retry(ConstantBackoff(0.01), retries=100)
    named = redis.Redis.from_url(URL, client_name="ledger", decode_responses=True, retry=again)
    assert named.client_getname() == "ledger"
    mine = [client for client in RESP2.client_list() if client["name"] == "ledger"]
    assert len(mine) == 1 and int(mine[0]["id"]) == named.client_id(), mine
    # Redis says so since 7.2.
    assert mine[0].get("lib-name", "redis-py").startswith("redis-py"), mine
    assert RESP3.client_kill_filter(_id=mine[0]["id"]) == 1
    # The connection is gone; the client makes a new one when it notices.
    assert named.ping() is True


def the_server_describes_itself():
    assert RESP3.info("server")["redis_mode"] == "standalone"
    assert RESP3.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert RESP3.dbsize() == len(RESP3.keys())
    assert RESP2.command_count() == len(RESP2.command())
    assert RESP3.time()[0] > 1_500_000_000
    assert RESP3.object("encoding", "w")
    other = redis.Redis.from_url(URL, db=3)
    other.set("elsewhere", 1)
    assert RESP3.exists("elsewhere") == 0
    other.flushdb()


run(
    strings_expire_and_count,
    values_are_bytes,
    hashes_lists_sets_and_sorted_sets,
    everything_is_found_by_scan,
    a_pipeline_keeps_going_after_an_error,
    a_transaction_sees_that_a_watched_key_has_changed,
    nothing_is_lost_by_those_who_count_with_watch,
    scripts_are_loaded_when_the_server_does_not_know_them,
    a_blocked_client_is_served_and_then_times_out,
    a_client_has_a_name_and_is_listed,
    the_server_describes_itself,
)
