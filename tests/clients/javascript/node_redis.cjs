// node-redis in RESP2 and in RESP3: commands, transactions, a pool, scripts, subscriptions, streams.

const redis = require('redis');
const { assert, run, until, url } = require('./steps.cjs');

const compareAndDelete = redis.defineScript({
  NUMBER_OF_KEYS: 1,
  SCRIPT: "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end",
  parseCommand(parser, key, value) {
    parser.pushKey(key);
    parser.push(value);
  },
  transformReply: (reply) => reply,
});

async function connect(RESP, options = {}) {
  const client = redis.createClient({ url, RESP, scripts: { compareAndDelete }, ...options });
  client.on('error', () => {});
  return client.connect();
}

/** Runs the step with a client of each protocol. */
function withEachProtocol(step) {
  const both = async () => {
    for (const RESP of [2, 3]) {
      const client = await connect(RESP);
      await client.flushDb();
      await step(client, RESP);
      client.destroy();
    }
  };
  return Object.defineProperty(both, 'name', { value: step.name });
}

async function everyTypeHasItsAnswers(client) {
  assert.equal(await client.set('a', '1', { expiration: { type: 'EX', value: 100 } }), 'OK');
  assert.equal(await client.set('a', '2', { condition: 'NX' }), null);
  assert.equal(await client.incrBy('a', 5), 6);
  await client.mSet({ x: '1', y: '2' });
  assert.deepEqual(await client.mGet(['x', 'no', 'y']), ['1', null, '2']);
  assert.equal(await client.hSet('h', { one: 1, two: 2 }), 2);
  assert.deepEqual({ ...(await client.hGetAll('h')) }, { one: '1', two: '2' });
  assert.equal(await client.rPush('l', ['a', 'b', 'c']), 3);
  assert.equal(await client.lMove('l', 'm', 'LEFT', 'RIGHT'), 'a');
  await client.zAdd('z', [
    { value: 'one', score: 1 },
    { value: 'two', score: 2.5 },
  ]);
  assert.deepEqual(await client.zRangeWithScores('z', 0, -1), [
    { value: 'one', score: 1 },
    { value: 'two', score: 2.5 },
  ]);
  assert.equal(await client.zScore('z', 'two'), 2.5);
  await client.sAdd('s', ['a', 'b']);
  assert.deepEqual([...(await client.sMembers('s'))].sort(), ['a', 'b']);
  await assert.rejects(client.lPush('a', 'x'), /WRONGTYPE/);
}

async function whatIsSentTogetherIsAnsweredInOrder(client) {
  const counts = await Promise.all(Array.from({ length: 1000 }, () => client.incr('n')));
  assert.deepEqual(counts, Array.from({ length: 1000 }, (_, at) => at + 1));
  assert.deepEqual(await client.multi().set('m', '1').incr('m').get('m').exec(), ['OK', 2, '2']);
}

async function aTransactionIsGivenUpWhenAWatchedKeyChanges(client) {
  const other = await connect(2);
  await client.watch('w');
  await other.set('w', 'theirs');
  await assert.rejects(client.multi().set('w', 'mine').exec(), redis.WatchError);
  assert.equal(await client.get('w'), 'theirs');
  other.destroy();
}

async function aPoolCountsWithoutLosingAnything(client, RESP) {
  // The default of three seconds is over on a busy machine before everybody has had a turn.
  const pool = redis.createClientPool({ url, RESP }, { minimum: 1, maximum: 10, acquireTimeout: 60_000 });
  await pool.connect();
  const count = async (own) => {
    for (;;) {
      await own.watch('pooled');
      const next = String(Number(await own.get('pooled')) + 1);
      try {
        return await own.multi().set('pooled', next).exec();
      } catch (error) {
        if (!(error instanceof redis.WatchError)) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: 100 }, () => pool.execute(count)));
  assert.equal(await client.get('pooled'), '100');
  pool.destroy();
}

async function aScriptIsLoadedWhenTheServerDoesNotKnowIt(client) {
  await client.set('k', 'mine');
  await client.scriptFlush();
  assert.equal(await client.compareAndDelete('k', 'theirs'), 0);
  assert.equal(await client.compareAndDelete('k', 'mine'), 1);
}

