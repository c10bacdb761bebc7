// What every program here begins with: where the server is, its steps one after another, waiting for a level.
//
// A step is a function that asserts; the first one that fails ends the program with exit code 1.

const assert = require('node:assert/strict');
const { setTimeout: pause } = require('node:timers/promises');

const url = process.env.REDIS_URL;
const { hostname: host, port } = new URL(url);

/** Runs the steps in their order, prints the name of each that held, and ends the program. */
async function run(...steps) {
  try {
    for (const step of steps) {
      await within(30_000, step.name, step());
      console.log(words(step.name));
    }
    process.exit(0);
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
}

/** Waits until level() resolves to something true, and returns that. */
async function until(what, level, patience = 20_000) {
  const deadline = Date.now() + patience;
  while (Date.now() < deadline) {
    const found = await level();
    if (found) return found;
    await pause(10);
  }
  throw new Error(`not within ${patience} ms: ${what}`);
}

async function within(patience, what, promise) {
  const late = pause(patience, undefined, { ref: false }).then(() => {
    throw new Error(`not within ${patience} ms: ${what}`);
  });
  return Promise.race([promise, late]);
}

function words(name) {
  return name.replace(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`);
}

module.exports = { assert, host, port: Number(port), run, until, url };
