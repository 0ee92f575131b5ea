// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict';
// An emulator, and the road to it: a proxy that leads every host
// of the service to this machine, so that the clients need no change. They
// name, sign and verify by TLS the hosts that they would on the real network;
// a host that the service does not have is not reached at all.

const http = require('node:http');
const https = require('node:https');
const net = require('node:net');

const HOSTS = [/^vod2\.qcloud\.com$/, /^vod2\.dnsv1\.com$/,
  /^vodreport\.qcloud\.com$/, /\.myqcloud\.com$/, /\.tencentcos\.cn$/,
  /^localhost$/, /^127\./];

class Emulator {
  // The one of nearly all tests, that run.sh has started.
  static usual() {
    return new Emulator(Number(process.env.EMULATOR_PORT));
  }

  // The one whose credentials are good for three seconds.
  static brief() {
    return new Emulator(Number(process.env.EMULATOR_BRIEF_PORT));
  }

  constructor(port) {
    this.port = port;
    this.hosts = [];  // that clients have asked the proxy for
    this.agent = new https.Agent({ keepAlive: true });
  }

  // What the emulator has for tests, asked past the proxy.
  async ask(method, path, body) {
    const answer = await fetchAll({ host: '127.0.0.1', port: this.port,
      method, path, agent: this.agent }, body);
    if (answer.status !== 200 && answer.status !== 206)
      throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`);
    return answer.body;
  }

  async state() {
    return JSON.parse(await this.ask('GET', '/api/state'));
  }

  // What happens from here on is what since() tells.
  async mark() {
    const { log, reports } = await this.state();

    this.begin = { log: log.length, reports: reports.length };
    this.hosts = [];
  }

  // { requests: of the log, in the order of their ends, reports }
  async since() {
    const { log, reports } = await this.state();

    return { requests: log.slice(this.begin.log),
      reports: reports.slice(this.begin.reports) };
  }

  // How many requests of this operation were answered so since mark(); with a
  // key, those of one object. No status: any.
  async count(op, status, key) {
    const { requests } = await this.since();

    return requests.filter((entry) => entry.op === op &&
      (status === undefined || entry.status === status) &&
      (key === undefined || entry.key === key)).length;
  }

  async faults(...list) {
    await this.ask('POST', '/api/faults', JSON.stringify(list));
  }

  async clearFaults() {
    await this.ask('DELETE', '/api/faults');
  }

  // As an app asks its own server; options: oneTimeValid=1, …
  async signature(options = {}) {
    const answer = await this.ask('GET',
      `/signature?${new URLSearchParams(options)}`);
    return JSON.parse(answer).data.sign;
  }

  // The URL of a proxy of its own.
  async proxy() {
    if (this.server === undefined) {
      this.server = http.createServer((request, answer) => {
        answer.writeHead(405).end();
      });
      this.sockets = new Set();
      this.server.on('connect', (request, socket, head) =>
        this.#tunnel(request.url, socket, head));
      await new Promise((resolve) =>
        this.server.listen(0, '127.0.0.1', resolve));
    }
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  #tunnel(target, socket, head) {
    const host = target.replace(/:\d+$/, '');

    this.hosts.push(host);
    if (!HOSTS.some((known) => known.test(host))) {
      socket.end('HTTP/1.1 502 unknown host\r\n\r\n');
      return;
    }
    const service = net.connect(this.port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      service.write(head);
      socket.pipe(service).pipe(socket);
    });
    for (const [one, other] of [[socket, service], [service, socket]]) {
      this.sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        this.sockets.delete(one);
        other.destroy();
      });
    }
  }

  // jsdom keeps one open for each request that was ever made.
  hangUp() {
    for (const socket of this.sockets ?? [])
      socket.destroy();
  }
}

// One request, its answer read to the end: { status, headers, body }.
function fetchAll(options, body) {
  return new Promise((resolve, reject) => {
    const request = https.request(options, (answer) => {
      const pieces = [];

      answer.on('data', (piece) => pieces.push(piece));
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode,
        headers: answer.headers, body: Buffer.concat(pieces) }));
    });
    request.on('error', reject);
    request.end(body);
  });
}

module.exports = { Emulator };
