/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodupload: one upload, from the first byte to the file id.
 *
 * The owner (one streaming thread) writes bytes and waits; workers, started on
 * demand, do everything that touches the network. The first write starts it:
 * signature, Apply, Initiate; then parts while media comes in; after
 * vod_upload_finish() what is left, Complete and Commit.
 *
 *   streaming thread   vod_upload_write, _seek, _finish, _wait
 *   any thread         _interrupt, _stop, _join, the setters and getters
 *   worker threads     call the VodUploadEvents
 *
 * The upload is reference counted. A worker holds a reference; it never holds
 * the owner, which must see to it that the events' data outlives the upload
 * (vod_upload_new() takes a destroy function).
 */
#pragma once

#include "../cloud/vodapi.h"
#include "../cloud/voderror.h"
#include "vodcover.h"

G_BEGIN_DECLS

typedef struct _VodUpload VodUpload;

/* By what a media is known again, if its upload is interrupted. */
typedef enum {
  VOD_IDENTITY_NONE,      /* it is not */
  VOD_IDENTITY_EXPLICIT,  /* resume-key */
  VOD_IDENTITY_FILE,      /* the bytes are those of upstream's file */
  VOD_IDENTITY_RECORDING, /* it cannot come again: only its spool is kept */
} VodIdentity;

/* What is latched when the upload starts. Copied by vod_upload_new(). */
typedef struct {
  gchar *endpoint;         /* checked base URI */
  gchar *backup_endpoint;  /* checked base URI, or NULL */
  guint first_again;       /* ms on the backup until the first is tried again */
  gchar *storage_endpoint; /* checked base URI, or NULL: the bucket's host */
  gboolean endpoint_is_default; /* hosts that the service names may be used */
  gboolean forward;
  gchar *region;             /* to store in: a label; or NULL */
  gboolean nearest_region;   /* `region` is NULL: find out which is nearest */
  guint region_again;        /* ms after that was in vain until the next try */
  guint region_time;         /* s that regions have to answer; 0: 3 */
  gchar *name;               /* media name, checked */
  gchar *type;               /* media type, checked */
  gchar *cover_location;     /* path of a picture, not looked at yet; or NULL */
  guint64 expected_size;     /* 0: not known */
  gchar *signature_url;      /* checked, or NULL */
  gchar **signature_headers; /* name, value, …, or NULL */
  guint64 slice_size;
  guint64 max_size_bytes; /* >= 4 * slice_size */
  guint parallel_uploads;
  gboolean content_md5;
  gchar *user_agent;
  gchar *proxy;
  gchar *tls_ca_file;
  guint timeout;     /* s */
  guint worker_idle; /* ms after which a worker without a job ends */
  guint outage;      /* ms of failing after which one part at a time is tried */
  /* Shared with whoever keeps the same rate (a reference); NULL: the upload's
   * own. */
  VodPace *pace;
  VodLog log; /* what its data is about outlives the upload */

  gchar *report_id;       /* valid UTF-8; NULL: nothing is reported */
  gchar *report_endpoint; /* checked base URI; with report_id */
  gchar *report_device;   /* what this runs on, for the reports; or NULL */

  gboolean resume; /* take up an interrupted upload of the same media */
  gboolean spool;
  gboolean keep_spool;
  gchar *state_dir; /* NULL: the default, and no error if it is unusable */
  VodIdentity identity;
  gchar *media_key;   /* vod_session_make_key(), unless identity is NONE */
  gchar *resume_key;  /* as the application gave it, or NULL */
  gchar *source_file; /* path, if the bytes are those of a file; or NULL */
} VodUploadSettings;

void vod_upload_settings_clear (VodUploadSettings *settings);

/* How such an upload talks to servers, for any connection of its own. Borrowed
 * from @settings. */
VodHttpSettings vod_upload_settings_http (const VodUploadSettings *settings);

