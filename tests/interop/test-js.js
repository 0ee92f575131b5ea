// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict';
// vod-js-sdk-v6, the SDK of web pages, against the emulator: the bundle that a
// page loads, in jsdom's browser, whose requests are subject to CORS.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');

const { JSDOM, ResourceLoader, VirtualConsole } = require('jsdom');

const { MIB, makeBytes, sign, until, checkMedia, checkUrl, findUpload } =
  require('./common.js');
const { Emulator } = require('./emulator.js');
const { test } = require('./tap.js');

const bundle = fs.readFileSync(path.join(
  path.dirname(require.resolve('vod-js-sdk-v6/package.json')),
  'dist/vod-js-sdk-v6.js'), 'utf8');

const usual = Emulator.usual();
let names = 0;
let pages = [];

function check(what, run) {
  test(`vod-js-sdk-v6: ${what}`, async () => {
    await usual.clearFaults();
    await usual.mark();
    await run();
  }, () => {
    for (const page of pages)
      page.window.close();
    pages = [];
    usual.hangUp();
  });
}

// A page with the SDK; what an earlier one of the same site has left in
// localStorage is there.
async function openPage({ earlier, emulator = usual, origin } = {}) {
  const page = new JSDOM('<!DOCTYPE html>', {
    url: `${origin ?? 'https://localhost'}/upload.html`,
    runScripts: 'outside-only',
    virtualConsole: new VirtualConsole().sendTo(console),
    resources: new ResourceLoader({ proxy: await emulator.proxy() }) });

  for (const [key, value] of Object.entries(earlier?.window.localStorage ?? {}))
    page.window.localStorage.setItem(key, value);
  page.window.eval(bundle);
  pages.push(page);
  return page;
}

function makeFile(page, bytes, name, type = 'video/mp4') {
  return new page.window.File([bytes], name, { type });
}

// Starts an upload; options: those of upload(), and getSignature.
function start(page, { getSignature, ...options }) {
  const client = new page.window.TcVod.default({
    getSignature: getSignature ?? (() => usual.signature()) });

  return client.upload({ chunkSize: MIB, retryDelay: 10, ...options });
}

// Uploads to the end and checks what has arrived; the result of done() and the
// media are returned.
async function upload(options, bytes, cover, page) {
  page ??= await openPage();
  const name = `js ${++names} 测试`;
  const uploader = start(page, {
    mediaFile: makeFile(page, bytes, `${name}.mp4`),
    coverFile: cover && makeFile(page, cover, 'cover.png', 'image/png'),
    ...options });
  const result = await uploader.done();
  const media = await checkMedia(usual, result.fileId, bytes, cover);

  return { result, media, name };
}

check('slices of 8 MiB to the bucket, the defaults', async () => {
  const bytes = makeBytes(19 * MIB + 999);
  const page = await openPage();
  const { result, media, name } = await upload({ chunkSize: undefined }, bytes,
    undefined, page);

  assert.equal(media.name, name);
  assert.equal(media.type, 'mp4');
  assert.equal(media.parts, 3);
  await checkUrl(usual, result.video.url, bytes);
  assert(result.video.verify_content);
  assert.equal(result.cover, undefined);
  assert(usual.hosts.some((host) => host.startsWith(`${media.bucket}.cos.`)));
  assert.equal(page.window.localStorage.length, 0);
});

check('a file of a hundred bytes', async () => {
  await upload({}, makeBytes(100));
});

check('a cover goes along', async () => {
  const cover = makeBytes(MIB + 3);
  const { result } = await upload({}, makeBytes(3 * MIB), cover);

  await checkUrl(usual, result.cover.url, cover);
});

check('progress and what is told when a file is there', async () => {
  const bytes = makeBytes(4 * MIB + 1);
  const page = await openPage();
  const told = { media_progress: [], media_upload: [], cover_upload: [] };
  const uploader = start(page, { progressInterval: 20,
    mediaFile: makeFile(page, bytes, 'p.mp4'),
    coverFile: makeFile(page, makeBytes(10), 'p.png') });
  for (const event of Object.keys(told))
    uploader.on(event, (data) => told[event].push(data));
  await uploader.done();

  const last = told.media_progress.at(-1);
  assert.deepEqual([last.loaded, last.total, last.percent],
    [bytes.length, bytes.length, 1]);
  assert(told.media_progress.every(({ percent }) =>
    percent >= 0 && percent <= 1));
  assert.equal(told.media_upload.length, 1);
  assert.equal(told.media_upload[0].statusCode, 200);
  assert(told.media_upload[0].ETag);
  assert.equal(told.cover_upload.length, 1);
});

