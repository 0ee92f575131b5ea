// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict';
// vod-wx-sdk-v2, the SDK of mini-programs, against the emulator.

const assert = require('node:assert/strict');

const { MIB, makeBytes, sign, sleep, until, checkMedia, checkUrl, findUpload } =
  require('./common.js');
const { Emulator } = require('./emulator.js');
const { test } = require('./tap.js');
const { Phone } = require('./wx.js');

const emulator = Emulator.usual();
let names = 0;
let phone;

function check(what, run) {
  test(`vod-wx-sdk-v2: ${what}`, async () => {
    await emulator.clearFaults();
    await emulator.mark();
    phone = new Phone(emulator);
    await run();
  }, () => phone.kill());
}

// Starts an upload; gives { uploader, ended, name, progress }, where ended is
// kept with { finish } or { error }.
function start(options, program = phone.start()) {
  const upload = { name: `wx ${++names} 测试`, progress: [], ...options };

  upload.ended = new Promise((resolve) => {
    upload.uploader = program.start({
      getSignature: (callback) => emulator.signature().then(callback),
      mediaName: upload.name, chunkSize: MIB, chunkParallelLimit: 3,
      progressInterval: 20, ...options,
      progress: (info) => upload.progress.push(info),
      finish: (finish) => resolve({ finish }),
      error: (error) => resolve({ error }),
    });
  });
  return upload;
}

// Uploads to the end, and checks what has arrived.
async function upload(bytes, options = {}) {
  const begun = start({ mediaFile: phone.chooseVideo(bytes), ...options });
  const { finish, error } = await begun.ended;

  assert(finish, `it failed: ${JSON.stringify(error)}`);
  begun.media = await checkMedia(emulator, finish.fileId, bytes,
    options.cover);
  begun.finish = finish;
  return begun;
}

async function waitForParts(name, count) {
  return until(`${count} parts`, async () => {
    const found = await findUpload(emulator, name);
    return found !== undefined && found.parts.length >= count && found;
  });
}

// It is the same upload, and what was there before is not sent again.
function checkResumed(media, { uploadId, parts }) {
  assert.equal(media.resumed, true);
  assert.equal(media.uploadId, uploadId);
  for (const { number } of parts)
    assert.equal(media.sent[number], 1, `part ${number} went again`);
}

check('slices of 8 MiB through the forwarder, the defaults', async () => {
  const bytes = makeBytes(19 * MIB + 12345);
  const { finish, media, name, progress } = await upload(bytes,
    { chunkSize: undefined, chunkParallelLimit: undefined });

  assert.equal(finish.videoName, name);
  assert.equal(finish.coverUrl, undefined);
  assert(finish.verify_content);
  assert.equal(media.name, name);
  assert.equal(media.type, 'mp4');
  assert.equal(media.parts, 3);
  await checkUrl(emulator, finish.videoUrl, bytes);
  const last = progress.at(-1);
  assert.deepEqual([last.loaded, last.total, last.percent],
    [bytes.length, bytes.length, 1]);
  assert(progress.every(({ percent }) => percent >= 0 && percent <= 1));
  assert.equal(phone.storage.size, 0, 'nothing is left to resume');
});

check('a file of a hundred bytes', async () => {
  const { media } = await upload(makeBytes(100));

  assert.equal(media.parts, 1);
});

check('a name of its own when none is given', async () => {
  const { finish } = await upload(makeBytes(1000), { mediaName: undefined });

  assert.equal(finish.videoName, '来自小程序');
});

check('a cover goes along', async () => {
  const cover = makeBytes(MIB + 77);
  const { finish, media } = await upload(makeBytes(3 * MIB), {
    cover, coverFile: phone.chooseImage(cover, 'png') });

  assert.equal(media.cover.type, 'png');
  await checkUrl(emulator, finish.coverUrl, cover);
});

check('a new client goes on where one gave up', async () => {
  const bytes = makeBytes(7 * MIB + 5);
  const mediaFile = phone.chooseVideo(bytes);
  await emulator.faults({ op: 'UploadPart', part: 6, drop: true });
  const first = start({ mediaFile });

  assert.equal((await first.ended).error.message, 'cos error');
  await waitForParts(first.name, 3);
  phone.kill();
  await emulator.clearFaults();
  const left = await findUpload(emulator, first.name);
  const { media } = await upload(bytes, { mediaFile });

  checkResumed(media, left);
  assert.equal(media.parts, 8);
  assert.equal(media.name, first.name, 'the session of the first');
});

check('a new client goes on when the program was killed', async () => {
  const bytes = makeBytes(6 * MIB);
  const cover = makeBytes(500000);
  const files = { mediaFile: phone.chooseVideo(bytes),
    coverFile: phone.chooseImage(cover, 'jpg') };
  await emulator.faults({ op: 'UploadPart', part: 4, stall: true });
  const first = start(files);
  await waitForParts(first.name, 5);
  phone.kill();
  await emulator.clearFaults();
  const left = await findUpload(emulator, first.name);
  const { media } = await upload(bytes, { ...files, cover });

  checkResumed(media, left);
  assert.equal(media.parts, 6);
});

