// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict';
// What the tests of all three clients share: media to upload, upload
// signatures, and the question whether the service has what was sent.

const assert = require('node:assert/strict');
const crypto = require('node:crypto');
const { setTimeout: sleep } = require('node:timers/promises');

const MIB = 1048576;

// The emulator's default keys: the example of Tencent's documentation.
const SECRET_ID = 'AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE';
const SECRET_KEY = 'Gu5t9xGARNpq86cd98joQYCN3EXAMPLE';

let media = 0;

// Bytes that no other media of this run has, and no part like another.
function makeBytes(size) {
  const key = Buffer.alloc(16);

  key.writeUInt32BE(++media);
  return crypto.createCipheriv('aes-128-ctr', key, Buffer.alloc(16))
    .update(Buffer.alloc(size));
}

function md5(bytes) {
  return crypto.createHash('md5').update(bytes).digest('hex');
}

// An upload signature made here, for those that the service must refuse.
function sign({ key = SECRET_KEY, age = 0, lifetime = 3600, ...more } = {}) {
  const now = Math.floor(Date.now() / 1000) - age;
  const original = new URLSearchParams({ secretId: SECRET_ID,
    currentTimeStamp: now, expireTime: now + lifetime,
    random: crypto.randomInt(2 ** 32), ...more }).toString();
  const mac = crypto.createHmac('sha1', key).update(original).digest();

  return Buffer.concat([mac, Buffer.from(original)]).toString('base64');
}

// Asks until there is an answer; never longer than ten seconds.
async function until(what, ask) {
  const end = Date.now() + 10000;

  for (;;) {
    const answer = await ask();

    if (answer)
      return answer;
    assert(Date.now() < end, `waited in vain for ${what}`);
    await sleep(20);
  }
}

// The media of the list, which must hold exactly these bytes.
async function checkMedia(emulator, fileId, bytes, cover) {
  const { media: list } = await emulator.state();
  const found = list.find((item) => item.fileId === fileId);

  assert(found, `no media ${fileId}`);
  await checkObject(emulator, found, bytes);
  if (cover !== undefined)
    await checkObject(emulator, found.cover, cover);
  else
    assert.equal(found.cover, undefined);
  return found;
}

async function checkObject(emulator, object, bytes) {
  assert.equal(object.size, bytes.length);
  assert.equal(object.md5, md5(bytes));
  await checkUrl(emulator, object.url, bytes);
}

async function checkUrl(emulator, url, bytes) {
  const { port, pathname } = new URL(url);

  assert.equal(Number(port), emulator.port);
  assert(bytes.equals(await emulator.ask('GET', pathname)),
    'other bytes come back');
}

// The one upload of this media's name that is not completed.
async function findUpload(emulator, name) {
  const state = await emulator.state();
  const session = state.sessions.find((item) => item.name === name);

  return state.uploads.find((upload) => upload.key === session?.key);
}

module.exports = { MIB, SECRET_ID, SECRET_KEY, makeBytes, md5, sign, until,
  sleep, checkMedia, checkUrl, findUpload };
