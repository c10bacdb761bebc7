"""redis-py under asyncio: many tasks on one pool, a lock, a subscription, a blocked pop."""

import asyncio

import redis.asyncio as redis
from steps import URL, run


async def many_tasks_share_a_pool(client):
    await client.flushdb()
    await asyncio.gather(*(client.incr("n") for _ in range(500)))
    assert await client.get("n") == "500"
    async with client.pipeline(transaction=True) as pipeline:
        assert await pipeline.set("a", 1).incr("a").get("a").execute() == [True, 2, "2"]


async def tasks_take_turns_at_a_lock(client):
    inside, most = 0, 0
    await client.delete("turns")

    async def work():
        nonlocal inside, most
        async with client.lock("lock", timeout=60, sleep=0.001):
            inside += 1
            most = max(most, inside)
            await client.incr("turns")
            inside -= 1

    await asyncio.gather(*(work() for _ in range(20)))
    assert (most, await client.get("turns")) == (1, "20")


async def a_subscription_is_listened_to(client):
    async with client.pubsub() as pubsub:
        await pubsub.subscribe("news")
        assert (await anext(pubsub.listen()))["type"] == "subscribe"
        assert await client.publish("news", "hello") == 1
        assert (await anext(pubsub.listen()))["data"] == "hello"


async def a_blocked_pop_is_served_by_another_task(client):
    waiting = asyncio.create_task(client.blpop("queue", timeout=20))
    while int((await client.info("clients"))["blocked_clients"]) == 0:
        await asyncio.sleep(0.01)
    await client.rpush("queue", "work")
    assert tuple(await waiting) == ("queue", "work")


def with_each_protocol(step):
    async def all_protocols():
        for protocol in (2, 3):
            pool = redis.BlockingConnectionPool.from_url(
                URL, protocol=protocol, decode_responses=True, max_connections=20, timeout=30
            )
            async with redis.Redis.from_pool(pool) as client:
                await asyncio.wait_for(step(client), 30)

    def synchronous():
        asyncio.run(all_protocols())

    synchronous.__name__ = step.__name__
    return synchronous


run(
    *map(
        with_each_protocol,
        (
            many_tasks_share_a_pool,
            tasks_take_turns_at_a_lock,
            a_subscription_is_listened_to,
            a_blocked_pop_is_served_by_another_task,
        ),
    )
)
