/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * voderror: the one error domain below the element.
 *
 * A VodError tells what kind of failure it was (the code, which is what
 * vod_retry_classify() decides on), in which phase of the upload, and what the
 * service said about itself. Its message is for people: what was wrong and, if
 * they can mend it, what to set. It never holds a signature, key, token or
 * header, and whatever the service sent has been made printable and short.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define VOD_ERROR (vod_error_quark ())

/* The phases of interface.md, "vodsink-error" and "vodsink-warning". */
typedef enum {
  VOD_PHASE_NONE,
  VOD_PHASE_SIGNATURE,
  VOD_PHASE_APPLY,
  VOD_PHASE_INITIATE,
  VOD_PHASE_PART,
  VOD_PHASE_COMPLETE,
  VOD_PHASE_COMMIT,
  VOD_PHASE_COVER,
  VOD_PHASE_SPOOL,
  VOD_PHASE_SESSION,
  VOD_PHASE_REPORT,
} VodPhase;

typedef enum {
  /* A setting is wrong (media name, endpoint, CA file…). */
  VOD_ERROR_PARAMETER,
  /* No whole answer: refused, reset, name not found, time out, cut short. The
   * server may or may not have done what was asked. */
  VOD_ERROR_NETWORK,
  /* The server's certificate is not trusted, or TLS itself failed. */
  VOD_ERROR_TLS,
  /* The caller's GCancellable was cancelled. */
  VOD_ERROR_CANCELLED,
  /* An HTTP status that says failure, without a readable explanation. */
  VOD_ERROR_HTTP,
  /* The VOD API answered a code other than 0; see details->number. */
  VOD_ERROR_SERVICE,
  /* The storage answered <Error>; see details->error_code. */
  VOD_ERROR_STORAGE,
  /* The answer cannot be: unparsable, wrong type, a field missing, too long. */
  VOD_ERROR_PROTOCOL,
  /* What arrived at the service is not what was sent (CRC64, ETag). */
  VOD_ERROR_INTEGRITY,
  /* No source gave a usable signature. */
  VOD_ERROR_SIGNATURE,
  /* A rewrite reached media that is no longer held. */
  VOD_ERROR_SEEK,
  /* A limit of the service or of the settings (part numbers, memory). */
  VOD_ERROR_LIMIT,
  /* The media that is to be sent cannot be read. */
  VOD_ERROR_READ,
  /* Nothing tells of what type the media is. */
  VOD_ERROR_MEDIA_TYPE,
  /* The state directory, a session file or the spool cannot be used. */
  VOD_ERROR_LOCAL,
  /* Likewise, because the disk is full or a quota is used up. */
  VOD_ERROR_NO_SPACE,
  /* Another upload has the session. */
  VOD_ERROR_BUSY,
} VodErrorCode;

/* What is known beyond the message. Strings may be NULL. */
typedef struct {
  VodPhase phase;
  guint http_status;  /* 0: there was no answer */
  gint64 number;      /* VOD_ERROR_SERVICE: the service's code */
  gchar *error_code;  /* VOD_ERROR_STORAGE: <Code>, printable, <= 64 bytes */
  gchar *request_id;  /* x-cos-request-id or <RequestId>, printable, <= 128 */
  gint64 retry_after; /* ms, Retry-After; -1: none */
  gboolean resumable; /* another run can go on where this one ended */
  gchar *spool_location; /* where the whole media is, as a file */
  gint64 server_time;    /* Unix seconds, Date or <ServerTime>; 0: unknown */
} VodErrorDetails;

GQuark vod_error_quark (void);

/* A new error with default details (retry_after -1). */
GError *vod_error_new (VodErrorCode code, const gchar *format, ...)
    G_GNUC_PRINTF (2, 3) G_GNUC_WARN_UNUSED_RESULT;

/* g_set_error() for this domain. */
void vod_error_set (GError **error, VodErrorCode code, const gchar *format, ...)
    G_GNUC_PRINTF (3, 4);

/* The details of @error, to read or fill in; NULL if it is of another domain.
 * They belong to @error. */
VodErrorDetails *vod_error_details (GError *error);

/* Notes the phase in @error, unless it has one. @error may be NULL. */
void vod_error_set_phase (GError *error, VodPhase phase);

/* TRUE if the storage has answered with @code ("NoSuchUpload"…). */
gboolean vod_error_has_code (GError *error, const gchar *code);

/* "apply", "part"…, as in interface.md. */
const gchar *vod_phase_name (VodPhase phase);

/* The `code` of vodsink-error: the service's number; the HTTP status; or
 * negative for local failures (-1 bad parameter, -2 network, -3 cancelled,
 * -4 local storage, -5 protocol). */
gint vod_error_number (const GError *error);

/* A copy of what came from outside, fit for a message or a log: valid UTF-8,
 * no control characters, at most @max bytes. NULL gives NULL. */
gchar *vod_printable (const gchar *text, gsize max);

/* The same of what a server says for people, which may repeat what we sent: a
 * run of 24 or more characters that could be a signature, key or token (base64,
 * also percent-encoded) becomes "...". */
gchar *vod_quotable (const gchar *text, gsize max);

G_END_DECLS
