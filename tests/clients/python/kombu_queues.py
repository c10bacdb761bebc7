"""kombu on its Redis transport: direct, topic and fanout exchanges, what is not acknowledged comes back, priorities."""

import socket

from kombu import Connection, Consumer, Exchange, Producer, Queue
from steps import URL, run, until

# Redelivered after five seconds: far longer than a step takes that is not to meet it.
OPTIONS = {"visibility_timeout": 5, "unacked_restore_limit": 100, "priority_steps": [0, 5, 9]}


def connect():
    return Connection(URL, transport_options=OPTIONS)


class Inbox:
    """What has come to some queues, of a connection of its own."""

    def __init__(self, *queues, acknowledge=True, prefetch=0):
        self.messages, self.bodies = [], []
        self.connection = connect()
        self.acknowledge = acknowledge
        self.consumer = Consumer(self.connection.channel(), queues=queues, callbacks=[self.take], accept=["json", "text/plain"])
        if prefetch:
            self.consumer.qos(prefetch_count=prefetch)
        self.consumer.consume()

    def take(self, body, message):
        self.messages.append(message)
        self.bodies.append(body)
        if self.acknowledge:
            message.ack()

    def has(self, count):
        """Waits until so many have come."""

        def drained():
            try:
                self.connection.drain_events(timeout=0.1)
            except socket.timeout:
                pass
            return len(self.bodies) >= count

        until(f"{count} messages, not only {self.bodies}", drained)
        return self.bodies

    def close(self):
        self.connection.close()


def a_simple_queue_keeps_its_order():
    with connect() as connection, connection.SimpleQueue("simple") as queue:
        for number in range(100):
            queue.put({"n": number})
        assert queue.qsize() == 100
        for number in range(100):
            message = queue.get(timeout=20)
            assert message.payload == {"n": number}
            message.ack()
        # An empty list is no key.
        assert connection.default_channel.client.exists("simple") == 0


def a_topic_reaches_the_queues_whose_pattern_it_matches():
    exchange = Exchange("orders", type="topic")
    all_orders = Queue("all-orders", exchange, routing_key="order.#")
    paid = Queue("paid-orders", exchange, routing_key="order.*.paid")
    every, some = Inbox(all_orders), Inbox(paid)
    with connect() as connection:
        producer = Producer(connection.channel(), exchange=exchange)
        producer.publish("new", routing_key="order.1.new")
        producer.publish("paid", routing_key="order.1.paid")
        producer.publish("other", routing_key="bill.1.paid")
    assert every.has(2) == ["new", "paid"]
    assert some.has(1) == ["paid"]
    every.close()
    some.close()


def a_fanout_reaches_everybody_who_listens():
    exchange = Exchange("news", type="fanout")
    one, two = Inbox(Queue("news-1", exchange)), Inbox(Queue("news-2", exchange))
    with connect() as connection:
        producer = Producer(connection.channel(), exchange=exchange)
        clients = connection.default_channel.client.client_list
        heard = lambda: sum(int(client["psub"]) for client in clients()) == 2
        until("both have subscribed", lambda: drain(one, two) and heard())
        producer.publish({"hello": "all"})
    assert one.has(1) == two.has(1) == [{"hello": "all"}]
    one.close()
    two.close()


def drain(*inboxes):
    """Lets their connections do what they have to: they subscribe when they are polled."""
    for inbox in inboxes:
        try:
            inbox.connection.drain_events(timeout=0.01)
        except socket.timeout:
            pass
    return True


def what_nobody_acknowledges_comes_back():
    queue = Queue("careful", Exchange("careful"), routing_key="careful")
    first = Inbox(queue, acknowledge=False)
    with connect() as connection:
        Producer(connection.channel(), exchange=queue.exchange).publish("work", routing_key="careful")
    assert first.has(1) == ["work"]
    first.messages[0].reject(requeue=True)
    assert first.has(2) == ["work", "work"]
    # It goes away with its message; another one gets that.
    first.close()
    second = Inbox(queue)
    assert second.has(1) == ["work"]
    assert second.messages[0].delivery_info["redelivered"] is True
    second.close()


def more_important_messages_come_first():
    queue = Queue("ranked", Exchange("ranked"), routing_key="ranked")
    with connect() as connection:
        channel = connection.channel()
        queue(channel).declare()
        producer = Producer(channel, exchange=queue.exchange, routing_key="ranked")
        for priority in (9, 5, 0):
            producer.publish({"priority": priority}, priority=priority)
    inbox = Inbox(queue, prefetch=1)
    # For this transport 0 is the most important.
    assert [body["priority"] for body in inbox.has(3)] == [0, 5, 9]
    inbox.close()


run(
    a_simple_queue_keeps_its_order,
    a_topic_reaches_the_queues_whose_pattern_it_matches,
    a_fanout_reaches_everybody_who_listens,
    what_nobody_acknowledges_comes_back,
    more_important_messages_come_first,
)
