/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * teststopwatch: how long something took, without what the machine did
 * meanwhile.
 *
 * A promise like "in under 100 ms" is about what our threads wait for. Under
 * load they also wait for a processor, which is nobody's fault here: the kernel
 * counts that (run delay, in /proc/PID/task/TID/schedstat), and it is left out.
 * Who waits for an answer, a lock or a condition is not in line for a processor,
 * so that counts in full on any machine. Where the kernel does not count,
 * nothing is left out.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _TestStopwatch TestStopwatch;

/* Begins. */
TestStopwatch *test_stopwatch_new (void);

/* ms since the beginning, but for those that threads of this process were in
 * line: for "no later than". */
gint64 test_stopwatch_ms (TestStopwatch *watch);
/* All ms since the beginning: for "no sooner than". */
gint64 test_stopwatch_all_ms (TestStopwatch *watch);

void test_stopwatch_free (TestStopwatch *watch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TestStopwatch, test_stopwatch_free)

G_END_DECLS
