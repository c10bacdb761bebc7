"""redis-py's publish and subscribe, and keyspace notifications, in RESP2 and in RESP3."""

import redis
from steps import URL, run, until

CLIENT = redis.Redis.from_url(URL, decode_responses=True)


def subscriber(protocol):
    return redis.Redis.from_url(URL, protocol=protocol, decode_responses=True).pubsub()


def next_of(pubsub):
    """The next message that is none about subscribing."""
    message = until("a message", lambda: pubsub.get_message(ignore_subscribe_messages=True, timeout=1))
    return message["type"], message["pattern"], message["channel"], message["data"]


def confirmed(pubsub, kind, channel):
    message = until("a confirmation", lambda: pubsub.get_message(timeout=1))
    assert (message["type"], message["channel"]) == (kind, channel), message


def channels_and_patterns_get_what_is_published():
    for protocol in (2, 3):
        pubsub = subscriber(protocol)
        pubsub.subscribe("news")
        confirmed(pubsub, "subscribe", "news")
        pubsub.psubscribe("ne*")
        confirmed(pubsub, "psubscribe", "ne*")
        assert CLIENT.pubsub_numsub("news") == [("news", 1)]
        assert CLIENT.pubsub_numpat() == 1
        assert "news" in CLIENT.pubsub_channels()
        assert CLIENT.publish("news", "hello") == 2
        assert next_of(pubsub) == ("message", None, "news", "hello")
        assert next_of(pubsub) == ("pmessage", "ne*", "news", "hello")
        pubsub.unsubscribe("news")
        confirmed(pubsub, "unsubscribe", "news")
        assert CLIENT.publish("news", "again") == 1
        assert next_of(pubsub) == ("pmessage", "ne*", "news", "again")
        pubsub.close()
        until("the subscription is gone", lambda: CLIENT.pubsub_numpat() == 0)


def a_connection_with_subscriptions_is_checked_by_ping():
    # With RESP3 this client takes the letters of the answer apart, whoever the server is.
    pubsub = subscriber(2)
    pubsub.subscribe("quiet")
    confirmed(pubsub, "subscribe", "quiet")
    pubsub.ping("are you there")
    message = until("the pong", lambda: pubsub.get_message(timeout=1))
    assert message["type"] == "pong" and message["data"] == "are you there", message
    pubsub.close()


def a_thread_calls_handlers_in_the_order_of_publishing():
    pubsub, got = subscriber(2), []
    pubsub.subscribe(**{"events": lambda message: got.append(message["data"])})
    thread = pubsub.run_in_thread(sleep_time=0.01)
    until("it has subscribed", lambda: CLIENT.pubsub_numsub("events") == [("events", 1)])
    for number in range(500):
        CLIENT.publish("events", number)
    until("all has arrived", lambda: len(got) == 500)
    assert got == [str(number) for number in range(500)]
    thread.stop()
    thread.join()


def keys_tell_when_they_are_set_and_expire():
    CLIENT.config_set("notify-keyspace-events", "KEA")
    for protocol in (2, 3):
        pubsub = subscriber(protocol)
        pubsub.subscribe("__keyspace@0__:switch", "__keyevent@0__:expired")
        confirmed(pubsub, "subscribe", "__keyspace@0__:switch")
        confirmed(pubsub, "subscribe", "__keyevent@0__:expired")
        CLIENT.set("switch", "on", px=50)
        got = [next_of(pubsub)[2:] for _ in range(4)]
        assert got == [
            ("__keyspace@0__:switch", "set"),
            ("__keyspace@0__:switch", "expire"),
            ("__keyspace@0__:switch", "expired"),
            ("__keyevent@0__:expired", "switch"),
        ], got
        pubsub.close()


run(
    channels_and_patterns_get_what_is_published,
    a_connection_with_subscriptions_is_checked_by_ping,
    a_thread_calls_handlers_in_the_order_of_publishing,
    keys_tell_when_they_are_set_and_expire,
)
