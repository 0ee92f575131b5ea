/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parts of one upload as a grid of squares. It has the same height however
 * many there are: squares get smaller, and in the end one stands for several,
 * so that ten thousand parts cost no more than a few hundred.
 */
import { count, setAttribute } from './basics.js';

/* The letters that emu-live.c says of a part; the worst of several counts. */
const KINDS = [
  { letter: 'x', name: 'failed', words: 'failed, not there yet' },
  { letter: 'O', name: 'retrying', words: 'coming in again after a failure' },
  { letter: 'o', name: 'coming', words: 'coming in' },
  { letter: '.', name: 'missing', words: 'not seen yet' },
  { letter: 'r', name: 'retried', words: 'stored after a retry' },
  { letter: 'a', name: 'again', words: 'sent again (rewritten)' },
  { letter: 's', name: 'stored', words: 'stored' },
];
const RANK = new Map(KINDS.map(({ letter }, i) => [letter, i]));
const PITCHES = [22, 14, 11, 9, 7, 5.5];

const grids = new Set();

/* How many parts there are of each kind: [{name, words, n}]. */
function tally(letters) {
  const numbers = new Array(KINDS.length).fill(0);
  for (const letter of letters)
    numbers[RANK.get(letter) ?? 3]++;
  return KINDS.map((kind, i) => ({ ...kind, n: numbers[i] }))
      .filter(({ n }) => n > 0);
}

/* The largest squares with which all fit, and how many parts one stands for. */
function layOut(parts, width, height) {
  for (const pitch of PITCHES) {
    const columns = Math.max(Math.floor(width / pitch), 1);
    if (columns * Math.floor(height / pitch) >= parts)
      return { pitch, columns, each: 1 };
  }
  const pitch = PITCHES.at(-1);
  const columns = Math.max(Math.floor(width / pitch), 1);
  return { pitch, columns,
      each: Math.ceil(parts / (columns * Math.floor(height / pitch))) };
}

function drawSquare(context, colours, kind, x, y, size) {
  const colour = colours[kind.name];
  context.fillStyle = colour;
  context.strokeStyle = colour;
  if (kind.name === 'missing') {
    context.strokeRect(x + .5, y + .5, size - 1, size - 1);
    return;
  }
  if (kind.name === 'coming' || kind.name === 'retrying') {
    context.globalAlpha = .35;
    context.fillRect(x, y, size, size);
    context.globalAlpha = 1;
    context.strokeRect(x + .5, y + .5, size - 1, size - 1);
    return;
  }
  context.fillRect(x, y, size, size);
  /* Not by colour alone. */
  context.fillStyle = colours.mark;
  if (kind.name === 'retried' && size >= 6)
    context.fillRect(x + size * .3, y + size * .3, size * .4, size * .4);
  if (kind.name === 'failed' && size >= 6)
    context.fillRect(x + 1.5, y + size / 2 - 1, size - 3, 2);
  if (kind.name === 'again' && size >= 6)
    context.fillRect(x, y + size - 3, size, 1.5);
}

function coloursOf(element) {
  const style = getComputedStyle(element);
  const names = [...KINDS.map(({ name }) => name), 'mark'];
  return Object.fromEntries(
      names.map((name) => [name, style.getPropertyValue(`--part-${name}`)]));
}

export class Grid {
  letters = '';

  constructor(canvas, legend) {
    this.canvas = canvas;
    this.legend = legend;
    this.each = 1;
    sizes.observe(canvas);
    grids.add(this);
    canvas.grid = this;
  }

  remove() {
    sizes.unobserve(this.canvas);
    grids.delete(this);
  }

  show(letters) {
    if (letters === this.letters)
      return;
    this.letters = letters;
    this.draw();
    this.tell();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const scale = devicePixelRatio;
    const context = this.canvas.getContext('2d');
    const { pitch, columns, each } = layOut(this.letters.length, width, height);
    const colours = coloursOf(this.canvas);
    this.each = each;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    context.scale(scale, scale);
    for (let i = 0; i * each < this.letters.length; i++) {
      let rank = KINDS.length - 1;
      for (let j = i * each; j < (i + 1) * each && j < this.letters.length; j++)
        rank = Math.min(rank, RANK.get(this.letters[j]) ?? 3);
      drawSquare(context, colours, KINDS[rank], i % columns * pitch,
          Math.floor(i / columns) * pitch, pitch - (pitch > 20 ? 3 : pitch > 8 ? 2 : 1));
    }
  }

  /* The same in words: for those who can't see it, and as its key. */
  tell() {
    const kinds = tally(this.letters);
    setAttribute(this.canvas, 'aria-label', kinds.length === 0 ?
        'No part yet' : count(this.letters.length, 'part') + ': ' +
            kinds.map(({ words, n }) => `${n} ${words}`).join(', '));
    this.legend.replaceChildren(...kinds.reverse().map(({ name, words, n }) => {
      const item = document.createElement('span');
      item.className = `key ${name}`;
      item.textContent = `${n.toLocaleString('en')} ${words}`;
      return item;
    }));
    if (this.each > 1)
      this.legend.append(`a square is ${this.each} parts`);
  }
}

const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries)
    target.grid.draw();
});

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const grid of grids)
    grid.draw();
});
