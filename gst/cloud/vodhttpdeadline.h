/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhttpdeadline: when a request has taken too long. It stands still while the
 * request waits for its turn to send. Part of vodhttp; nobody else includes this.
 *
 * Belongs to the request's thread; only vod_http_deadline_overdue() comes from
 * others.
 */
#pragma once

#include <glib.h>
#include <stdatomic.h>

G_BEGIN_DECLS

/* All zero: no request is under way. */
typedef struct {
  gint64 at;           /* monotonic µs; 0: none */
  gint64 held_since;   /* stands still since then; 0: does not */
  gint64 held;         /* µs that it stood still so far, in all requests */
  _Atomic gint64 seen; /* `at` for others; 0 while it stands still */
} VodHttpDeadline;

/* A request begins, or with 0 ends. */
void vod_http_deadline_set (VodHttpDeadline *deadline, gint64 at);

/* Stands still from now on, until _go_on(). */
void vod_http_deadline_hold (VodHttpDeadline *deadline);
void vod_http_deadline_go_on (VodHttpDeadline *deadline);

/* Has it passed? Not while it stands still. */
gboolean vod_http_deadline_passed (const VodHttpDeadline *deadline);

/* The same, from any thread. */
gboolean vod_http_deadline_overdue (VodHttpDeadline *deadline);

G_END_DECLS
