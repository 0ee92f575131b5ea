// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict';
// cos-nodejs-sdk-v5, the storage's SDK, against the emulator, with the
// temporary credentials of an Apply that is made here.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');

const { MIB, makeBytes, md5, until, checkMedia } = require('./common.js');
const { Emulator } = require('./emulator.js');
const { test } = require('./tap.js');

const SDK = 'cos-nodejs-sdk-v5';

const emulator = Emulator.usual();
let folder;

function check(what, run) {
  test(`${SDK}: ${what}`, async () => {
    folder = fs.mkdtempSync(path.join(process.env.INTEROP_TEMP, 'cos-'));
    await emulator.clearFaults();
    await emulator.mark();
    await run();
  }, () => emulator.hangUp());
}

function writeFile(bytes) {
  const file = path.join(folder, 'media');

  fs.writeFileSync(file, bytes);
  return file;
}

// The SDK as a process finds it that starts: it remembers uploads in memory
// and in a file.
function loadFresh() {
  const sources = path.dirname(require.resolve(`${SDK}/package.json`));

  for (const file of Object.keys(require.cache))
    if (file.startsWith(sources + path.sep))
      delete require.cache[file];
  return require(SDK);
}

// One session with the service: what Apply gave, and a client with its
// credentials.
class Session {
  static async open(fields = { videoName: 'cos 测试', videoType: 'mp4' }) {
    const session = new Session();

    session.data = await session.vod('ApplyUploadUGC', fields);
    session.object = session.where(session.data.video.storagePath);
    session.cos = await session.client();
    return session;
  }

  async vod(action, fields) {
    const answer = JSON.parse(await emulator.ask('POST',
      `/v3/index.php?Action=${action}`,
      JSON.stringify({ signature: await emulator.signature(), ...fields })));

    assert.equal(answer.code, 0, answer.message);
    return answer.data;
  }

  // What names an object to the SDK.
  where(storagePath) {
    const { storageBucket, storageAppId, storageRegionV5 } = this.data;

    return { Bucket: `${storageBucket}-${storageAppId}`,
      Region: storageRegionV5, Key: storagePath.slice(1) };
  }

  // options: those of the SDK; credentials: instead of those of Apply.
  async client(options = {}, credentials = {}) {
    const COS = loadFresh();
    const { secretId, secretKey, token, expiredTime } =
      this.data.tempCertificate;

    return new COS({ Proxy: await emulator.proxy(), ChunkSize: MIB,
      ChunkParallelLimit: 3, ConfCwd: folder, ProgressInterval: 20,
      getAuthorization: (_, callback) => callback({ TmpSecretId: secretId,
        TmpSecretKey: secretKey, SecurityToken: token,
        StartTime: this.data.timestamp, ExpiredTime: expiredTime,
        ...credentials }), ...options });
  }

  commit() {
    return this.vod('CommitUploadUGC',
      { vodSessionKey: this.data.vodSessionKey });
  }

  // An upload that has parts 1 to count, and is not completed.
  async begin(bytes, count) {
    const { UploadId } = await this.cos.multipartInit(this.object);
    const parts = [];

    for (let i = 1; i <= count; i++) {
      const Body = bytes.subarray((i - 1) * MIB, i * MIB);
      const { ETag } = await this.cos.multipartUpload({ ...this.object,
        UploadId, PartNumber: i, Body });
      parts.push({ PartNumber: i, ETag });
    }
    return { UploadId, parts };
  }
}

// That the promise is rejected as the storage does it.
function checkRefused(promise, statusCode, code, message = /./) {
  return assert.rejects(promise, (error) => {
    assert.deepEqual([error.statusCode, error.code], [statusCode, code]);
    assert.match(error.message, message);
    assert(error.RequestId, 'the id of the request');
    return true;
  });
}

check('slices of a file, checked by MD5', async () => {
  const bytes = makeBytes(5 * MIB + 321);
  const session = await Session.open();
  const progress = [];
  const result = await session.cos.sliceUploadFile({ ...session.object,
    FilePath: writeFile(bytes), onProgress: (info) => progress.push(info) });

  assert.equal(result.statusCode, 200);
  assert.match(result.ETag, /^"[0-9a-f]{32}-6"$/);
  assert(result.Location.endsWith(`/${session.object.Key}`));
  assert.equal(progress.at(-1).percent, 1);
  const { fileId } = await session.commit();
  const media = await checkMedia(emulator, fileId, bytes);
  assert.equal(media.name, 'cos 测试');
  assert.equal(media.parts, 6);
  assert.equal(result.headers['x-cos-hash-crc64ecma'], media.crc64);
});

