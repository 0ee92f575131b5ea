/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gstvodreport: what one upload reports, turned into messages on the bus, and
 * remembered: how it ended, and its results.
 *
 * A report belongs to one upload and is reference counted. It holds the element
 * weakly, so that an upload's workers never keep it. Any thread; its own lock is
 * never held while a message is posted, a signal emitted or a property
 * notified.
 */
#pragma once

#include <gst/gst.h>

#include "upload/vodupload.h"

G_BEGIN_DECLS

typedef struct _GstVodReport GstVodReport;

typedef enum {
  GST_VOD_UNDER_WAY,
  GST_VOD_FINISHED,
  GST_VOD_FAILED,     /* with an ERROR */
  GST_VOD_DISCARDING, /* failed with a WARNING: fatal-errors was FALSE, and
                       * nobody has cancelled it */
} GstVodOutcome;

/* Messages come from @element, whose signal get-signature is asked, whose
 * property fatal-errors decides how a failure is said, and whose properties
 * file-id, video-url and cover-url are notified. */
GstVodReport *gst_vod_report_new (
    GstElement *element, const gchar *name, const gchar *location);
GstVodReport *gst_vod_report_ref (GstVodReport *report);
void gst_vod_report_unref (GstVodReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstVodReport, gst_vod_report_unref)

/* For vod_upload_new(), with a report as their data. */
extern const VodUploadEvents gst_vod_report_events;

/* Where such an upload says what it does: the debug category `vodsink`, in lines
 * that name the element. Holds no reference. */
VodLog gst_vod_report_log (GstVodReport *report);

/* Says, once, that the upload has failed, or could not begin. Not after it has
 * ended. */
void gst_vod_report_fail (GstVodReport *report, GError *error);

/* The upload is stopped: what it still reports is not heard. */
void gst_vod_report_mute (GstVodReport *report);

GstVodOutcome gst_vod_report_outcome (GstVodReport *report);

/* New strings, NULL before the media is committed. */
gchar *gst_vod_report_file_id (GstVodReport *report);
gchar *gst_vod_report_video_url (GstVodReport *report);
gchar *gst_vod_report_cover_url (GstVodReport *report); /* or without a cover */

G_END_DECLS
