/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The page: asks the emulator what is new (GET /api/live) while somebody looks
 * at it, and hands that to its parts. It survives that the emulator is started
 * anew: each run has an id, and with another one everything begins anew.
 */
import { byId, bytes, makeCopy, say, setAttribute, setText } from './basics.js';
import { Faults } from './faults.js';
import { Meter, Minute } from './rate.js';
import { Requests } from './requests.js';
import { Videos } from './videos.js';

const BUSY = 400; /* ms from an answer to the next question */
const IDLE = 1000;
const PATIENCE = 3000;

const videos = new Videos(ask);
const requests = new Requests();
const faults = new Faults(ask);
const meter = new Meter();
const minute = new Minute(byId('minute'));

let run = '';
let timer = 0;
let asking = false;
let again = false;

/* ---- whether there is an emulator ---- */

const LINKS = {
  connected: 'Live',
  lost: 'Not connected',
};

function showLink(state) {
  const before = byId('link').dataset.state;
  if (before === state)
    return;
  setAttribute(byId('link'), 'data-state', state);
  setText(byId('link'), LINKS[state]);
  document.body.classList.toggle('stale', state === 'lost');
  byId('lost').hidden = state !== 'lost';
  setText(byId('lost'), state === 'lost' ?
    `vod-emulator does not answer at ${location.host}. ` +
    'What you see is its last word; the page goes on by itself when it is back.'
    : '');
  if (state === 'connected' && before === 'lost')
    say('Connected again');
}

/* ---- what it says ---- */

function showTotals(live) {
  const active = live.uploads.length;
  meter.add(live.now, live.received);
  minute.add(live.now, live.received);
  setText(byId('n-uploads'), String(active));
  setText(byId('n-videos'), live.mediaCount.toLocaleString('en'));
  setText(byId('n-requests'), live.requests.toLocaleString('en'));
  setText(byId('rate'), `${bytes(meter.rate())}/s`);
  document.title = active > 0 ? `↑${active} vod-emulator` : 'vod-emulator';
}

function show(live) {
  if (live.run !== run) {
    run = live.run;
    requests.clear();
  }
  showTotals(live);
  faults.show(live.faults);
  videos.show(live);
  requests.take(live);
  return live.uploads.length > 0 ? BUSY : IDLE;
}

/* ---- asking ---- */

async function fetchLive() {
  const query = new URLSearchParams(
      { run, ...requests.query(), ...videos.query() });
  const answer = await fetch(`/api/live?${query}`,
      { signal: AbortSignal.timeout(PATIENCE) });
  if (!answer.ok)
    throw new Error(`status ${answer.status}`);
  return answer.json();
}

/* Once now, then again and again; not while nobody looks. */
async function ask() {
  let pause = IDLE;
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  clearTimeout(timer);
  let live = null;
  try {
    live = await fetchLive();
  } catch {
    showLink('lost');
  }
  asking = false;
  if (live) {
    showLink('connected');
    pause = show(live);
  }
  if (again) {
    again = false;
    pause = 0;
  }
  if (!document.hidden)
    timer = setTimeout(ask, pause);
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden)
    clearTimeout(timer);
  else
    ask();
});

/* ---- the first steps ---- */

byId('example').textContent = `gst-launch-1.0 -e videotestsrc num-buffers=300 \\
    ! video/x-raw,format=I420 ! x264enc ! h264parse ! mp4mux \\
    ! vodsink endpoint=${location.origin} \\
        signature-url=${location.origin}/signature \\
        media-name=test` +
    (location.protocol === 'https:' ? ' tls-ca-file=ROOT/ca.pem' : '');
makeCopy(byId('copy-example'), byId('example'));
ask();