typedef struct {
  gboolean wanted;   /* as vod_upload_set_progress_interval() says … */
  gboolean beat;     /* … and, whatever that says, once a second */
  guint64 loaded;    /* bytes the service has */
  guint64 total;     /* 0: not known yet */
  gdouble percent;   /* -1: not known */
  guint64 speed;     /* bytes/s on the wire over the last seconds */
  gdouble left_done; /* in a beat after finish: share of what was left then,
                      * 0…1; else -1 */
} VodUploadProgress;

typedef struct {
  const gchar *file_id;
  const gchar *video_url;
  const gchar *cover_url;      /* NULL: without a cover */
  const gchar *verify_content; /* may be NULL */
  const gchar *spool_location; /* of the spool, if it was kept; or NULL */
  guint64 size;
  guint parts;
} VodUploadResult;

/* Milestones, in order; begun ones end by the next one or by `failed`. */
typedef enum {
  VOD_UPLOAD_OPENING, /* asks for a signature, applies, initiates */
  VOD_UPLOAD_OPENED,
  VOD_UPLOAD_CLOSING, /* the stream has ended */
  VOD_UPLOAD_CLOSED,  /* committed; comes just before `finished` */
} VodUploadMilestone;

typedef enum {
  VOD_UPLOAD_NEAR_LIMIT, /* part numbers or time run out */
  VOD_UPLOAD_BLOCKED,    /* memory has been full for 5 s; once per outage */
  VOD_UPLOAD_SPOOL,      /* the spool has failed: memory has to do; or, after
                          * `failed`, nothing is recorded any more */
  VOD_UPLOAD_SESSION,    /* the session file has failed: no resuming */
} VodUploadWarning;

/* Called without any lock, from a worker; `failed`, `milestone` and `warning`
 * from the streaming thread too; `mishap`, `milestone` and `finished` also by
 * vod_upload_stop() and vod_upload_fail(). Any may be called while
 * vod_upload_stop() runs, none after vod_upload_join() returned TRUE. */
typedef struct {
  /* Is there anybody to ask? Then: a new string, or NULL for "later". May
   * block. */
  gboolean (*can_ask) (gpointer data);
  gchar *(*ask) (gpointer data);
  void (*progress) (const VodUploadProgress *progress, gpointer data);
  void (*retry) (VodPhase phase, guint attempt, guint delay_ms,
      const gchar *message, gpointer data);
  void (*milestone) (VodUploadMilestone milestone, gpointer data);
  void (*warning) (VodUploadWarning warning, const gchar *message,
      const gchar *spool_location, gpointer data); /* may be NULL */
  /* Something beside the media has failed, which does not fail the upload: its
   * phase says what, cover or report. From a thread of its own if it is a
   * report, and then also after the end, until the upload is stopped. */
  void (*mishap) (GError *error, gpointer data);
  /* An interrupted recording was found and set aside; @resume_key may be NULL.
   */
  void (*recovered) (
      const gchar *spool_location, const gchar *resume_key, gpointer data);
  /* Something to know, if one wants to. */
  void (*notice) (const gchar *message, gpointer data);
  /* Exactly one of these two at the end, unless the upload is stopped. */
  void (*finished) (const VodUploadResult *result, gpointer data);
  void (*failed) (GError *error, gpointer data);
} VodUploadEvents;

VodUpload *vod_upload_new (const VodUploadSettings *settings,
    const VodUploadEvents *events, gpointer data, GDestroyNotify destroy);
VodUpload *vod_upload_ref (VodUpload *upload);
void vod_upload_unref (VodUpload *upload);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VodUpload, vod_upload_unref)

/* --- settings that may change at any time ---------------------------------*/

void vod_upload_set_retry_duration (VodUpload *upload, gint seconds);

/* Least time between two progresses that are `wanted`; 0: none is. */
void vod_upload_set_progress_interval (VodUpload *upload, guint ms);

/* The `signature` property; wakes an upload that waits for one. */
void vod_upload_set_signature (VodUpload *upload, const gchar *signature);

/* TRUE: no part is sent, and what comes after the parts not begun, until FALSE
 * again. Requests under way and those that open the upload go on, media is
 * taken while there is memory, and retry-duration stands still. */
void vod_upload_set_paused (VodUpload *upload, gboolean paused);

