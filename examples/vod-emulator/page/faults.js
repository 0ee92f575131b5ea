/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faults as switches. The emulator has a list of faults; a switch is on while
 * one that says the same is in the list and not used up, whoever put it there.
 */
import { byId, cloneOf, count, keep, make, say, setAttribute, setText }
  from './basics.js';

const SWITCHES = [
  { name: 'Refuse 3 parts', what: 'The next three get a 503 SlowDown',
    fault: { op: 'UploadPart', times: 3, status: 503, code: 'SlowDown' } },
  { name: 'Break connections', what: 'In the midst of every fifth part or so',
    fault: { op: 'UploadPart', probability: .2, drop: true,
      'after-bytes': 65536 } },
  { name: 'Outage', what: 'Nothing is answered at all',
    fault: { op: '*', drop: true } },
  { name: 'Slow service', what: 'Each answer comes a second later',
    fault: { op: '*', delay: 1000 } },
  { name: 'Wrong checksum', what: 'Once: a CRC64 that is not the part’s',
    fault: { op: 'UploadPart', times: 1, 'wrong-crc': true } },
  { name: 'Old credentials', what: 'Once: the client must apply for new ones',
    fault: { op: 'UploadPart', times: 1, 'expire-credentials': true } },
  { name: 'Forgotten upload', what: 'Once: NoSuchUpload, it has to begin anew',
    fault: { op: 'UploadPart', times: 1, 'forget-upload': true } },
  { name: 'Lost answer', what: 'Once: committed, but nobody hears of it',
    fault: { op: 'CommitUploadUGC', times: 1, 'lose-answer': true } },
];

/* What a fault says, whatever the order of its members. */
function textOf({ id, seen, hits, ...fault }) {
  return JSON.stringify(fault, Object.keys(fault).sort());
}

const isUsedUp = ({ times, hits }) => times !== undefined && hits >= times;

async function ask(method, path, body) {
  const answer = await fetch(path, { method, body });
  if (!answer.ok)
    throw new Error((await answer.text()).trim());
}

export class Faults {
  list = [];
  others = new Map();

  /* onChange(): the list of the emulator is another one now. */
  constructor(onChange) {
    this.onChange = onChange;
    this.switches = SWITCHES.map((each) => this.makeSwitch(each));
    byId('switches').append(...this.switches.map(({ element }) => element));
    byId('clear').addEventListener('click', () => this.change(async () => {
      await ask('DELETE', '/api/faults');
      say('All faults cleared');
    }));
    byId('own').addEventListener('submit', (event) => {
      event.preventDefault();
      this.addOwn();
    });
  }

  makeSwitch({ name, what, fault }) {
    const element = cloneOf('switch');
    const button = element.firstElementChild;
    button.querySelector('b').textContent = name;
    button.querySelector('.what').textContent = what;
    button.addEventListener('click', () => this.toggle(fault));
    return { element, button, text: textOf(fault),
      hits: button.querySelector('.hits') };
  }

  async change(how) {
    try {
      await how();
      setText(byId('own-error'), '');
    } catch (error) {
      setText(byId('own-error'), error.message);
    }
    this.onChange();
  }

  toggle(fault) {
    const same = this.list.filter((each) => textOf(each) === textOf(fault));
    this.change(async () => {
      for (const { id } of same)
        await ask('DELETE', `/api/faults/${id}`);
      if (same.every(isUsedUp))
        await ask('POST', '/api/faults', JSON.stringify(fault));
    });
  }

  addOwn() {
    this.change(() => ask('POST', '/api/faults', byId('json').value));
  }

  show(list) {
    const known = new Set(this.switches.map(({ text }) => text));
    this.list = list;
    byId('clear').disabled = list.length === 0;
    for (const each of this.switches)
      this.showSwitch(each, list.filter((f) => textOf(f) === each.text));
    this.showOthers(list.filter((fault) => !known.has(textOf(fault))));
  }

  showSwitch({ button, hits }, same) {
    const on = same.some((fault) => !isUsedUp(fault));
    const n = same.reduce((sum, fault) => sum + fault.hits, 0);
    setAttribute(button, 'aria-pressed', String(on));
    setText(hits, n > 0 ? `hit ${n}×` : on ? 'on' : '');
  }

  showOthers(list) {
    const byKey = new Map(list.slice(0, 50).map((f) => [f.id, f]));
    keep(byId('others'), this.others, [...byKey.keys()],
        (id) => this.makeOther(byKey.get(id)));
    for (const [id, fault] of byKey)
      setText(this.others.get(id).querySelector('.hits'), isUsedUp(fault) ?
        'used up' : count(fault.hits, 'hit'));
  }

  makeOther(fault) {
    const item = make('li');
    const button = make('button', '', 'Remove');
    const text = textOf(fault).slice(0, 300);
    button.type = 'button';
    button.setAttribute('aria-label', `Remove the fault ${text}`);
    button.addEventListener('click', () => this.change(
        () => ask('DELETE', `/api/faults/${fault.id}`)));
    item.append(make('code', '', text), make('span', 'hits'), button);
    return item;
  }
}
