/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodlog: where this code says what it does, for who looks for what went wrong.
 * It does not know who listens: the owner of an upload gives a VodLog, which
 * goes down with the settings, so that nothing here knows of GStreamer.
 *
 * Of no line may a signature, a token, a key, a session key, a header, a query's
 * value or a body be a part. What a stranger sent goes through vod_printable()
 * first. No line is written with a lock held: whoever listens may ask in turn.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  VOD_LOG_WARNING, /* something went wrong; once each */
  VOD_LOG_INFO,    /* a milestone; few of an upload, however long it is */
  VOD_LOG_DEBUG,   /* a request */
  VOD_LOG_TRACE,   /* a slice, a worker */
} VodLogLevel;

/* All zero: nobody listens. Both functions may be called by any thread, as long
 * as what @data is about lives. */
typedef struct {
  gboolean (*wants) (VodLogLevel level, gpointer data);
  void (*write) (VodLogLevel level, const gchar *file, const gchar *function,
      gint line, const gchar *text, gpointer data);
  gpointer data;
} VodLog;

/* Cheap: does anybody read @level? */
gboolean vod_log_wants (const VodLog *log, VodLogLevel level);

/* Writes a line if somebody reads it. */
#define vod_log(log, level, ...)                                               \
  vod_log_full (log, level, __FILE__, G_STRFUNC, __LINE__, __VA_ARGS__)

void vod_log_full (const VodLog *log, VodLogLevel level, const gchar *file,
    const gchar *function, gint line, const gchar *format, ...)
    G_GNUC_PRINTF (6, 7);

G_END_DECLS
