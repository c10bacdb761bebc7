// The package consul: keys, locks with sessions, watches, the catalog, health, transactions, events, queries.

const Consul = require('consul');
const { assert, run, until } = require('./steps.cjs');

const [host, port] = process.env.CONSUL_HTTP_ADDR.split(':');
const consul = new Consul({ host, port: Number(port) });

// Where the agent answers false, the library says undefined.
const set = (options) => consul.kv.set(options);

async function keysArePutReadListedAndDeleted() {
  assert.equal(await set({ key: 'config/color', value: 'blue', flags: 42 }), true);
  const entry = await consul.kv.get('config/color');
  assert.equal(entry.Value, 'blue');
  assert.equal(entry.Flags, 42);
  await consul.kv.set('config/a/b', 'x');
  assert.deepEqual(await consul.kv.keys({ key: 'config/', separator: '/' }), ['config/a/', 'config/color']);
  assert.equal((await consul.kv.get({ key: 'config/', recurse: true })).length, 2);
  assert.ok(!(await set({ key: 'config/color', value: 'red', cas: '0' })));
  assert.equal(await set({ key: 'config/color', value: 'red', cas: String(entry.ModifyIndex) }), true);
  await consul.kv.del({ key: 'config/', recurse: true });
  assert.equal(await consul.kv.get('config/color'), undefined);
}

async function aWatchTellsOfEachChange() {
  const watch = consul.watch({ method: consul.kv.get, options: { key: 'watched', wait: '60s' } });
  const told = [];
  watch.on('change', (entry) => told.push(entry && entry.Value));
  watch.on('error', (error) => told.push(error));
  await until('it has looked', () => told.length === 1);
  for (const value of ['one', 'two']) {
    await consul.kv.set('unrelated', value);
    await consul.kv.set('watched', value);
    await until(`it tells of ${value}`, () => told.at(-1) === value);
  }
  watch.end();
  assert.deepEqual(told, [undefined, 'one', 'two']);
}

async function aSessionIsMadeShownRenewedAndDestroyed() {
  const { ID: id } = await consul.session.create({ name: 'one', ttl: '10s', lockdelay: '1s', behavior: 'delete' });
  const session = await consul.session.info(id);
  assert.equal(session.TTL, '10s');
  assert.equal(session.LockDelay, 1_000_000_000);
  assert.equal((await consul.session.renew(id))[0].ID, id);
  assert.deepEqual((await consul.session.list()).map((each) => each.ID), [id]);
  await consul.session.destroy(id);
  assert.deepEqual(await consul.session.list(), []);
  await assert.rejects(consul.kv.set({ key: 'lock', value: 'x', acquire: id }), /invalid session/);
}

async function aLockHasOneHolder() {
  const { ID: one } = await consul.session.create({ lockdelay: '0s' });
  const { ID: other } = await consul.session.create({ lockdelay: '0s' });
  assert.equal(await set({ key: 'lock', value: 'one', acquire: one }), true);
  assert.ok(!(await set({ key: 'lock', value: 'other', acquire: other })));
  assert.equal((await consul.kv.get('lock')).Session, one);
  await consul.session.destroy(one);
  assert.equal((await consul.kv.get('lock')).Session, undefined);
  assert.equal(await set({ key: 'lock', value: 'other', acquire: other }), true);
  assert.equal(await set({ key: 'lock', value: '', release: other }), true);
  await consul.session.destroy(other);
}

async function aTransactionIsAllOrNothing() {
  const value = Buffer.from('v').toString('base64');
  const set = { KV: { Verb: 'set', Key: 't/1', Value: value } };
  const done = await consul.transaction.create([set, { KV: { Verb: 'get', Key: 't/1' } }]);
  assert.equal(done.Results[1].KV.Value, value);
  const failing = [{ KV: { Verb: 'delete', Key: 't/1' } }, { KV: { Verb: 'get', Key: 'none' } }];
  await assert.rejects(consul.transaction.create(failing), (error) => error.statusCode === 409);
  assert.equal((await consul.kv.get('t/1')).Value, 'v');
}

async function theCatalogAndHealthKnowTheService() {
  assert.ok('web' in (await consul.catalog.service.list()));
  const [found] = await consul.catalog.service.nodes('web');
  const [well] = await consul.health.service({ service: 'web', passing: true });
  assert.equal(found.ServiceID, well.Service.ID);
  assert.ok(well.Checks.every((check) => check.Status === 'passing'));
}

async function aPreparedQueryFindsIt() {
  const { ID: id } = await consul.query.create({ name: 'prepared', service: { service: 'web', onlypassing: true } });
  assert.equal((await consul.query.execute({ query: 'prepared' })).Nodes.length, 1);
  assert.equal((await consul.query.get({ query: id })).Name, 'prepared');
  await consul.query.destroy(id);
  assert.deepEqual(await consul.query.list(), []);
}

async function anEventIsHeard() {
  const fired = await consul.event.fire('deploy', 'payload');
  const events = await consul.event.list('deploy');
  assert.deepEqual(events.map((event) => event.ID), [fired.ID]);
  assert.equal(events[0].Payload, 'payload');
}

run(
  keysArePutReadListedAndDeleted,
  aWatchTellsOfEachChange,
  aSessionIsMadeShownRenewedAndDestroyed,
  aLockHasOneHolder,
  aTransactionIsAllOrNothing,
  theCatalogAndHealthKnowTheService,
  aPreparedQueryFindsIt,
  anEventIsHeard,
);
