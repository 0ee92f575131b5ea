/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The list of videos: a card for each upload from its first request on, which
 * becomes the card of the media when it is committed and stays where it was.
 */
import { byId, bytes, cloneOf, count, duration, keep, make, makeCopy, say,
  setAttribute, setText, share } from './basics.js';
import { Grid } from './parts.js';
import { Meter } from './rate.js';

const QUIET = 2; /* seconds without a byte */
const STEP = 12; /* media that are shown at first, and with each click more */

const BADGES = {
  uploading: 'Uploading',
  quiet: 'Waiting',
  completing: 'Putting together',
  complete: 'To be committed',
  ready: 'Ready',
};

/* A URL of our own by its path: the page may be seen under another host. */
function here(url) {
  const at = url.indexOf('/media/');
  return at < 0 ? '' : url.slice(at);
}

class Card {
  constructor(id) {
    this.id = id;
    this.element = cloneOf('card');
    this.article = this.element.firstElementChild;
    const find = (name) => this.element.querySelector(`.${name}`);
    for (const name of ['screen', 'type', 'name', 'badge', 'facts', 'file-id',
      'url', 'copy-id', 'copy-url', 'cover-row', 'cover-url', 'copy-cover'])
      this[name] = find(name);
    this.progress = this.element.querySelector('progress');
    this.grid = new Grid(find('grid'), find('legend'));
    this.meter = new Meter();
    this.name.id = `name-${id}`;
    setAttribute(this.article, 'aria-labelledby', this.name.id);
    makeCopy(this['copy-id'], this['file-id']);
    makeCopy(this['copy-url'], this.url);
    makeCopy(this['copy-cover'], this['cover-url']);
  }

  remove() {
    this.grid.remove();
    this.element.remove();
  }

  show(item, now) {
    const phase = item.phase === 'uploading' && this.isQuiet(item, now) ?
        'quiet' : item.phase;
    const title = item.name + (item.type ? `.${item.type}` : '');
    this.showNames(item, title);
    setAttribute(this.article, 'data-phase', phase);
    setText(this.badge, BADGES[phase] ?? phase);
    const facts = this.factsOf(item, now, phase).join(' · ');
    setText(this.facts, facts);
    setAttribute(this.facts, 'title', facts);
    this.showProgress(item, title);
    this.grid.show(item.parts ?? '');
    if (item.phase === 'ready')
      this.showPlayer(item, title);
    this.item = item;
  }

  isQuiet(item, now) {
    this.meter.add(now, item.received);
    if (this.received !== item.received) {
      this.received = item.received;
      this.heard = now;
    }
    return now - this.heard >= QUIET;
  }

  showNames(item, title) {
    setText(this.name, title);
    setAttribute(this.name, 'title', title);
    setText(this.type, item.type || '?');
    setText(this['file-id'], item.fileId);
    setAttribute(this['copy-id'], 'aria-label', `Copy file id of ${title}`);
    setAttribute(this['copy-url'], 'aria-label', `Copy URL of ${title}`);
    setAttribute(this['copy-cover'], 'aria-label', `Copy cover URL of ${title}`);
    this['copy-url'].disabled = !item.url;
    this.showLink(this.url, item.url, 'once it is committed');
    this['cover-row'].hidden = !item.cover;
    this.showLink(this['cover-url'], item.cover, '');
  }

  showLink(link, url, otherwise) {
    setText(link, url || otherwise);
    if (url)
      setAttribute(link, 'href', here(url));
  }

  /* What there may be no room for comes last. */
  factsOf(item, now, phase) {
    const facts = [];
    if (phase === 'ready')
      facts.push(item.size === undefined ? 'cover only' : bytes(item.size),
          count(item.parts?.length ?? 0, 'part'));
    else
      facts.push(item.total ? share(item.size, item.total) : bytes(item.size));
    if (phase === 'uploading')
      facts.push(`${bytes(this.meter.rate())}/s`);
    if (phase === 'quiet')
      facts.push(`silent for ${duration(now - this.heard)}`);
    if (item.failed > 0)
      facts.push(`${item.failed.toLocaleString('en')} failed`);
    if (item.applies > 1)
      facts.push('resumed');
    facts.push(phase === 'ready' ?
      `took ${duration(item.committed - item.applied)}` :
      duration(now - item.applied));
    return facts;
  }

