/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodreport: what the service is told about an upload (protocol.md 6): one
 * event, one POST to /ugcupload_new. No state but what is passed in.
 *
 * An event never holds a signature or a credential. The session key, which is
 * neither but of use with a signature, goes only where nobody can read along:
 * to https, or to this machine.
 */
#pragma once

#include "vodhttp.h"

G_BEGIN_DECLS

/* Who reports. 1000 to 4000 are the service's own clients; this is none of
 * them, and does not pass for one. */
#define VOD_REPORT_PLATFORM 5000

/* reqType */
typedef enum {
  VOD_REPORT_PREPARE = 10000, /* a try of Prepare */
  VOD_REPORT_APPLY = 10001,   /* a try of Apply */
  VOD_REPORT_COMMIT = 10002,  /* a try of Commit */
  VOD_REPORT_STORED = 20001,  /* the object is complete, or will not be */
  VOD_REPORT_DONE = 40001,    /* the upload has ended */
} VodReportType;

/* One event. NULL and 0 are not known, and left out. */
typedef struct {
  const gchar *device; /* what this runs on, for people */
  gint64 app_id;       /* the account, as Apply tells */
  guint64 file_size;
  const gchar *file_name; /* without extension */
  const gchar *file_type; /* extension without dot */
  const gchar *session_key;
  const gchar *request_key; /* the same for all events of an upload */
  const gchar *report_id;   /* as the application gave it */
  const gchar *region;      /* where it is stored */
  const gchar *file_id;     /* once committed */

  VodReportType type;
  GError *error;        /* NULL: it went well */
  const gchar *message; /* in the place of what @error says */
  gint64 begun;         /* Unix ms */
  gint64 cost;          /* ms */
} VodReport;

/* The JSON for @endpoint. Strings are cut where they are too long, and made
 * valid UTF-8. */
GBytes *vod_report_body (const VodReport *report, const gchar *endpoint);

/* Sends @body to @endpoint (a checked base URI); blocks. Any 2xx will do. Errors
 * as of vod_http_send(), or VOD_ERROR_HTTP. */
gboolean vod_report_send (VodHttp *http, const gchar *endpoint, GBytes *body,
    GCancellable *cancellable, GError **error);

/* May a session key go to @endpoint? */
gboolean vod_report_is_private (const gchar *endpoint);

G_END_DECLS
