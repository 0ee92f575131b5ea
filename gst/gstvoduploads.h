/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gstvoduploads: the uploads of one element, one after the other, and what the
 * element tells of them in its read-only properties.
 *
 * At most one upload is current: from the first byte of the stream, when the
 * settings are taken, until it is retired. A retired one may still delete its
 * parts in the background, until it is joined. Each has a report of its own,
 * which is muted when it is retired, so that an old upload says nothing about
 * a new one. One whose settings cannot be used is current too, with a report
 * but without a VodUpload, until it is retired.
 *
 * A GstVodUploads is embedded in its element and used by nobody else. The
 * element's lock guards all of it, and the settings. The functions are in two
 * groups: those that are called with that lock, and those that take it
 * themselves. The latter also post messages, notify properties and wait for
 * threads, all of which they do without it.
 */
#pragma once

#include <gst/base/gstbasesink.h>

#include "gstvodreport.h"
#include "gstvodsettings.h"

G_BEGIN_DECLS

/* Private to gstvoduploads.c. */
typedef struct {
  GstBaseSink *sink; /* the element; not a reference */
  GMutex *lock;      /* the element's */
  const GstVodSettings *settings;
  VodPace *pace; /* max-upload-bitrate is for all uploads together */

  /* `lock` guards what follows. */
  gboolean active;      /* an upload is current */
  VodUpload *upload;    /* the current one; NULL: none, or failed to begin */
  GstVodReport *report; /* of the current one, else of the last */
  GSList *retired;      /* of VodUpload that may still have threads */
  VodUploadStats last_stats; /* of the last one, when there is none; zero while
                              * the current one has no VodUpload */
  guint64 dropped;           /* bytes that came after it had failed, likewise */
  gboolean interrupted;
  gboolean rewrites_expected;
} GstVodUploads;

/* Ids of the read-only properties, behind those of the settings. */
enum {
  GST_VOD_PROP_FILE_ID = GST_VOD_SETTINGS_LAST + 1,
  GST_VOD_PROP_VIDEO_URL,
  GST_VOD_PROP_COVER_URL,
  GST_VOD_PROP_STATS,
};

/* Declares the read-only properties. */
void gst_vod_uploads_install_results (GObjectClass *klass);

/* @uploads is zero-initialised memory. */
void gst_vod_uploads_init (GstVodUploads *uploads, GstBaseSink *sink,
    GMutex *lock, const GstVodSettings *settings);

/* When the element goes; nothing is current any more. Waits for nobody. */
void gst_vod_uploads_clear (GstVodUploads *uploads);

/* --- with the element's lock ----------------------------------------------*/

/* vod_upload_interrupt() for the current upload and those to come. */
void gst_vod_uploads_interrupt (GstVodUploads *uploads, gboolean interrupted);

/* Upstream may rewrite (or a new upstream has not said so yet): for the current
 * upload and those to come. */
void
gst_vod_uploads_expect_rewrites (GstVodUploads *uploads, gboolean expected);

/* The stream has brought a picture of itself (NULL: there is none any more). */
void gst_vod_uploads_note_image (GstVodUploads *uploads, GBytes *image);

/* The setting @id was set: the current upload takes it, if it is one that may
 * change. TRUE: it is latched and an upload is under way, so that it counts for
 * the next one only. */
gboolean gst_vod_uploads_note_setting (GstVodUploads *uploads, guint id);

/* Where the current upload's next byte goes; 0 if there is none. */
guint64 gst_vod_uploads_position (GstVodUploads *uploads);

/* --- without it; they take it ---------------------------------------------*/

/* Is an upload current? */
gboolean gst_vod_uploads_active (GstVodUploads *uploads);

/* A reference to the current upload; NULL: there is none, or it failed to
 * begin. */
VodUpload *gst_vod_uploads_ref (GstVodUploads *uploads);

/* GST_VOD_UNDER_WAY if there is none. */
GstVodOutcome gst_vod_uploads_outcome (GstVodUploads *uploads);

/* Takes the settings and begins an upload; none is current. If they cannot be
 * used, says so: it has failed then. What the one before has reported is
 * forgotten. */
void
gst_vod_uploads_begin (GstVodUploads *uploads, const GstVodStreamFacts *facts);

/* There is nothing to upload: begins one only to fail with @error. If one is
 * current, it has failed to begin, and nothing more is said. */
void gst_vod_uploads_fail_to_begin (GstVodUploads *uploads, GError *error);

/* The current one has failed: @size bytes that came all the same went nowhere. */
void gst_vod_uploads_note_dropped (GstVodUploads *uploads, gsize size);

/* Ends the current upload with an ERROR, if there is one that has not ended. */
void gst_vod_uploads_cancel (GstVodUploads *uploads);

/* Stops the current upload, if there is one: what comes is another one.
 * @discard: the media begins again, what is up is of no use. */
void gst_vod_uploads_retire (GstVodUploads *uploads, gboolean discard);

/* Waits for what retired uploads still have to do. */
void gst_vod_uploads_join (GstVodUploads *uploads);

/* The read-only property @id. */
void
gst_vod_uploads_get_result (GstVodUploads *uploads, guint id, GValue *value);

G_END_DECLS
