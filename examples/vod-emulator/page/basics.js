/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What all parts of the page use: elements, texts that are touched only if
 * they change, figures as people read them, copying, saying something to those
 * who listen. Names of clients get into the page by textContent alone.
 */

export const byId = (id) => document.getElementById(id);

export function cloneOf(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}

export function make(tag, className, text = '') {
  const element = document.createElement(tag);
  if (className)
    element.className = className;
  element.textContent = text;
  return element;
}

export function setText(element, text) {
  if (element.textContent !== text)
    element.textContent = text;
}

export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value)
    element.setAttribute(name, value);
}

/* ---- figures ---- */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function bytes(n) {
  let unit = 0;
  while (n >= 1024 && unit < UNITS.length - 1) {
    n /= 1024;
    unit++;
  }
  return `${unit === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ` +
      UNITS[unit];
}

/* 3.1 of 7.5 MiB */
export function share(some, all) {
  const [part, unit] = bytes(some).split(' ');
  const whole = bytes(all);
  return `${part}${whole.endsWith(` ${unit}`) ? '' : ` ${unit}`} of ${whole}`;
}

export function duration(seconds) {
  if (seconds < 59.5)
    return `${seconds < 10 ? Math.max(seconds, 0).toFixed(1) :
      Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60)
    return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function count(n, one, many = `${one}s`) {
  return `${n.toLocaleString('en')} ${n === 1 ? one : many}`;
}

export function timeOfDay(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString('en-GB');
}

/* ---- saying and copying ---- */

/* For those who can't see the page. One sentence at a time. */
export function say(text) {
  byId('say').textContent = text;
}

async function putOnClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/* Where there is no clipboard the text is selected, for Ctrl+C. */
function select(element) {
  const range = document.createRange();
  range.selectNodeContents(element);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

export function makeCopy(button, source) {
  let timer = 0;
  button.addEventListener('click', async () => {
    const copied = await putOnClipboard(source.textContent);
    if (!copied)
      select(source);
    button.textContent = copied ? 'Copied' : 'Ctrl+C';
    button.classList.toggle('done', copied);
    say(copied ? `${button.dataset.what} copied` : 'Selected: press Ctrl+C');
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.textContent = 'Copy';
      button.classList.remove('done');
    }, 1500);
  });
}

/* ---- keeping a list of elements ---- */

/*
 * Makes the children of @parent the elements of these keys, in this order,
 * and touches none that is in its place already. @elements: a Map of those
 * there are; others are made, and those not wanted are removed.
 */
export function keep(parent, elements, keys, create) {
  const wanted = new Set(keys);
  for (const [key, element] of elements)
    if (!wanted.has(key)) {
      element.remove();
      elements.delete(key);
    }
  let next = parent.firstElementChild;
  for (const key of keys) {
    let element = elements.get(key);
    if (!element) {
      element = create(key);
      elements.set(key, element);
    }
    if (element === next)
      next = next.nextElementSibling;
    else
      parent.insertBefore(element, next);
  }
}
