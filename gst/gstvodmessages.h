/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gstvodmessages: what an upload reports, as messages on the bus
 * (interface.md, "Messages"). Each function posts with @element as the source;
 * it must be called without any lock of ours. Any thread.
 */
#pragma once

#include <gst/gst.h>

#include "upload/vodupload.h"

G_BEGIN_DECLS

/* Element message vodsink-progress. */
void
gst_vod_post_progress (GstElement *element, const VodUploadProgress *progress);

/* Element message vodsink-retry. */
void gst_vod_post_retry (GstElement *element, VodPhase phase, guint attempt,
    guint delay_ms, const gchar *message);

/* Element message vodsink-recovered. @resume_key may be NULL: then it is empty
 * there. */
void gst_vod_post_recovered (
    GstElement *element, const gchar *spool_location, const gchar *resume_key);

/* Element message vodsink-finish. @location may be NULL. */
void gst_vod_post_finish (GstElement *element, const VodUploadResult *result,
    const gchar *name, const gchar *location);

/* Element message vodsink-error, then ERROR (WARNING unless @fatal) with the
 * same structure as its details. @location may be NULL. */
void gst_vod_post_failure (
    GstElement *element, GError *error, const gchar *location, gboolean fatal);

/* Something beside the media has failed: element message vodsink-warning, then
 * WARNING with the same structure as its details. @location may be NULL. */
void
gst_vod_post_mishap (GstElement *element, GError *error, const gchar *location);

/* Something that does not fail the upload: a WARNING, and before it the element
 * message vodsink-warning if @phase is not NULL. @location and @spool_location
 * may be NULL. */
void gst_vod_post_warning (GstElement *element, const gchar *phase,
    const gchar *message, const gchar *location, const gchar *spool_location);

/* The structure of the property `stats`: @base is GstBaseSink's own. */
GstStructure *
gst_vod_stats_structure (const VodUploadStats *stats, const GstStructure *base);

/* PROGRESS message with code "open" or "close". */
void gst_vod_post_step (GstElement *element, GstProgressType type,
    const gchar *code, const gchar *text);

G_END_DECLS
