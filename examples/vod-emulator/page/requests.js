/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The log of requests: the last thousands are kept, the newest few hundred of
 * those that pass the filters are shown, newest first.
 */
import { byId, bytes, count, duration, keep, make, setText, timeOfDay }
  from './basics.js';

const MAX_KEPT = 2000;
const MAX_ROWS = 200;

const isBad = ({ status }) => status === 0 || status >= 400;

const RESULTS = {
  '': () => true,
  'good': (entry) => !isBad(entry) && !entry.fault,
  'bad': isBad,
  'fault': (entry) => entry.fault,
};

function cell(className, ...content) {
  const element = make('td', className);
  element.setAttribute('role', 'cell');
  element.append(...content);
  return element;
}

function resultOf(entry) {
  const content = [make('b', '', entry.status === 0 ? 'no answer' :
    String(entry.status))];
  if (entry.code)
    content.push(' ', make('bdi', 'code', entry.code));
  if (entry.faults)
    content.push(' ', make('span', 'chip', `fault: ${entry.faults}`));
  return content;
}

function makeRow(entry) {
  const row = make('tr', isBad(entry) ? 'bad' : entry.fault ? 'hit' : '');
  const request = [make('span', 'op', entry.op)];
  if (entry.part)
    request.push(' ', make('span', 'part', `part ${entry.part}`));
  row.setAttribute('role', 'row');
  row.append(
      cell('time', timeOfDay(entry.time)),
      cell('request', ...request),
      cell('result', ...resultOf(entry)),
      cell('body right', entry.bytes > 0 ? bytes(entry.bytes) : '–'),
      cell('took right', entry.ms < 1000 ? `${Math.round(entry.ms)} ms` :
        duration(entry.ms / 1000)));
  row.title = [new Date(entry.time * 1000).toISOString(),
    entry.host && `host ${entry.host}`,
    entry.key && `key ${entry.key}`,
    `connection ${entry.connection}, its request ${entry.request}`]
      .filter(Boolean).join('\n');
  return row;
}

export class Requests {
  entries = []; /* oldest first; each with its number and what is searched */
  rows = new Map();
  ops = new Set();
  written = 0; /* entries that the emulator has written so far */

  constructor() {
    byId('find').addEventListener('input', () => this.render());
    byId('by-op').addEventListener('change', () => this.render());
    byId('by-result').addEventListener('change', () => this.render());
    byId('filters').addEventListener('submit', (event) => {
      event.preventDefault();
    });
    byId('pause').addEventListener('click', ({ target }) => {
      const paused = target.getAttribute('aria-pressed') !== 'true';
      target.setAttribute('aria-pressed', String(paused));
      this.render();
    });
  }

  query() {
    return { log: this.written };
  }

  /* Another run of the emulator: its log begins anew. */
  clear() {
    this.entries = [];
    this.written = 0;
    this.render();
  }

  take({ log, requests }) {
    this.written = requests;
    if (log.length === 0)
      return;
    log.forEach((entry, i) => {
      entry.number = requests - log.length + i;
      entry.text = [entry.op, entry.part && `part ${entry.part}`,
        entry.status || 'no answer', entry.code, entry.faults, entry.host,
        entry.key].filter(Boolean).join(' ').toLowerCase();
      this.entries.push(entry);
      this.addOp(entry.op);
    });
    this.entries.splice(0, this.entries.length - MAX_KEPT);
    if (byId('pause').getAttribute('aria-pressed') !== 'true')
      this.render();
    else
      this.tell();
  }

  addOp(op) {
    if (this.ops.has(op))
      return;
    this.ops.add(op);
    byId('by-op').append(new Option(op, op));
  }

  render() {
    const words = byId('find').value.toLowerCase().split(/\s+/).filter(Boolean);
    const op = byId('by-op').value;
    const fits = RESULTS[byId('by-result').value];
    const matches = this.entries.filter((entry) => (!op || entry.op === op) &&
        fits(entry) && words.every((word) => entry.text.includes(word)));
    const shown = matches.slice(-MAX_ROWS).reverse();
    const byNumber = new Map(shown.map((entry) => [entry.number, entry]));
    keep(byId('rows'), this.rows, [...byNumber.keys()],
        (number) => makeRow(byNumber.get(number)));
    this.tell();
  }

  tell() {
    const shown = this.rows.size;
    byId('no-rows').hidden = shown > 0;
    setText(byId('no-rows'), this.entries.length > 0 ?
      'No request passes the filters.' : 'No request yet.');
    setText(byId('shown'), this.entries.length === 0 ? '' :
      shown === this.entries.length ? count(shown, 'request') :
        `${shown} of ${count(this.entries.length, 'request')}`);
  }
}
