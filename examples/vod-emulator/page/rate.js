/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How fast a number grows: over the last seconds as a figure, and over the
 * last minute as a picture.
 */

const WINDOW = 3;
const MINUTE = 60;

/* What was counted when; rate() is what came each second of late. */
export class Meter {
  samples = [];

  add(now, value) {
    const last = this.samples.at(-1);
    if (last && (now < last.now || value < last.value))
      this.samples = [];
    this.samples.push({ now, value });
    while (this.samples.length > 2 && this.samples[1].now < now - WINDOW)
      this.samples.shift();
  }

  rate() {
    const first = this.samples[0];
    const last = this.samples.at(-1);
    return this.samples.length > 1 && last.now > first.now ?
        (last.value - first.value) / (last.now - first.now) : 0;
  }
}

/* One bar for each second of the last minute. */
export class Minute {
  seconds = new Map();
  last = null;

  constructor(canvas) {
    this.canvas = canvas;
  }

  add(now, value) {
    const second = Math.floor(now);
    if (this.last !== null && value >= this.last)
      this.seconds.set(second,
          (this.seconds.get(second) ?? 0) + value - this.last);
    this.last = value;
    for (const old of this.seconds.keys())
      if (old <= second - MINUTE)
        this.seconds.delete(old);
    this.draw(second);
  }

  draw(now) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const scale = devicePixelRatio;
    const context = this.canvas.getContext('2d');
    const most = Math.max(1, ...this.seconds.values());
    const step = width / MINUTE;
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    context.scale(scale, scale);
    context.fillStyle =
        getComputedStyle(this.canvas).getPropertyValue('--accent');
    for (const [second, value] of this.seconds) {
      const bar = value > 0 ? Math.max(value / most * height, 1.5) : 0;
      context.fillRect((MINUTE - 1 - (now - second)) * step, height - bar,
          Math.max(step - 1, 1), bar);
    }
  }
}