check('the cover is exchanged later', async () => {
  const bytes = makeBytes(2 * MIB);
  const { result, media } = await upload({}, bytes, makeBytes(3000));
  const page = await openPage();
  const cover = makeBytes(4000);
  const again = await start(page, { fileId: result.fileId,
    coverFile: makeFile(page, cover, 'new.jpg', 'image/jpeg') }).done();

  assert.equal(again.fileId, result.fileId);
  const now = await checkMedia(usual, result.fileId, bytes, cover);
  assert.equal(now.cover.type, 'jpg');
  assert.equal(now.key, media.key);
  await checkUrl(usual, again.cover.url, cover);
});

check('the cover of an unknown file is refused', async () => {
  const page = await openPage();
  const uploader = start(page, { fileId: '5285890700000000000',
    coverFile: makeFile(page, makeBytes(10), 'new.jpg', 'image/jpeg') });

  await assert.rejects(uploader.done(), { code: 10014 });
});

check('a page opened again goes on where the closed one was', async () => {
  const bytes = makeBytes(6 * MIB + 9);
  const name = `js ${++names}.mp4`;
  const first = await openPage();
  await usual.faults({ op: 'UploadPart', part: 5, stall: true });
  start(first, { mediaFile: makeFile(first, bytes, name) });
  const left = await until('all parts but one', async () => {
    const found = await findUpload(usual, name.slice(0, -4));
    return found?.parts.length === 6 && found;
  });
  const second = await openPage({ earlier: first });
  first.window.close();
  await usual.clearFaults();

  const { media } = await upload({ mediaFile: makeFile(second, bytes, name) },
    bytes, undefined, second);
  assert.equal(media.resumed, true);
  assert.equal(media.uploadId, left.uploadId);
  assert.equal(media.parts, 7);
  for (const { number } of left.parts)
    assert.equal(media.sent[number], 1);
});

check('another file of the same name and size is sent anew', async () => {
  const name = `js ${++names}.mp4`;
  const first = await openPage();
  await usual.faults({ op: 'UploadPart', part: 3, stall: true });
  start(first, { mediaFile: makeFile(first, makeBytes(3 * MIB), name) });
  await until('two parts', async () =>
    (await findUpload(usual, name.slice(0, -4)))?.parts.length === 2);
  const second = await openPage({ earlier: first });
  first.window.close();
  await usual.clearFaults();

  const bytes = makeBytes(3 * MIB);
  await upload({ mediaFile: makeFile(second, bytes, name) }, bytes, undefined,
    second);
});

check('takes the backup host when the main one is gone', async () => {
  await usual.faults({ op: '*', host: 'vod2.qcloud.com', drop: true });
  await upload({}, makeBytes(2 * MIB));

  assert(usual.hosts.includes('vod2.qcloud.com'));
  assert(usual.hosts.includes('vod2.dnsv1.com'));
  assert.equal(await usual.count('ApplyUploadUGC', 200), 1);
  assert.equal(await usual.count('CommitUploadUGC', 200), 1);
});

check('and the main one again when the backup fails', async () => {
  await usual.faults(
    { op: 'ApplyUploadUGC', status: 502, times: 1 },
    { op: 'CommitUploadUGC', host: 'vod2.dnsv1.com', status: 502, times: 1 });
  await upload({}, makeBytes(MIB));

  assert.equal(await usual.count('CommitUploadUGC', 502), 1);
  assert.equal(await usual.count('CommitUploadUGC', 200), 1);
});

check('a signature for each request, good for one', async () => {
  const used = [];
  const getSignature = async () => {
    used.push(await usual.signature({ oneTimeValid: 1 }));
    return used.at(-1);
  };
  await upload({ getSignature }, makeBytes(2 * MIB));

  assert.equal(used.length, 3);
  assert.equal(new Set(used).size, 3);
});

check('a signature that was good for one request is refused', async () => {
  const signature = await usual.signature({ oneTimeValid: 1 });
  const page = await openPage();
  const uploader = start(page, { getSignature: async () => signature,
    mediaFile: makeFile(page, makeBytes(10), 'once.mp4') });

  await assert.rejects(uploader.done(),
    { code: 10011, message: /duplicate vod signature/ });
});

