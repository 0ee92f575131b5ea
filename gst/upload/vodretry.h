/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodretry: is this error worth another try, by what means, and after what
 * pause. Pure.
 */
#pragma once

#include "../cloud/voderror.h"

G_BEGIN_DECLS

typedef enum {
  VOD_RETRY_FINAL,       /* will fail again: report it */
  VOD_RETRY_AGAIN,       /* the same request, after a pause */
  VOD_RETRY_CREDENTIALS, /* with fresh credentials (Apply again) */
  VOD_RETRY_SIGNATURE,   /* with another upload signature */
  VOD_RETRY_LOOK,        /* the upload id is gone: see whether the object is
                          * there (Complete), else final */
} VodRetry;

/* What to do about @error, whose phase is set, after @failures failures of the
 * same request in a row (1 at the first). Codes of the VOD API that are not
 * known are tried four times, as the mini-program SDK does (protocol.md 1.7).
 */
VodRetry vod_retry_classify (GError *error, guint failures);

/* The pause in ms before the next try after @failures (>= 1) in a row: doubles
 * from 0.25 s to 15 s, jittered by @random (any value) to 50…100 % of that.
 * @retry_after (ms, from the server; -1: none) is the least, up to 5 minutes.
 */
guint vod_retry_delay (guint failures, gint64 retry_after, guint32 random);

/* How long the upload may still go on trying (µs; G_MAXINT64: for ever), after
 * a failure at @now: @failing_since is when the first request since the last
 * success was begun, @held how long of that stood still (paused, or waiting for
 * a signature or the pace), @retry_duration in seconds (-1: for ever). 0: not
 * any more. */
gint64 vod_retry_left (
    gint64 now, gint64 failing_since, gint64 held, gint retry_duration);

G_END_DECLS