check('another file with the same session is sent anew', async () => {
  const mediaFile = phone.chooseVideo(makeBytes(4 * MIB));
  await emulator.faults({ op: 'UploadPart', part: 4, stall: true });
  const first = start({ mediaFile });
  await waitForParts(first.name, 3);
  phone.kill();
  await emulator.clearFaults();

  const other = makeBytes(4 * MIB);
  phone.files.set(mediaFile.tempFilePath, other);
  await upload(other, { mediaFile });
});

check('pauses and goes on', async () => {
  const bytes = makeBytes(6 * MIB);
  await emulator.faults({ op: 'UploadPart', delay: 50 });
  const begun = start({ mediaFile: phone.chooseVideo(bytes),
    chunkParallelLimit: 1 });
  await waitForParts(begun.name, 2);
  begun.uploader.pause();
  await sleep(100);
  const sent = await emulator.count('UploadPart');
  await sleep(200);
  assert.equal(await emulator.count('UploadPart'), sent);
  assert(sent < 6);
  begun.uploader.restart();

  const { finish } = await begun.ended;
  await checkMedia(emulator, finish.fileId, bytes);
});

for (const [why, signature, code] of [
  ['of another key', () => sign({ key: 'another' }), 10004],
  ['that has expired', () => sign({ age: 100, lifetime: 50 }), 10010],
  ['that is none', () => 'bm9uZQ==', 10004]]) {
  check(`a signature ${why} is refused`, async () => {
    const { error } = await start({ mediaFile: phone.chooseVideo(makeBytes(9)),
      getSignature: (callback) => callback(signature()) }).ended;

    assert.equal(error.statusCode, 200);
    assert.equal(error.data.code, code);
    assert.equal(await emulator.count('ApplyUploadUGC'), 4);
  });
}

check('asks again when Apply and Commit fail', async () => {
  const busy = { json: { code: 10001, message: 'busy' }, times: 3 };
  await emulator.faults({ op: 'ApplyUploadUGC', ...busy },
    { op: 'CommitUploadUGC', ...busy });
  let asked = 0;
  const { name } = await upload(makeBytes(MIB), { getSignature: (callback) => {
    asked++;
    emulator.signature().then(callback);
  } });

  assert.equal(asked, 4);
  assert.equal(await emulator.count('ApplyUploadUGC'), 4);
  assert.equal(await emulator.count('CommitUploadUGC'), 4);
  const reports = await until('eight reports', async () => {
    const list = (await emulator.since()).reports
      .filter(({ fileName }) => fileName === name);
    return list.length === 8 && list;
  });
  assert.deepEqual(reports.map(({ reqType, vodErrCode }) =>
    [reqType, vodErrCode]).sort(),
  [[10001, 0], [10001, 10001], [10001, 10001], [10001, 10001],
    [10002, 0], [10002, 10001], [10002, 10001], [10002, 10001]]);
});

check('sends a part again that was dropped or refused by 503', async () => {
  await emulator.faults(
    { op: 'UploadPart', part: 1, drop: true, times: 1 },
    { op: 'UploadPart', part: 2, status: 503, times: 3 });
  const { media } = await upload(makeBytes(3 * MIB));

  assert(media['failed-requests'] >= 4);
});

check('finds out that its clock is wrong', async () => {
  await emulator.faults({ op: 'InitiateMultipartUpload', 'clock-skew': -3600,
    times: 1 });
  await upload(makeBytes(MIB));

  const { requests } = await emulator.since();
  assert(requests.some(({ code }) => code === 'RequestTimeTooSkewed'));
  assert.equal(await emulator.count('InitiateMultipartUpload', 200), 1);
});

check('expired credentials end the upload', async () => {
  await emulator.faults({ op: 'UploadPart', part: 1,
    'expire-credentials': true });
  const { error } =
    await start({ mediaFile: phone.chooseVideo(makeBytes(MIB)) }).ended;

  assert.deepEqual(error, { code: -2, message: 'cos error' });
  assert.equal(await emulator.count('UploadPart', 400), 3);
});

check('a completion that fails inside a 200 is repeated', async () => {
  await emulator.faults({ op: 'CompleteMultipartUpload',
    'error-in-200': 'InternalError', times: 1 });
  await upload(makeBytes(2 * MIB));

  assert.equal(await emulator.count('CompleteMultipartUpload'), 2);
});

check('reports what happens', async () => {
  const bytes = makeBytes(2 * MIB);
  const { finish, name } = await upload(bytes, { reportId: 'an id' });
  const reports = await until('two reports', async () => {
    const list = (await emulator.since()).reports
      .filter(({ reportId }) => reportId === 'an id');
    return list.length === 2 && list;
  });

  reports.sort((a, b) => a.reqType - b.reqType);
  assert.deepEqual(reports.map(({ reqType }) => reqType), [10001, 10002]);
  for (const report of reports) {
    assert.equal(report.platform, 4000);
    assert.equal(report.fileSize, bytes.length);
    assert.equal(report.fileName, name);
    assert.equal(report.errCode, 0);
  }
  assert.equal(reports[1].fileId, finish.fileId);
});
