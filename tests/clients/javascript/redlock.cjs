// redlock on ioredis: a lock is taken, refused, extended, given back, kept for as long as the work takes.

const Redis = require('ioredis');
const { default: Redlock, ExecutionError } = require('redlock');
const { assert, run, until, url } = require('./steps.cjs');

const redis = new Redis(url);
const once = new Redlock([redis], { retryCount: 0 });
const patient = new Redlock([new Redis(url)], { retryCount: 5000, retryDelay: 5, retryJitter: 5 });

async function aLockHasOneHolder() {
  await redis.flushdb();
  const lock = await once.acquire(['a', 'b'], 60_000);
  assert.equal(await redis.get('a'), lock.value);
  await assert.rejects(once.acquire(['b'], 60_000), ExecutionError);
  await lock.release();
  assert.equal(await redis.exists('a', 'b'), 0);
}

async function aHolderExtends() {
  const lock = await once.acquire(['a'], 10_000);
  const longer = await lock.extend(60_000);
  assert.ok((await redis.pttl('a')) > 50_000);
  await longer.release();
}

async function whoLostTheLockCannotGiveItBack() {
  const lost = await once.acquire(['a'], 50);
  await until('it has expired', async () => (await redis.exists('a')) === 0);
  const other = await once.acquire(['a'], 60_000);
  await assert.rejects(lost.release(), ExecutionError);
  assert.equal(await redis.get('a'), other.value);
  await other.release();
}

async function thoseWhoWaitTakeTurns() {
  let [inside, most, turns] = [0, 0, 0];
  const work = () =>
    patient.using(['a'], 5_000, async () => {
      inside += 1;
      most = Math.max(most, inside);
      await redis.incr('turns');
      inside -= 1;
      turns += 1;
    });
  await Promise.all(Array.from({ length: 20 }, work));
  assert.deepEqual([most, turns], [1, 20]);
}

async function aLockIsKeptForAsLongAsTheWorkTakes() {
  let renewed = 0;
  redis.config('SET', 'notify-keyspace-events', 'KEA');
  const watcher = new Redis(url);
  watcher.on('message', () => (renewed += 1));
  await watcher.subscribe('__keyevent@0__:expire');
  // Renewed each second, three seconds before its end: a machine may stand still for a while.
  await patient.using(['a'], 4_000, { automaticExtensionThreshold: 3_000 }, async (signal) => {
    const before = renewed;
    await until('it was renewed twice', () => renewed >= before + 2);
    assert.equal(signal.aborted, false);
    assert.equal(await redis.exists('a'), 1);
  });
  assert.equal(await redis.exists('a'), 0);
}

run(
  aLockHasOneHolder,
  aHolderExtends,
  whoLostTheLockCannotGiveItBack,
  thoseWhoWaitTakeTurns,
  aLockIsKeptForAsLongAsTheWorkTakes,
);