/* Most bits a second for all that has the upload's `pace`; 0: no limit. At low
 * rates fewer parts are in flight. What is under way keeps to it too. */
void vod_upload_set_max_bitrate (VodUpload *upload, guint64 bitrate);

/* Stopped or failed: delete what is up even if it could be resumed. */
void vod_upload_set_discard_on_stop (VodUpload *upload, gboolean discard);

/* A picture for the cover, or what is taken for one; NULL: none from there any
 * more. Counts up to the end of the stream. */
void
vod_upload_set_cover (VodUpload *upload, VodCoverSource source, GBytes *image);

/* Upstream may rewrite: keep confirmed slices while there is room. */
void vod_upload_expect_rewrites (VodUpload *upload);

/* --- streaming thread -----------------------------------------------------*/

typedef enum {
  VOD_FLOW_OK,
  VOD_FLOW_INTERRUPTED, /* vod_upload_interrupt (TRUE): come again */
  VOD_FLOW_FAILED,      /* `failed` was called */
  VOD_FLOW_STOPPED,     /* vod_upload_stop() was called */
} VodFlow;

/* Where the next byte goes. An impossible place fails the next write. */
void vod_upload_seek (VodUpload *upload, guint64 position);

/* Takes @len bytes; waits while memory is full. *@taken is how many were taken
 * in any case. */
VodFlow vod_upload_write (
    VodUpload *upload, const guint8 *data, gsize len, gsize *taken);

/* End of stream, of which at least one byte was written. */
void vod_upload_finish (VodUpload *upload);

/* After `failed`: goes on recording into the spool. FALSE: there is none, or it
 * has failed too, which `warning` tells once. */
gboolean vod_upload_record (VodUpload *upload, const guint8 *data, gsize len);

/* End of stream of that recording. */
void vod_upload_finish_record (VodUpload *upload);

/* After finish: waits until the media is committed. */
VodFlow vod_upload_wait (VodUpload *upload);

/* --- any thread -----------------------------------------------------------*/

/* Sticky: while TRUE, write and wait return VOD_FLOW_INTERRUPTED instead of
 * waiting. Requests go on. */
void vod_upload_interrupt (VodUpload *upload, gboolean interrupted);

/* Ends the upload with @error (taken): `failed` is called, its requests are
 * cancelled and its parts deleted. Nothing happens if it has ended, or if its
 * media is committed: then VOD_ERROR_CANCELLED only ends the exchange of the
 * cover, and `finished` is called. */
void vod_upload_fail (VodUpload *upload, GError *error);

/* Ends the upload if it has not ended: cancels its requests. If its media is
 * committed, and it is the cover that is exchanged, `finished` is called. If
 * the media cannot be resumed, or @discard, or discard-on-stop, parts at the
 * service are deleted by a worker in the background (one DELETE), or remembered
 * to be deleted by a later upload. Returns at once. */
void vod_upload_stop (VodUpload *upload, gboolean discard);

/* After stop, finish or failure: waits for the workers to end, at most 2 s for
 * a DELETE, which is then cancelled. One that is inside the application's
 * `ask`, or that calls this itself (from an event), is left to end by itself;
 * then FALSE. */
gboolean vod_upload_join (VodUpload *upload);

/* TRUE if vod_upload_join() would not have to wait. */
gboolean vod_upload_is_quiet (VodUpload *upload);

typedef struct {
  guint64 bytes_received;
  guint64 bytes_uploaded;
  guint64 bytes_sent;
  guint64 bytes_buffered; /* of media in memory, sent or not */
  guint64 bytes_spooled;
  guint64 position;     /* of the next byte */
  guint parts_uploaded; /* confirmed, without … */
  guint parts_skipped;  /* … those that were up from an earlier run */
  guint parts_rewritten;
  guint retries;
  guint64 upload_rate; /* bytes/s */
  gint64 blocked_time; /* µs */
  const gchar *state;  /* static: see interface.md, `stats` */
} VodUploadStats;

void vod_upload_get_stats (VodUpload *upload, VodUploadStats *stats);

G_END_DECLS
