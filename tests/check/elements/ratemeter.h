/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ratemeter: how fast bytes arrive at the emulator, by its own counter of bytes
 * and this process' clock.
 *
 * A sample knows between which two moments its count was true, so that a slow
 * answer makes the figure less precise instead of wrong. A machine that is busy
 * elsewhere can still keep senders, emulator or test from running; that makes
 * what is measured slower, or faster when it catches up. So what must hold
 * always is counted from the beginning, where it cannot be faster; and a rate
 * has to be met in one of three windows, which no wrong rate does.
 */
#pragma once

#include "emulator.h"

typedef struct {
  guint64 bytes;
  gint64 before, after; /* monotonic µs */
} RateSample;

RateSample rate_sample (Emulator *emulator);

/* Since @first, no more has arrived than @rate bit/s allow, with 200 ms at the
 * beginning. */
void rate_assert_below (Emulator *emulator, RateSample first, guint64 rate);

/* In one of three windows of @seconds it is @rate bit/s, give or take @percent.
 */
void
rate_assert_is (Emulator *emulator, guint64 rate, guint seconds, guint percent);
