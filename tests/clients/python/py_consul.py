"""py-consul: keys, locks with sessions, watches that block, the catalog, health, transactions, events, queries."""

import base64
import os
import threading

import consul
from steps import fails, run, until

HOST, PORT = os.environ["CONSUL_HTTP_ADDR"].rsplit(":", 1)
CLIENT = consul.Consul(host=HOST, port=int(PORT))
KV, SESSION = CLIENT.kv, CLIENT.session


def keys_are_put_read_listed_and_deleted():
    assert KV.put("config/color", "blue", flags=42)
    index, entry = KV.get("config/color")
    assert entry["Value"] == b"blue" and entry["Flags"] == 42 and int(index) == entry["ModifyIndex"]
    assert KV.put("config/a/b", b"\x00\xff")
    assert KV.get("config/", keys=True, separator="/")[1] == ["config/a/", "config/color"]
    assert [entry["Value"] for entry in KV.get("config/", recurse=True)[1]] == [b"\x00\xff", b"blue"]
    assert not KV.put("config/color", "red", cas=0)
    assert KV.put("config/color", "red", cas=entry["ModifyIndex"])
    assert not KV.delete("config/color", cas=entry["ModifyIndex"])
    assert KV.delete("config/", recurse=True)
    assert KV.get("config/color")[1] is None
    fails(consul.exceptions.BadRequest, lambda: KV.put("k", "v", acquire="x", release="y"))


def a_watch_blocks_until_its_key_changes():
    index, entry = KV.get("watched")
    assert entry is None
    found = []
    waiting = threading.Thread(target=lambda: found.append(KV.get("watched", index=index, wait="60s")))
    waiting.start()
    KV.put("unrelated", "x")
    assert not found
    KV.put("watched", "now")
    waiting.join(20)
    assert found[0][1]["Value"] == b"now" and int(found[0][0]) > int(index)
    unchanged, _ = KV.get("watched", index=found[0][0], wait="10ms")
    assert unchanged == found[0][0]


def a_session_is_made_shown_renewed_and_destroyed():
    identity = SESSION.create(name="one", ttl=10, lock_delay=1, behavior="delete")
    _, shown = SESSION.info(identity)
    assert (shown["Name"], shown["TTL"], shown["LockDelay"]) == ("one", "10s", 1_000_000_000)
    assert SESSION.renew(identity)["ID"] == identity
    assert [each["ID"] for each in SESSION.list()[1]] == [identity]
    assert [each["ID"] for each in SESSION.node(shown["Node"])[1]] == [identity]
    assert SESSION.destroy(identity)
    assert SESSION.info(identity)[1] is None and SESSION.list()[1] == []
    fails(consul.exceptions.NotFound, lambda: SESSION.renew(identity))
    fails(consul.exceptions.ConsulException, lambda: KV.put("lock", "x", acquire=identity))


def a_lock_has_one_holder_and_who_waits_is_woken_by_its_end():
    one, other = SESSION.create(lock_delay=0), SESSION.create(lock_delay=0)
    assert KV.put("lock", "one", acquire=one)
    assert not KV.put("lock", "other", acquire=other)
    index, entry = KV.get("lock")
    assert entry["Session"] == one and entry["LockIndex"] == 1
    assert not KV.put("lock", "", release=other)
    found = []
    waiting = threading.Thread(target=lambda: found.append(KV.get("lock", index=index, wait="60s")))
    waiting.start()
    SESSION.destroy(one)
    waiting.join(20)
    assert "Session" not in found[0][1] and found[0][1]["Value"] == b"one"
    assert KV.put("lock", "other", acquire=other)
    assert KV.put("lock", "", release=other)
    SESSION.destroy(other)


def several_take_turns():
    inside, turns, most = [], [], []

    def work(number):
        client = consul.Consul(host=HOST, port=int(PORT))
        session = client.session.create(lock_delay=0)
        until("it is our turn", lambda: client.kv.put("turn", str(number), acquire=session))
        inside.append(number)
        most.append(len(inside))
        inside.remove(number)
        turns.append(number)
        assert client.kv.put("turn", "", release=session)
        client.session.destroy(session)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(turns) == [0, 1, 2, 3, 4] and max(most) == 1


def a_key_of_a_session_goes_with_it():
    session = SESSION.create(behavior="delete", lock_delay=0)
    assert KV.put("ephemeral", "x", acquire=session)
    SESSION.destroy(session)
    assert KV.get("ephemeral")[1] is None


def a_transaction_is_all_or_nothing():
    value = base64.b64encode(b"v").decode()
    done = CLIENT.txn.put([{"KV": {"Verb": "set", "Key": "t/1", "Value": value}}, {"KV": {"Verb": "get", "Key": "t/1"}}])
    assert done["Results"][1]["KV"]["Value"] == value and done["Errors"] is None
    operations = [{"KV": {"Verb": "delete", "Key": "t/1"}}, {"KV": {"Verb": "get", "Key": "none"}}]
    error = fails(consul.exceptions.ClientError, lambda: CLIENT.txn.put(operations))
    assert "409" in str(error) and "doesn't exist" in str(error)
    assert KV.get("t/1")[1]["Value"] == b"v"


def the_catalog_and_health_know_the_service():
    _, services = CLIENT.catalog.services()
    assert "web" in services
    _, found = CLIENT.catalog.service("web")
    _, well = CLIENT.health.service("web", passing=True)
    assert [each["ServiceID"] for each in found] == [each["Service"]["ID"] for each in well]
    assert {check["Status"] for check in well[0]["Checks"]} == {"passing"}
    assert CLIENT.agent.self()["Config"]["NodeName"] == well[0]["Node"]["Node"]


def a_prepared_query_finds_it():
    query = CLIENT.query.create("web", name="prepared", onlypassing=True)
    found = CLIENT.query.execute("prepared")
    assert found["Service"] == "web" and len(found["Nodes"]) == 1
    assert [each["Name"] for each in CLIENT.query.list()] == ["prepared"]
    assert CLIENT.query.explain("prepared")["Query"]["ID"] == query["ID"]
    CLIENT.query.delete(query["ID"])


def an_event_is_heard():
    fired = CLIENT.event.fire("deploy", "payload")
    _, events = CLIENT.event.list(name="deploy")
    assert [event["ID"] for event in events] == [fired["ID"]]
    assert events[0]["Payload"] == b"payload"


run(
    keys_are_put_read_listed_and_deleted,
    a_watch_blocks_until_its_key_changes,
    a_session_is_made_shown_renewed_and_destroyed,
    a_lock_has_one_holder_and_who_waits_is_woken_by_its_end,
    several_take_turns,
    a_key_of_a_session_goes_with_it,
    a_transaction_is_all_or_nothing,
    the_catalog_and_health_know_the_service,
    a_prepared_query_finds_it,
    an_event_is_heard,
)
