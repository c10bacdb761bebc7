"""redis-py's client for a cluster: it asks for the slots, and sends each key to the node that has its slot."""

import redis
from redis.cluster import RedisCluster
from redis.exceptions import LockNotOwnedError
from steps import URL, fails, run

CLIENT = RedisCluster.from_url(URL)
KEYS = [f"key:{number}" for number in range(100)]


def a_client_of_a_cluster_finds_the_node():
    CLIENT.flushall()
    assert len(CLIENT.get_nodes()) == 1 and CLIENT.get_primaries()
    assert CLIENT.cluster_info()["cluster_state"] == "ok"
    assert sum(len(node["slots"]) for node in CLIENT.cluster_nodes().values()) == 1


def keys_of_all_slots_are_there():
    assert len({CLIENT.keyslot(key) for key in KEYS}) > 50
    for key in KEYS:
        assert CLIENT.cluster_keyslot(key) == CLIENT.keyslot(key)
    assert CLIENT.mset_nonatomic({key: key for key in KEYS})
    assert CLIENT.mget_nonatomic(KEYS) == [key.encode() for key in KEYS]
    with CLIENT.pipeline() as pipe:
        for key in KEYS:
            pipe.strlen(key)
        assert pipe.execute() == [len(key) for key in KEYS]


def one_slot_has_transactions_scripts_and_locks():
    with redis.Redis.from_url(URL).pipeline(transaction=True) as pipe:
        assert pipe.set("{tag}a", 1).incr("{tag}b").execute() == [True, 1]
    script = CLIENT.register_script("return redis.call('GET', KEYS[1]) .. redis.call('GET', KEYS[2])")
    assert script(keys=["{tag}a", "{tag}b"]) == b"11"
    held = CLIENT.lock("lock", timeout=60)
    assert held.acquire(blocking=False)
    assert not CLIENT.lock("lock", timeout=60).acquire(blocking=False)
    held.release()
    fails(LockNotOwnedError, lambda: held.do_release("somebody"))


run(
    a_client_of_a_cluster_finds_the_node,
    keys_of_all_slots_are_there,
    one_slot_has_transactions_scripts_and_locks,
)