for (const [why, signature, code] of [
  ['of another key', () => sign({ key: 'another' }), 10004],
  ['that has expired', () => sign({ age: 100, lifetime: 50 }), 10010]]) {
  check(`a signature ${why} is refused`, async () => {
    const page = await openPage();
    const uploader = start(page, { getSignature: async () => signature(),
      mediaFile: makeFile(page, makeBytes(10), 'refused.mp4') });

    await assert.rejects(uploader.done(), { code });
    assert.equal(await usual.count('ApplyUploadUGC'), 4);
  });
}

check('the region that answers first is chosen', async () => {
  const answer = JSON.parse(await usual.ask('POST',
    '/v3/index.php?Action=PrepareUploadUGC',
    JSON.stringify({ signature: await usual.signature() })));
  const regions = answer.data.cosRegionList;
  const [first] = regions.filter(({ domain }, i) => i > 0 &&
    regions.filter((other) => other.domain === domain).length === 1);
  for (const { domain } of regions)
    if (domain !== first.domain)
      await usual.faults({ op: 'HeadBucket', host: domain, delay: 2000 });
  const { media } = await upload({}, makeBytes(MIB));

  const { sessions } = await usual.state();
  const { region } = sessions.find(({ key }) => key === media.key);
  assert.equal(region, first.region);
  assert(usual.hosts.includes(`${media.bucket}.cos.${region}.myqcloud.com`));
});

check('no race, no harm', async () => {
  for (const fault of [{ status: 500 }, { drop: true }, { garbage: 'types' },
    { json: { code: 10001, message: 'no' } }]) {
    await usual.clearFaults();
    await usual.faults({ op: 'PrepareUploadUGC', ...fault });
    await upload({}, makeBytes(1000));
  }
  await usual.clearFaults();
  await usual.mark();
  await upload({ enableRaceRegion: false }, makeBytes(1000));
  assert.equal(await usual.count('PrepareUploadUGC'), 0);
});

check('regions that do not answer are as good as any', async () => {
  await usual.faults({ op: 'HeadBucket', drop: true });
  await upload({}, makeBytes(1000));
});

check('sends again what failed', async () => {
  await usual.faults(
    { op: 'UploadPart', part: 1, status: 503, times: 2 },
    { op: 'UploadPart', part: 2, drop: true, times: 2 },
    { op: 'CompleteMultipartUpload', status: 500, times: 1 });
  const { media } = await upload({}, makeBytes(3 * MIB));

  assert.equal(media['failed-requests'], 5);
});

check('credentials are renewed before they expire', async () => {
  const emulator = Emulator.brief();
  const bytes = makeBytes(7 * MIB);
  const page = await openPage({ emulator });
  await emulator.mark();
  await emulator.faults({ op: 'UploadPart', delay: 600 },
    { op: 'CompleteMultipartUpload', delay: 600 });
  const result = await start(page, { chunkParallelLimit: 1,
    getSignature: () => emulator.signature(),
    mediaFile: makeFile(page, bytes, 'long.mp4') }).done();

  await checkMedia(emulator, result.fileId, bytes);
  assert(await emulator.count('ApplyUploadUGC', 200) > 1);
});

check('reports what happens', async () => {
  const bytes = makeBytes(2 * MIB);
  const { result, name } = await upload({ reportId: 'an id' }, bytes);
  const reports = await until('four reports', async () => {
    const list = (await usual.since()).reports
      .filter(({ reportId }) => reportId === 'an id');
    return list.length === 4 && list;
  });

  assert.deepEqual(reports.map(({ reqType }) => reqType).sort(),
    [10001, 10002, 20001, 40001]);
  for (const report of reports) {
    assert.equal(report.platform, 3000);
    assert.equal(report.fileSize, bytes.length);
    assert.equal(report.fileName, `${name}.mp4`);
    assert.equal(report.errCode, 0);
  }
  const commit = reports.find(({ reqType }) => reqType === 10002);
  assert.equal(commit.fileId, result.fileId);
});

check('a page of elsewhere is not served', async () => {
  const page = await openPage({ origin: 'https://elsewhere.example' });
  const uploader = start(page, { enableRaceRegion: false,
    mediaFile: makeFile(page, makeBytes(10), 'foreign.mp4') });

  await assert.rejects(uploader.done(), { message: 'Network Error' });
});