async function everythingIsFoundByScanning(client) {
  await Promise.all(Array.from({ length: 1000 }, (_, number) => client.set(`scan:${number}`, String(number))));
  const found = new Set();
  for await (const keys of client.scanIterator({ MATCH: 'scan:*', COUNT: 50 })) keys.forEach((key) => found.add(key));
  assert.equal(found.size, 1000);
}

async function subscribersHearWhatIsPublishedAndWhatExpires(client, RESP) {
  await client.configSet('notify-keyspace-events', 'KEA');
  const subscriber = await connect(RESP);
  const heard = [];
  await subscriber.subscribe('news', (message, channel) => heard.push([channel, message]));
  await subscriber.pSubscribe('ne*', (message, channel) => heard.push(['ne*', channel, message]));
  await subscriber.subscribe('__keyevent@0__:expired', (message) => heard.push([message]));
  assert.equal(await client.publish('news', 'hello'), 2);
  await client.set('switch', 'on', { expiration: { type: 'PX', value: 30 } });
  await until('three messages', () => heard.length === 3);
  assert.deepEqual(heard, [['news', 'hello'], ['ne*', 'news', 'hello'], ['switch']]);
  await subscriber.unsubscribe('news');
  assert.equal(await client.publish('news', 'again'), 1);
  subscriber.destroy();
}

async function shardsHaveChannelsOfTheirOwn(client, RESP) {
  const subscriber = await connect(RESP);
  const heard = [];
  await subscriber.sSubscribe('news', (message) => heard.push(message));
  assert.equal(await client.publish('news', 'for others'), 0);
  assert.equal(await client.sPublish('news', 'hello'), 1);
  await until('a message', () => heard.length === 1);
  assert.deepEqual(heard, ['hello']);
  subscriber.destroy();
}

async function aCopyIsForgottenWhenSomebodyWrites(client, RESP) {
  if (RESP === 2) return;
  const cache = new redis.BasicClientSideCache({ ttl: 0, maxEntries: 100, recordStats: true });
  const caching = await connect(3, { clientSideCache: cache });
  await client.set('cached', 'old');
  for (let again = 0; again < 3; again += 1) assert.equal(await caching.get('cached'), 'old');
  assert.deepEqual([cache.stats().missCount, cache.stats().hitCount], [1, 2]);
  await client.set('cached', 'new');
  await until('the new value', async () => (await caching.get('cached')) === 'new');
  caching.destroy();
}

async function aGroupReadsAStream(client, RESP) {
  await client.xGroupCreate('work', 'workers', '$', { MKSTREAM: true });
  const consumer = await connect(RESP);
  const waiting = consumer.xReadGroup('workers', 'a', { key: 'work', id: '>' }, { BLOCK: 20_000 });
  const id = await client.xAdd('work', '*', { job: '1' });
  // In RESP3 this client gives it as it came.
  if (RESP === 3) assert.deepEqual((await waiting).work, [[id, ['job', '1']]]);
  else assert.deepEqual((await waiting)[0].messages.map((it) => [it.id, it.message.job]), [[id, '1']]);
  assert.equal((await client.xPending('work', 'workers')).pending, 1);
  const claimed = await client.xAutoClaim('work', 'workers', 'b', 0, '0-0');
  assert.deepEqual(claimed.messages.map((it) => it.id), [id]);
  assert.equal(await client.xAck('work', 'workers', id), 1);
  consumer.destroy();
}

async function aBlockedClientIsServed(client, RESP) {
  const waiting = await connect(RESP);
  const popped = waiting.blPop('queue', 20);
  await until('somebody waits', async () => /blocked_clients:1/.test(await client.info('clients')));
  await client.rPush('queue', 'work');
  assert.deepEqual({ ...(await popped) }, { key: 'queue', element: 'work' });
  waiting.destroy();
}

run(
  ...[
    everyTypeHasItsAnswers,
    whatIsSentTogetherIsAnsweredInOrder,
    aTransactionIsGivenUpWhenAWatchedKeyChanges,
    aPoolCountsWithoutLosingAnything,
    aScriptIsLoadedWhenTheServerDoesNotKnowIt,
    everythingIsFoundByScanning,
    subscribersHearWhatIsPublishedAndWhatExpires,
    shardsHaveChannelsOfTheirOwn,
    aCopyIsForgottenWhenSomebodyWrites,
    aGroupReadsAStream,
    aBlockedClientIsServed,
  ].map(withEachProtocol),
);
