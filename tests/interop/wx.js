// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict';
// A phone with one mini-program: as much of the runtime's `wx` as the SDK asks
// for. Files and storage stay when the program is started again; requests may
// go to the hosts of the program's list of legal domains only.

const fs = require('node:fs');
const https = require('node:https');
const vm = require('node:vm');

const LEGAL_DOMAINS = ['vod2.qcloud.com', 'vodreport.qcloud.com'];
const SDK = 'vod-wx-sdk-v2';
const MOST_REQUESTS = 10;
const SYSTEM = { brand: 'vodsink', model: 'interop', version: '8.0.50',
  system: 'Android 14', platform: 'android', SDKVersion: '3.5.0' };

class Phone {
  constructor(emulator) {
    this.emulator = emulator;
    this.files = new Map();
    this.storage = new Map();
    this.requests = new Set();
  }

  // What wx.chooseVideo() gives: { tempFilePath, size }.
  chooseVideo(bytes, type = 'mp4') {
    const tempFilePath = this.#keep(bytes, type);

    return { tempFilePath, size: bytes.length };
  }

  // What wx.chooseImage() gives: { tempFilePaths, tempFiles }.
  chooseImage(bytes, type = 'png') {
    const path = this.#keep(bytes, type);

    return { tempFilePaths: [path], tempFiles: [{ path, size: bytes.length }] };
  }

  #keep(bytes, type) {
    const number = String(this.files.size + 1).padStart(32, '0');
    const path = `wxfile://tmp_${number}.${type}`;

    this.files.set(path, bytes);
    return path;
  }

  // Starts the mini-program: the SDK, loaded anew.
  start() {
    const wx = this.#runtime();

    this.agent = new https.Agent({ keepAlive: true,
      maxTotalSockets: MOST_REQUESTS });
    return loadModule(require.resolve(SDK), wx);
  }

  // The user, or the system, ends it: nothing of it goes on, and nothing is
  // told to it.
  kill() {
    for (const request of this.requests)
      request.silence();
    this.requests.clear();
    this.agent.destroy();
  }

  #runtime() {
    const { storage } = this;

    return {
      request: (options) => this.#request(options),
      getFileSystemManager: () => new FileSystem(this.files),
      // Values are copied; what is not there is an empty text.
      setStorageSync: (key, value) => storage.set(key, JSON.stringify(value)),
      getStorageSync: (key) =>
        storage.has(key) ? JSON.parse(storage.get(key)) : '',
      removeStorageSync: (key) => storage.delete(key),
      getSystemInfoSync: () => ({ ...SYSTEM }),
      getSystemInfo: ({ success }) => success({ ...SYSTEM }),
      getNetworkType: ({ success }) => success({ networkType: 'wifi' }),
      canIUse: (name) => ['getSystemInfo', 'getNetworkType'].includes(name),
    };
  }

  #request(options) {
    const task = new RequestTask(this, options);

    this.requests.add(task);
    task.finished = () => this.requests.delete(task);
    task.send();
    return { abort: () => task.abort() };
  }
}

// As the runtime wraps a module: what browsers and Node.js have beside the
// language is hidden by parameters that nothing is given for.
function loadModule(path, wx) {
  const parameters = ['require', 'module', 'exports', 'wx', 'window',
    'document', 'self', 'location', 'navigator', 'localStorage', 'process',
    'XMLHttpRequest', 'fetch'];
  const module = { exports: {} };

  vm.compileFunction(fs.readFileSync(path, 'utf8'), parameters,
    { filename: path })(require, module, module.exports, wx);
  return module.exports;
}

// One wx.request(): any answer is a success, whatever its status; fail() is
// for the network.
class RequestTask {
  constructor(phone, options) {
    this.phone = phone;
    this.options = options;
  }