  showProgress(item, title) {
    const { progress } = this;
    setAttribute(progress, 'aria-label', `Upload of ${title}`);
    if (item.phase !== 'uploading') {
      progress.max = 1;
      progress.value = 1;
    } else if (item.total > 0) {
      progress.max = item.total;
      progress.value = Math.min(item.size, item.total);
    } else {
      progress.removeAttribute('value');
    }
  }

  /* Once, and again only if there is another cover. */
  showPlayer(item, title) {
    const what = `${item.url} ${item.cover} ${item.kind}`;
    if (this.player === what)
      return;
    this.player = what;
    this.screen.replaceChildren(playerFor(item, title));
  }
}

function playerFor(item, title) {
  const kind = item.kind ?? '';
  if (kind.startsWith('video/') || kind.startsWith('audio/')) {
    const player = document.createElement(kind.slice(0, 5));
    player.controls = true;
    player.preload = item.cover ? 'none' : 'metadata';
    player.setAttribute('aria-label', title);
    if (item.cover)
      player.poster = here(item.cover);
    player.src = here(item.url);
    player.addEventListener('error', () => {
      player.replaceWith(unplayable(item, title));
    });
    return player;
  }
  if (item.cover) {
    const picture = document.createElement('img');
    picture.alt = `Cover of ${title}`;
    picture.src = here(item.cover);
    return picture;
  }
  return make('p', 'note', kind === 'discarded' ?
    'Its bytes were not kept (--discard)' : 'Nothing to play');
}

/* The browser can't play it, or couldn't read it: a fault may be why. */
function unplayable(item, title) {
  const note = make('p', 'note', 'This browser could not play it. ');
  const again = make('button', '', 'Try again');
  again.type = 'button';
  again.setAttribute('aria-label', `Try again to play ${title}`);
  again.addEventListener('click', () => {
    const player = playerFor(item, title);
    note.replaceWith(player);
    player.focus?.();
  });
  note.append(again);
  return note;
}

export class Videos {
  wanted = STEP;
  cards = new Map();
  elements = new Map();
  media = [];
  changes = -1;
  phases = null;

  constructor(onMore) {
    byId('more').addEventListener('click', () => {
      this.wanted += STEP;
      this.changes = -1;
      onMore();
    });
  }

  /* What the next question says. */
  query() {
    return { media: this.changes, count: this.wanted };
  }

  show(live) {
    if (live.media) {
      this.media = live.media;
      this.changes = live.mediaChanges;
    }
    const items = [...live.uploads, ...this.media]
        .sort((a, b) => b.applied - a.applied || (a.id < b.id ? 1 : -1));
    const byKey = new Map(items.map((item) => [item.id, item]));
    for (const [id, card] of this.cards)
      if (!byKey.has(id)) {
        card.remove();
        this.cards.delete(id);
        this.elements.delete(id);
      }
    keep(byId('list'), this.elements, [...byKey.keys()], (id) => {
      this.cards.set(id, new Card(id));
      return this.cards.get(id).element;
    });
    for (const [id, item] of byKey)
      this.cards.get(id).show(item, live.now);
    this.showRest(live, byKey.size);
    this.announce(byKey);
  }

  showRest(live, shown) {
    const left = live.mediaCount - this.media.length;
    const more = byId('more');
    byId('videos').removeAttribute('aria-busy');
    byId('waiting').hidden = true;
    byId('empty').hidden = shown > 0;
    more.hidden = left <= 0;
    setText(more, `Show ${Math.min(left, STEP)} more of ${left}`);
  }

  /* What has begun and ended since the last time, in one sentence. */
  announce(byKey) {
    const news = [];
    for (const [id, item] of byKey) {
      const before = this.phases?.get(id);
      if (this.phases && before !== item.phase) {
        if (item.phase === 'ready' && before)
          news.push(`${item.name} is ready`);
        else if (!before && item.phase !== 'ready')
          news.push(`Upload of ${item.name} has begun`);
      }
    }
    this.phases = new Map([...byKey].map(([id, { phase }]) => [id, phase]));
    if (news.length > 0)
      say(news.slice(0, 3).join('. '));
  }
}
