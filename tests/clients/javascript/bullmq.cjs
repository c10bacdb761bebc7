// BullMQ: jobs with workers, retries, delays, priorities, schedules, flows, limits, and a worker that is lost.

const { FlowProducer, Queue, QueueEvents, Worker } = require('bullmq');
const Redis = require('ioredis');
const { assert, host, port, run, until, url } = require('./steps.cjs');

const connection = { host, port, maxRetriesPerRequest: null };
const open = [];

function keep(it) {
  it.on('error', (error) => console.error(error));
  open.push(it);
  return it;
}

const queue = (name) => keep(new Queue(name, { connection }));
const worker = (name, work, options = {}) => keep(new Worker(name, work, { connection, ...options }));

/** Closes what the step has opened. */
function tidy(step) {
  const whole = async () => {
    await step();
    while (open.length > 0) await open.pop().close();
  };
  return Object.defineProperty(whole, 'name', { value: step.name });
}

async function eachJobIsDoneOnceByOneOfTheWorkers() {
  const [jobs, events, done] = [queue('many'), keep(new QueueEvents('many', { connection })), []];
  // A hundred promises listen to them.
  [jobs, events].forEach((it) => it.setMaxListeners(0));
  await events.waitUntilReady();
  const work = async (job) => {
    done.push(job.data.number);
    await job.updateProgress(50);
    return job.data.number * 2;
  };
  const added = await jobs.addBulk(Array.from({ length: 100 }, (_, number) => ({ name: 'job', data: { number } })));
  worker('many', work, { concurrency: 5 });
  worker('many', work, { concurrency: 5 });
  const results = await Promise.all(added.map((job) => job.waitUntilFinished(events, 20_000)));
  assert.deepEqual(results, Array.from({ length: 100 }, (_, number) => number * 2));
  assert.deepEqual(done.sort((one, other) => one - other), Array.from({ length: 100 }, (_, number) => number));
  const counts = await jobs.getJobCounts('completed', 'failed', 'waiting', 'active');
  assert.deepEqual(counts, { completed: 100, failed: 0, waiting: 0, active: 0, paused: 0 });
}

async function aFailedJobIsTriedAgainUntilItsLastAttempt() {
  const jobs = queue('failing');
  worker('failing', async (job) => {
    if (job.attemptsMade < job.data.until) throw new Error('on purpose');
    return job.attemptsMade;
  });
  const backoff = { type: 'exponential', delay: 10 };
  const third = await jobs.add('job', { until: 2 }, { attempts: 5, backoff });
  const never = await jobs.add('job', { until: 9 }, { attempts: 2, backoff });
  await until('one is done', async () => (await third.getState()) === 'completed');
  await until('one has failed', async () => (await never.getState()) === 'failed');
  const failed = (await jobs.getFailed())[0];
  assert.deepEqual([failed.id, failed.attemptsMade, failed.failedReason], [never.id, 2, 'on purpose']);
  await never.retry();
  await until('it has failed anew', async () => (await never.isFailed()) && (await jobs.getFailedCount()) === 1);
}

async function aDelayedJobWaitsForItsTimeAndAPromotedOneDoesNot() {
  const [jobs, done] = [queue('later'), []];
  await jobs.add('long', {}, { delay: 3_600_000, jobId: 'long' });
  await jobs.add('short', {}, { delay: 200 });
  await jobs.add('now', {});
  worker('later', async (job) => done.push(job.name));
  await until('two are done', () => done.length === 2);
  assert.deepEqual(done, ['now', 'short']);
  await (await jobs.getJob('long')).promote();
  await until('all are done', () => done.length === 3);
}

async function moreImportantJobsComeFirst() {
  const [jobs, done] = [queue('ranked'), []];
  for (const priority of [3, 1, 2]) await jobs.add('job', { priority }, { priority });
  worker('ranked', async (job) => done.push(job.data.priority));
  await until('all are done', () => done.length === 3);
  assert.deepEqual(done, [1, 2, 3]);
}

