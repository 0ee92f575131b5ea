// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict';
// Runs tests one after the other and says how they went, as TAP. Node's own
// runner takes a rejection that nobody handles for a failure of the test, but
// the clients leave some behind: of uploads that fail, of reports that do not
// arrive. Pages and mini-programs go on then.

const { inspect } = require('node:util');

const TIMEOUT = 30000;

const tests = [];
let reject;  // fails the test that runs

function print(text) {
  process.stdout.write(`${text}\n`);
}

// run() and then always end(), each of which may be async.
function test(name, run, end) {
  tests.push({ name, run, end });
}

function limitTime() {
  let timer;
  const expired = new Promise((_, fail) => {
    reject = fail;
    timer = setTimeout(() => fail(new Error(`not done in ${TIMEOUT} ms`)),
      TIMEOUT);
  });

  return { expired, clear: () => clearTimeout(timer) };
}

// What went wrong; null if nothing did.
async function runOne({ run, end }) {
  const { expired, clear } = limitTime();
  let error = null;

  for (const step of [run, end])
    await Promise.race([Promise.resolve().then(step), expired])
      .catch((reason) => {
        error ??= reason ?? new Error('rejected');
      });
  expired.catch(() => {});
  clear();
  return error;
}

async function runAll() {
  let failures = 0;

  process.on('unhandledRejection', (reason) =>
    console.error('not handled:', reason));
  process.on('uncaughtException', (error) => reject(error));
  print(`1..${tests.length}`);
  for (const [i, one] of tests.entries()) {
    const begin = Date.now();
    const error = await runOne(one);

    print(`${error === null ? 'ok' : 'not ok'} ${i + 1} - ${one.name}`);
    print(`# ${Date.now() - begin} ms`);
    if (error !== null) {
      failures++;
      print(inspect(error).replace(/^/gm, '# '));
    }
  }
  return failures;
}

module.exports = { test, runAll };
