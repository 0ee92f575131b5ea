/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vod-container: can a media file be played whose end is missing? Reads what
 * may be anything; bounded work, nothing of it is believed to be in its place
 * before it was seen there.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* @type: file extension, or NULL. Of @fd, the first @size bytes count. Those
 * of the mp4 family survive a cut if some media of a fragment, or a table of
 * contents with samples (robust muxing), is there. */
gboolean vod_container_survives_cut (const gchar *type, int fd, guint64 size);

G_END_DECLS