async function aScheduleMakesJobs() {
  const [jobs, done] = [queue('scheduled'), []];
  worker('scheduled', async (job) => done.push(job.name));
  await jobs.upsertJobScheduler('often', { every: 100 }, { name: 'tick' });
  await until('it has ticked', () => done.length >= 3);
  assert.equal((await jobs.getJobSchedulers()).length, 1);
  assert.equal(await jobs.removeJobScheduler('often'), true);
}

async function aParentWaitsForItsChildren() {
  const flows = keep(new FlowProducer({ connection }));
  const parents = queue('parents');
  worker('children', async (job) => job.data.number);
  worker('parents', async (job) => {
    const values = Object.values(await job.getChildrenValues());
    return values.reduce((sum, value) => sum + value, 0);
  });
  const children = [1, 2, 3].map((number) => ({ name: 'child', queueName: 'children', data: { number } }));
  const flow = await flows.add({ name: 'parent', queueName: 'parents', children });
  await until('the parent is done', async () => (await flow.job.getState()) === 'completed');
  assert.equal((await parents.getJob(flow.job.id)).returnvalue, 6);
}

async function aPausedQueueRestsAndTheSameJobIsAddedOnce() {
  const [jobs, done] = [queue('paused'), []];
  worker('paused', async (job) => done.push(job.id));
  await jobs.pause();
  await jobs.add('job', {}, { jobId: 'one' });
  await jobs.add('job', {}, { jobId: 'one' });
  await jobs.add('job', {}, { deduplication: { id: 'same' } });
  await jobs.add('job', {}, { deduplication: { id: 'same' } });
  assert.equal((await jobs.getJobCounts('paused')).paused, 2);
  assert.deepEqual(done, []);
  await jobs.resume();
  await until('both are done', () => done.length === 2);
}

async function aLimitIsKept() {
  const [jobs, begun] = [queue('limited'), []];
  await jobs.addBulk(Array.from({ length: 6 }, () => ({ name: 'job', data: {} })));
  worker('limited', async () => begun.push(Date.now()), { limiter: { max: 2, duration: 1000 }, concurrency: 6 });
  await until('all are done', () => begun.length === 6);
  // Two seconds, less what passes between the taking of the first job and its begin.
  assert.ok(begun[5] - begun[0] >= 1100, `${begun.map((time) => time - begun[0])}`);
}

async function whatALostWorkerHadIsDoneByAnother() {
  const [jobs, done] = [queue('stalled'), []];
  await jobs.add('job', {});
  const client = new Redis(url, { maxRetriesPerRequest: null });
  // It takes the job, never renews its lock, and never finishes.
  const lost = new Worker('stalled', null, { connection: client, lockDuration: 200 });
  assert.ok(await lost.getNextJob('a token'));
  worker('stalled', async (job) => done.push(job.id), { stalledInterval: 100 });
  await until('another has done it', () => done.length === 1);
  await lost.close();
  client.disconnect();
}

async function aQueueIsCleanedAndObliterated() {
  const jobs = queue('many');
  assert.equal((await jobs.clean(0, 1000, 'completed')).length, 100);
  await jobs.obliterate({ force: true });
  const client = new Redis(url);
  assert.deepEqual(await client.keys('bull:many:*'), []);
  client.disconnect();
}

run(
  ...[
    eachJobIsDoneOnceByOneOfTheWorkers,
    aFailedJobIsTriedAgainUntilItsLastAttempt,
    aDelayedJobWaitsForItsTimeAndAPromotedOneDoesNot,
    moreImportantJobsComeFirst,
    aScheduleMakesJobs,
    aParentWaitsForItsChildren,
    aPausedQueueRestsAndTheSameJobIsAddedOnce,
    aLimitIsKept,
    whatALostWorkerHadIsDoneByAnother,
    aQueueIsCleanedAndObliterated,
  ].map(tidy),
);
