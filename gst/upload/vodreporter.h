/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodreporter: sends the events of one upload in the background, and never
 * matters: nobody waits for it, it tries a few times, then forgets.
 *
 * Events wait in a queue of VOD_REPORTER_MAX_EVENTS, from which the oldest is
 * dropped when it is full. A thread, started at the first one, sends one after
 * the other, each with at most VOD_REPORTER_TRIES tries, over one connection
 * that is kept. The first time that one is given up, the owner is told; the
 * others are given up in silence.
 *
 * The thread holds a reference to the owner. It ends after the last event
 * (vod_reporter_finish()), or when it is stopped: then what is queued gets
 * VOD_REPORTER_GRACE more, all together.
 *
 * Any thread may call these functions, under a lock of its own too but for
 * vod_reporter_join(): none of them blocks, or calls the owner. NULL in the
 * place of a reporter is one that takes no events.
 */
#pragma once

#include "../cloud/vodhttp.h"

G_BEGIN_DECLS

#define VOD_REPORTER_MAX_EVENTS 100
#define VOD_REPORTER_TRIES 3
#define VOD_REPORTER_TIMEOUT 5 /* s, of a request */
/* Less than the 100 ms in which an element has to be in NULL; several round
 * trips on a local network. */
#define VOD_REPORTER_GRACE 50 /* ms */

typedef struct _VodReporter VodReporter;

typedef struct {
  const gchar *endpoint; /* checked base URI */
  VodHttpSettings http;  /* with VOD_REPORTER_TIMEOUT */
  /* Events were given up; @error, of the phase report, says why. Once at most,
   * from the reporter's thread. */
  void (*mishap) (GError *error, gpointer owner);
  gpointer owner;
  gpointer (*hold) (gpointer owner);
  void (*release) (gpointer owner);
} VodReporterSettings;

/* Copies @settings; the owner frees the reporter. */
VodReporter *vod_reporter_new (const VodReporterSettings *settings);

/* When the last reference to the owner has gone: there is no thread any more,
 * or this is it. */
void vod_reporter_free (VodReporter *reporter);

/* Takes @event, the body of a request; after the last one, or when stopped, it
 * is dropped. FALSE: no thread can be had to send it; it waits for the next. */
gboolean vod_reporter_push (VodReporter *reporter, GBytes *event);

/* There will be no more events. */
void vod_reporter_finish (VodReporter *reporter);

/* What is queued has until the end of the grace, which begins with the first
 * call. */
void vod_reporter_stop (VodReporter *reporter);

/* Stops, and waits for the thread to end. FALSE: this is the thread (it calls
 * @mishap). */
gboolean vod_reporter_join (VodReporter *reporter);

/* TRUE if vod_reporter_join() would not have to wait. */
gboolean vod_reporter_is_quiet (VodReporter *reporter);

/* Cancels a request that takes too long, or longer than the grace. To be called
 * now and then: the thread itself does not see that a server trickles. */
void vod_reporter_check_overdue (VodReporter *reporter);

/* Events that wait. */
guint vod_reporter_queued (VodReporter *reporter);

G_END_DECLS
