// ioredis and node-redis as clients of a cluster: they ask for its slots first.

const Redis = require('ioredis');
const { createCluster } = require('redis');
const { assert, host, port, run, url } = require('./steps.cjs');

const keys = Array.from({ length: 100 }, (_, number) => `key:${number}`);

async function ioredisFindsTheNode() {
  const cluster = new Redis.Cluster([{ host, port }]);
  await cluster.flushall();
  assert.equal(cluster.nodes('master').length, 1);
  await Promise.all(keys.map((key) => cluster.set(key, key)));
  assert.deepEqual(await Promise.all(keys.map((key) => cluster.get(key))), keys);
  assert.deepEqual(await cluster.multi().set('{tag}a', 1).incr('{tag}a').exec(), [[null, 'OK'], [null, 2]]);
  assert.equal(await cluster.eval("return redis.call('GET', KEYS[1])", 1, '{tag}a'), '2');
  cluster.disconnect();
}

async function nodeRedisFindsTheNode() {
  const cluster = createCluster({ rootNodes: [{ url }] });
  await cluster.connect();
  assert.equal(cluster.masters.length, 1);
  await Promise.all(keys.map((key) => cluster.set(key, `${key}!`)));
  assert.deepEqual(await Promise.all(keys.map((key) => cluster.get(key))), keys.map((key) => `${key}!`));
  assert.deepEqual(await cluster.multi().set('{tag}a', '1').incr('{tag}a').exec(), ['OK', 2]);
  await cluster.close();
}

run(ioredisFindsTheNode, nodeRedisFindsTheNode);