check('with Content-MD5, a traffic limit and headers of its own', async () => {
  const bytes = makeBytes(3 * MIB);
  const session = await Session.open();
  const cos = await session.client({ UploadCheckContentMd5: true });
  await cos.sliceUploadFile({ ...session.object, FilePath: writeFile(bytes),
    TrafficLimit: 819200 * 8, Headers: { 'x-cos-meta-made-by': 'interop' } });

  await checkMedia(emulator, (await session.commit()).fileId, bytes);
});

check('a new process goes on where a killed one was', async () => {
  const bytes = makeBytes(6 * MIB + 1);
  const FilePath = writeFile(bytes);
  const session = await Session.open();
  await emulator.faults({ op: 'UploadPart', part: 5, stall: true });
  let task;
  session.cos.sliceUploadFile({ ...session.object, FilePath,
    onTaskReady: (id) => {
      task = id;
    } }, () => {});
  const { parts, uploadId } = await until('all parts but one', async () => {
    const { uploads } = await emulator.state();
    const found = uploads.find(({ key }) => key === session.object.Key);
    return found?.parts.length === 6 && found;
  });
  session.cos.cancelTask(task);
  await emulator.clearFaults();
  await emulator.mark();

  const cos = await session.client();
  await cos.sliceUploadFile({ ...session.object, FilePath });
  const { fileId } = await session.commit();
  const media = await checkMedia(emulator, fileId, bytes);
  assert.equal(media.uploadId, uploadId);
  for (const { number } of parts)
    assert.equal(media.sent[number], 1);
  assert.equal(await emulator.count('ListMultipartUploads', 200), 1);
  assert.equal(await emulator.count('ListParts', 200), 1);
  assert.equal(await emulator.count('InitiateMultipartUpload'), 0);
});

check('parts of other bytes are not taken for its own', async () => {
  const session = await Session.open();
  await session.begin(makeBytes(2 * MIB), 2);
  const bytes = makeBytes(3 * MIB);
  await session.cos.sliceUploadFile({ ...session.object,
    FilePath: writeFile(bytes) });

  await checkMedia(emulator, (await session.commit()).fileId, bytes);
});

check('a video and a cover, each in one request', async () => {
  const [bytes, cover] = [makeBytes(100000), makeBytes(20000)];
  const session = await Session.open({ videoName: 'small', videoType: 'mp4',
    coverName: 'cover', coverType: 'png' });
  const coverObject = session.where(session.data.cover.storagePath);
  const result = await session.cos.putObject({ ...coverObject, Body: cover });
  await session.cos.putObject({ ...session.object,
    Body: fs.createReadStream(writeFile(bytes)), ContentLength: bytes.length });

  assert.equal(result.ETag, `"${md5(cover)}"`);
  await checkMedia(emulator, (await session.commit()).fileId, bytes, cover);
});

check('an upload is given up', async () => {
  const session = await Session.open();
  const { UploadId } = await session.begin(makeBytes(MIB), 1);
  const named = { ...session.object, UploadId };
  const result = await session.cos.multipartAbort(named);

  assert.equal(result.statusCode, 204);
  await checkRefused(session.cos.multipartAbort(named), 404, 'NoSuchUpload');
  await checkRefused(session.cos.multipartListPart(named), 404,
    'NoSuchUpload');
  await checkRefused(session.cos.multipartUpload({ ...named, PartNumber: 2,
    Body: makeBytes(10) }), 404, 'NoSuchUpload');
});

check('all uploads of a path are given up', async () => {
  const session = await Session.open();
  const bytes = makeBytes(MIB);
  await session.begin(bytes, 1);
  await session.begin(bytes, 1);
  await session.cos.abortUploadTask({ ...session.object, Level: 'file' });

  const { uploads } = await emulator.state();
  assert(!uploads.some(({ key }) => key === session.object.Key));
  assert.equal(await emulator.count('AbortMultipartUpload', 204), 2);
});

check('head and get, with ranges', async () => {
  const session = await Session.open();
  const bytes = makeBytes(2 * MIB + 100);
  await checkRefused(session.cos.getObject(session.object), 404, 'NoSuchKey');
  await session.cos.sliceUploadFile({ ...session.object,
    FilePath: writeFile(bytes) });

  const head = await session.cos.headObject(session.object);
  assert.equal(head.statusCode, 200);
  assert.equal(Number(head.headers['content-length']), bytes.length);
  assert(head.headers['last-modified'] && head.ETag);
  const whole = await session.cos.getObject(session.object);
  assert(bytes.equals(whole.Body));
  assert.equal(whole.ETag, head.ETag);
  for (const [range, from, to] of [['0-0', 0, 1], ['10-1048580', 10, 1048581],
    ['2097152-', 2097152, bytes.length],
    ['-7', bytes.length - 7, bytes.length]]) {
    const part = await session.cos.getObject({ ...session.object,
      Range: `bytes=${range}` });
    assert.equal(part.statusCode, 206);
    assert.equal(part.headers['content-range'],
      `bytes ${from}-${to - 1}/${bytes.length}`);
    assert(bytes.subarray(from, to).equals(part.Body), range);
  }
  await checkRefused(session.cos.getObject({ ...session.object,
    Range: `bytes=${bytes.length}-` }), 416, 'InvalidRange');
});