  send() {
    const { options, phone } = this;
    const url = new URL(options.url);

    if (url.protocol !== 'https:' || !LEGAL_DOMAINS.includes(url.host)) {
      setImmediate(() => this.#fail('request:fail url not in domain list'));
      return;
    }
    this.request = https.request({ host: '127.0.0.1', port: phone.emulator.port,
      servername: url.hostname, agent: phone.agent,
      method: options.method ?? 'GET', path: url.pathname + url.search,
      timeout: options.timeout || 60000,
      headers: makeHeaders(options, url) }, (answer) => this.#read(answer));
    this.request.on('error', (error) =>
      this.#fail(`request:fail ${error.message}`));
    this.request.on('timeout', () =>
      this.request.destroy(new Error('timeout')));
    this.request.end(makeBody(options));
  }

  #read(answer) {
    const pieces = [];
    const header = {};

    for (let i = 0; i < answer.rawHeaders.length; i += 2)
      header[answer.rawHeaders[i]] = answer.rawHeaders[i + 1];
    answer.on('data', (piece) => pieces.push(piece));
    answer.on('error', (error) => this.#fail(`request:fail ${error.message}`));
    answer.on('end', () => {
      if (answer.complete)
        this.#finish('success', { statusCode: answer.statusCode, header,
          cookies: [], errMsg: 'request:ok',
          data: readData(this.options, Buffer.concat(pieces)) });
    });
  }

  #fail(errMsg) {
    this.#finish('fail', { errMsg });
  }

  #finish(what, result) {
    const { options } = this;

    if (this.ended)
      return;
    this.ended = true;
    this.finished();
    options[what]?.(result);
    options.complete?.(result);
  }

  abort() {
    this.#fail('request:fail abort');
    this.request?.destroy();
  }

  silence() {
    this.ended = true;
    this.request?.destroy();
  }
}

// Host and Referer are not the program's to choose; a type is always sent.
function makeHeaders(options, url) {
  const headers = { 'content-type': 'application/json' };

  for (const [name, value] of Object.entries(options.header ?? {})) {
    const lower = name.toLowerCase();

    if (lower !== 'host' && lower !== 'referer' && value !== undefined)
      headers[lower] = String(value);
  }
  headers.host = url.host;
  headers.referer =
    'https://servicewechat.com/wx0123456789abcdef/devtools/page-frame.html';
  headers['user-agent'] =
    'Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0.50';
  const body = makeBody(options);
  if (body !== undefined)
    headers['content-length'] = String(body.length);
  return headers;
}

function makeBody({ data, method = 'GET' }) {
  if (data instanceof ArrayBuffer)
    return Buffer.from(data);
  if (typeof data === 'string')
    return Buffer.from(data);
  if (data === undefined || data === null)
    return ['POST', 'PUT'].includes(method) ? Buffer.alloc(0) : undefined;
  if (method === 'GET')
    throw new Error('wx.request: an object as the data of a GET');
  return Buffer.from(JSON.stringify(data));
}

// dataType json, the default: parsed if it can be, else the text.
function readData({ dataType = 'json' }, bytes) {
  const text = bytes.toString();

  if (dataType !== 'json')
    return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

class FileSystem {
  constructor(files) {
    this.files = files;
  }

  stat({ path, success, fail }) {
    const bytes = this.files.get(path);

    setImmediate(() => bytes === undefined
      ? fail({ errMsg: `stat:fail no such file ${path}` })
      : success({ errMsg: 'stat:ok', stats: { size: bytes.length,
        isDirectory: () => false, isFile: () => true } }));
  }

  // No encoding: an ArrayBuffer, of its own.
  readFile({ filePath, position = 0, length, success, fail }) {
    const bytes = this.files.get(filePath);

    setImmediate(() => {
      if (bytes === undefined) {
        fail({ errMsg: `readFile:fail no such file ${filePath}` });
        return;
      }
      const end = length === undefined ? bytes.length : position + length;
      const data = new Uint8Array(bytes.subarray(position, end)).buffer;
      success({ errMsg: 'readFile:ok', data });
    });
  }
}

module.exports = { Phone };
