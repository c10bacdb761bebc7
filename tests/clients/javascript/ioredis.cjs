// ioredis: commands, pipelines, transactions, scripts, subscriptions, streams, and a connection that comes back.

const Redis = require('ioredis');
const { assert, run, until, url } = require('./steps.cjs');

const redis = new Redis(url);

async function everyTypeHasItsAnswers() {
  await redis.flushdb();
  assert.equal(await redis.set('a', '1', 'EX', 100), 'OK');
  assert.equal(await redis.set('a', '2', 'NX'), null);
  assert.equal(await redis.set('a', '2', 'GET'), '1');
  assert.equal(await redis.incrby('a', 5), 7);
  await redis.mset({ x: 1, y: 2 });
  assert.deepEqual(await redis.mget('x', 'no', 'y'), ['1', null, '2']);
  await redis.hset('h', { one: 1, two: 2 });
  assert.deepEqual(await redis.hgetall('h'), { one: '1', two: '2' });
  await redis.rpush('l', 'a', 'b', 'c');
  assert.deepEqual(await redis.lrange('l', 0, -1), ['a', 'b', 'c']);
  await redis.zadd('z', 1, 'one', 2.5, 'two');
  assert.deepEqual(await redis.zrange('z', 0, -1, 'WITHSCORES'), ['one', '1', 'two', '2.5']);
  await redis.sadd('s', 'a', 'b');
  assert.equal(await redis.sismember('s', 'a'), 1);
  await redis.set('bytes', Buffer.from([0, 255, 13, 10]));
  assert.deepEqual(await redis.getBuffer('bytes'), Buffer.from([0, 255, 13, 10]));
  await assert.rejects(redis.lpush('a', 'x'), /WRONGTYPE/);
}

async function aPipelineGivesEachAnswerOrError() {
  const answers = await redis.pipeline().set('p', 'text').incr('p').get('p').exec();
  assert.deepEqual([answers[0], answers[2]], [[null, 'OK'], [null, 'text']]);
  assert.match(answers[1][0].message, /not an integer/);
  const automatic = new Redis(url, { enableAutoPipelining: true });
  await Promise.all(Array.from({ length: 1000 }, () => automatic.incr('n')));
  assert.equal(await automatic.get('n'), '1000');
  automatic.disconnect();
}

async function aTransactionIsGivenUpWhenAWatchedKeyChanges() {
  const watching = redis.duplicate();
  await watching.watch('w');
  await redis.set('w', 'theirs');
  assert.equal(await watching.multi().set('w', 'mine').exec(), null);
  assert.deepEqual(await watching.multi().set('w', 'mine').get('w').exec(), [[null, 'OK'], [null, 'mine']]);
  watching.disconnect();
}

async function aScriptBecomesACommand() {
  const lua = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end";
  redis.defineCommand('compareAndDelete', { numberOfKeys: 1, lua });
  await redis.set('k', 'mine');
  await redis.script('FLUSH');
  assert.equal(await redis.compareAndDelete('k', 'theirs'), 0);
  assert.deepEqual(await redis.pipeline().compareAndDelete('k', 'mine').exists('k').exec(), [
    [null, 1],
    [null, 0],
  ]);
}

async function everythingIsFoundByAScanStream() {
  const filling = redis.pipeline();
  for (let number = 0; number < 1000; number += 1) filling.set(`scan:${number}`, number);
  await filling.exec();
  const found = new Set();
  for await (const keys of redis.scanStream({ match: 'scan:*', count: 50 })) keys.forEach((key) => found.add(key));
  assert.equal(found.size, 1000);
}

async function subscribersHearWhatIsPublishedAndWhatExpires() {
  await redis.config('SET', 'notify-keyspace-events', 'KEA');
  const subscriber = redis.duplicate();
  const heard = [];
  subscriber.on('message', (channel, message) => heard.push([channel, message]));
  subscriber.on('pmessage', (pattern, channel, message) => heard.push([pattern, channel, message]));
  assert.equal(await subscriber.subscribe('news', '__keyevent@0__:expired'), 2);
  assert.equal(await subscriber.psubscribe('ne*'), 3);
  assert.equal(await redis.publish('news', 'hello'), 2);
  await redis.set('switch', 'on', 'PX', 30);
  await until('three messages', () => heard.length === 3);
  assert.deepEqual(heard, [
    ['news', 'hello'],
    ['ne*', 'news', 'hello'],
    ['__keyevent@0__:expired', 'switch'],
  ]);
  subscriber.disconnect();
}

async function shardsHaveChannelsOfTheirOwn() {
  const subscriber = redis.duplicate();
  const heard = [];
  subscriber.on('smessage', (channel, message) => heard.push([channel, message]));
  assert.equal(await subscriber.ssubscribe('news'), 1);
  assert.equal(await redis.publish('news', 'for others'), 0);
  assert.equal(await redis.spublish('news', 'hello'), 1);
  await until('a message', () => heard.length === 1);
  assert.deepEqual(heard, [['news', 'hello']]);
  subscriber.disconnect();
}

async function aConsumerOfAStreamWaitsForItsEntries() {
  await redis.xgroup('CREATE', 'work', 'workers', '$', 'MKSTREAM');
  const consumer = redis.duplicate();
  const waiting = consumer.xreadgroup('GROUP', 'workers', 'a', 'BLOCK', 20_000, 'STREAMS', 'work', '>');
  const id = await redis.xadd('work', '*', 'job', '1');
  assert.deepEqual(await waiting, [['work', [[id, ['job', '1']]]]]);
  assert.equal(await redis.xack('work', 'workers', id), 1);
  consumer.disconnect();
}

async function aBlockedClientIsServed() {
  const waiting = redis.duplicate();
  const popped = waiting.blpop('queue', 20);
  await until('somebody waits', async () => /blocked_clients:1/.test(await redis.info('clients')));
  await redis.rpush('queue', 'work');
  assert.deepEqual(await popped, ['queue', 'work']);
  assert.equal(await waiting.blpop('queue', 0.05), null);
  waiting.disconnect();
}

async function aKilledConnectionComesBackWithItsSubscriptions() {
  const subscriber = new Redis(url, { connectionName: 'ledger', retryStrategy: () => 10 });
  subscriber.on('error', () => {});
  const heard = [];
  subscriber.on('message', (_, message) => heard.push(message));
  await subscriber.subscribe('steady');
  const line = (await redis.client('LIST')).split('\n').find((client) => client.includes('name=ledger'));
  assert.equal(await redis.client('KILL', 'ID', /id=(\d+)/.exec(line)[1]), 1);
  await until('it hears again', async () => (await redis.publish('steady', 'hello')) === 1 && heard.length > 0);
  subscriber.disconnect();
}

run(
  everyTypeHasItsAnswers,
  aPipelineGivesEachAnswerOrError,
  aTransactionIsGivenUpWhenAWatchedKeyChanges,
  aScriptBecomesACommand,
  everythingIsFoundByAScanStream,
  subscribersHearWhatIsPublishedAndWhatExpires,
  shardsHaveChannelsOfTheirOwn,
  aConsumerOfAStreamWaitsForItsEntries,
  aBlockedClientIsServed,
  aKilledConnectionComesBackWithItsSubscriptions,
);