check('head of what is not there', async () => {
  const session = await Session.open();

  await assert.rejects(session.cos.headObject(session.object),
    { statusCode: 404 });
});

check('lists of uploads and of parts, page by page', async () => {
  const session = await Session.open();
  const { UploadId, parts } = await session.begin(makeBytes(3 * MIB), 3);
  const second = await session.begin(makeBytes(MIB), 1);
  const { Bucket, Region, Key } = session.object;
  const uploads = { Bucket, Region, Prefix: Key, EncodingType: 'url',
    MaxUploads: 1 };

  const page = await session.cos.multipartList(uploads);
  assert.equal(page.IsTruncated, 'true');
  const rest = await session.cos.multipartList({ ...uploads,
    KeyMarker: decodeURIComponent(page.NextKeyMarker),
    UploadIdMarker: page.NextUploadIdMarker });
  assert.equal(rest.IsTruncated, 'false');
  assert.deepEqual(
    [...page.Upload, ...rest.Upload].map((upload) => upload.UploadId).sort(),
    [UploadId, second.UploadId].sort());

  const named = { ...session.object, UploadId, MaxParts: 2 };
  const first = await session.cos.multipartListPart(named);
  assert.equal(first.IsTruncated, 'true');
  const last = await session.cos.multipartListPart({ ...named,
    PartNumberMarker: first.NextPartNumberMarker });
  assert.equal(last.IsTruncated, 'false');
  assert.deepEqual([...first.Part, ...last.Part].map(({ PartNumber, ETag }) =>
    ({ PartNumber: Number(PartNumber), ETag })), parts);
});

check('wrong credentials are refused', async () => {
  const session = await Session.open();
  const other = await Session.open();
  const { secretKey, token } = other.data.tempCertificate;
  const now = Math.floor(Date.now() / 1000);

  for (const [credentials, code, message] of [
    [{ TmpSecretKey: 'wrong' }, 'SignatureDoesNotMatch'],
    [{ TmpSecretKey: secretKey }, 'SignatureDoesNotMatch'],
    [{ TmpSecretId: 'AKIDnobody' }, 'InvalidAccessKeyId'],
    [{ SecurityToken: 'wrong' }, 'AccessDenied'],
    [{ SecurityToken: token }, 'AccessDenied'],
    [{ StartTime: now - 200, ExpiredTime: now - 100 }, 'AccessDenied',
      /^Request has expired$/],
    [{ StartTime: now + 2000, ExpiredTime: now + 3000 },
      'RequestTimeTooSkewed']]) {
    const cos = await session.client({}, credentials);
    await checkRefused(cos.putObject({ ...session.object,
      Body: makeBytes(10) }), 403, code, message);
  }
  const { secretId, secretKey: key } = session.data.tempCertificate;
  const lasting = await session.client({ SecretId: secretId, SecretKey: key,
    getAuthorization: undefined });
  await checkRefused(lasting.putObject({ ...session.object,
    Body: makeBytes(10) }), 403, 'InvalidAccessKeyId');
});

check('expired credentials are refused', async () => {
  const session = await Session.open();
  await emulator.faults({ op: 'InitiateMultipartUpload',
    'expire-credentials': true });

  await checkRefused(session.cos.multipartInit(session.object), 400,
    'ExpiredToken');
});

check('other paths and buckets than the session\'s are refused', async () => {
  const session = await Session.open();
  const other = await Session.open();
  const { Key, Bucket } = session.object;
  const elsewhere = [{ Key: other.object.Key }, { Key: `${Key}x` },
    { Key: Key.replace(/[^/]*$/, 'other.mp4') }, { Key: 'top' },
    { Bucket: Bucket.replace('cq', 'gz') },
    { Region: 'ap-guangzhou', Bucket: Bucket.replace('cq', 'gz') }];

  for (const change of elsewhere)
    await checkRefused(session.cos.putObject({ ...session.object, ...change,
      Body: makeBytes(10) }), 403, 'AccessDenied');
  await checkRefused(session.cos.multipartList({ Bucket,
    Region: session.object.Region }), 403, 'AccessDenied');
});

// What is refused for its path has passed the check of its signature: another
// key of the same names is told so.
check('difficult names are signed as they are sent', async () => {
  const session = await Session.open();
  const wrong = await session.client({}, { TmpSecretKey: 'wrong' });
  const names = ['a b+c%20d.mp4', '测试/视频 (1).mp4', 'x*~\'!;:@,$&=#?.mp4',
    'a//b///c.mp4', '100%.mp4', 'é€😀.mp4', '[{"<|>"}]\\^`.mp4',
    'k?uploads&prefix=x', 'tab\there', 'a...b/..c.mp4'];

  for (const Key of names) {
    const put = { ...session.object, Key, Body: makeBytes(10) };
    await checkRefused(session.cos.putObject(put), 403, 'AccessDenied');
    await checkRefused(wrong.putObject(put), 403, 'SignatureDoesNotMatch');
  }
});

check('parameters that need encoding are signed too', async () => {
  const session = await Session.open();
  const { Key } = session.object;
  const { Upload = [] } = await session.cos.multipartList({
    ...session.object, Delimiter: '/ +测&=',
    Prefix: Key.replace(/[^/]*$/, 'x (1)+%/测试~*\'!') });

  assert.deepEqual(Upload, []);
});

check('a completion with wrong parts is refused', async () => {
  const session = await Session.open();
  const bytes = makeBytes(2 * MIB + 10);
  const { UploadId, parts } = await session.begin(bytes, 3);
  const [one, two, three] = parts;
  const wrong = { PartNumber: 2, ETag: one.ETag };

  for (const [Parts, code] of [[[one, wrong], 'InvalidPart'],
    [[one, three], 'InvalidPart'], [[two, one], 'InvalidPartOrder'],
    [[one, two, three, { PartNumber: 4, ETag: one.ETag }], 'InvalidPart']])
    await checkRefused(session.cos.multipartComplete({ ...session.object,
      UploadId, Parts }), 400, code);
  await session.cos.multipartComplete({ ...session.object, UploadId,
    Parts: parts });
  await checkMedia(emulator, (await session.commit()).fileId, bytes);
});

check('a small part that is not the last is refused', async () => {
  const session = await Session.open();
  const { UploadId } = await session.cos.multipartInit(session.object);
  const named = { ...session.object, UploadId };
  const Parts = [];
  for (const PartNumber of [1, 2]) {
    const { ETag } = await session.cos.multipartUpload({ ...named, PartNumber,
      Body: makeBytes(1000) });
    Parts.push({ PartNumber, ETag });
  }

  await checkRefused(session.cos.multipartComplete({ ...named, Parts }), 400,
    'EntityTooSmall');
});

check('a body that is not what its MD5 says is refused', async () => {
  const session = await Session.open();
  const put = (ContentMD5) => session.cos.putObject({ ...session.object,
    Body: makeBytes(100), ContentMD5 });

  await checkRefused(put(Buffer.alloc(16).toString('base64')), 400,
    'BadDigest');
  await checkRefused(put('short'), 400, 'InvalidDigest');
});

check('a completion that fails inside a 200 is repeated', async () => {
  const bytes = makeBytes(2 * MIB);
  const session = await Session.open();
  await emulator.faults({ op: 'CompleteMultipartUpload',
    'error-in-200': 'InternalError', times: 1 });
  await session.cos.sliceUploadFile({ ...session.object,
    FilePath: writeFile(bytes) });

  assert.equal(await emulator.count('CompleteMultipartUpload'), 2);
  await checkMedia(emulator, (await session.commit()).fileId, bytes);
});

check('a completion that takes its time sends blanks first', async () => {
  const bytes = makeBytes(2 * MIB);
  const session = await Session.open();
  await emulator.faults({ op: 'CompleteMultipartUpload', spaces: 500 });
  const { ETag } = await session.cos.sliceUploadFile({ ...session.object,
    FilePath: writeFile(bytes) });

  assert.match(ETag, /^"[0-9a-f]{32}-2"$/);
  await checkMedia(emulator, (await session.commit()).fileId, bytes);
});

check('sends again what failed', async () => {
  const bytes = makeBytes(3 * MIB);
  const session = await Session.open();
  await emulator.faults(
    { op: 'InitiateMultipartUpload', status: 503, times: 2 },
    { op: 'UploadPart', part: 1, status: 500, times: 1 },
    { op: 'UploadPart', part: 2, drop: true, times: 2 },
    { op: 'CompleteMultipartUpload', status: 503, times: 3 });
  await session.cos.sliceUploadFile({ ...session.object,
    FilePath: writeFile(bytes) });

  const media = await checkMedia(emulator, (await session.commit()).fileId,
    bytes);
  assert.equal(media['failed-requests'], 8);
});

check('changes to the other domain when nobody answers', async () => {
  const session = await Session.open();
  await emulator.faults({ op: 'InitiateMultipartUpload', drop: true,
    host: 'myqcloud.com' });
  await session.cos.multipartInit(session.object);

  assert.equal(emulator.hosts.at(-1), `${session.object.Bucket}.cos.` +
    `${session.object.Region}.tencentcos.cn`);
});
