/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodcover: the cover of one upload: which pictures there are for it, and what
 * has become of them. The caller locks; no I/O but vod_cover_load().
 *
 * A picture that is there when Apply is sent is *announced* with it, uploaded
 * beside the video and committed with it. A better one that comes later, up to
 * the end of the stream, is exchanged for it once the media is committed. One
 * that could not be uploaded is not tried again.
 */
#pragma once

#include "../cloud/voderror.h"

G_BEGIN_DECLS

/* Where a picture comes from; later ones go before earlier ones. */
typedef enum {
  VOD_COVER_TAG,    /* an image tag of the stream */
  VOD_COVER_SAMPLE, /* the property `cover` */
  VOD_COVER_FILE,   /* the property `cover-location` */
  VOD_N_COVERS,
} VodCoverSource;

/* Zero-initialised: none. References to what vod_cover_set() was given. */
typedef struct {
  GBytes *images[VOD_N_COVERS];
  GBytes *announced; /* has a place in the upload under way … */
  gboolean up;       /* … and is there */
  GBytes *dropped;   /* could not be uploaded */
  gboolean alone;    /* the service refused the media with a cover */
} VodCover;

void vod_cover_clear (VodCover *cover);

/* @image: a whole picture, or what is taken for one; NULL: none from there any
 * more. Looked at by vod_cover_best(). */
void vod_cover_set (VodCover *cover, VodCoverSource source, GBytes *image);

/* Could @image be a cover? */
gboolean vod_cover_is_usable (GBytes *image);

/* The picture to use, borrowed; NULL: there is none, or, with @error, one was
 * not usable, and is forgotten: ask again. */
GBytes *vod_cover_best (VodCover *cover, GError **error);

/* Its type, as vod_image_type(): it was checked. */
const gchar *vod_cover_type (GBytes *image);

/* @image has a place in the upload under way; NULL: no picture has. */
void vod_cover_announce (VodCover *cover, GBytes *image);

/* Does the announced one still have to be uploaded? */
gboolean vod_cover_is_pending (const VodCover *cover);

/* @image could not be uploaded, whether it was announced or not. */
void vod_cover_drop (VodCover *cover, GBytes *image);

/* Is @best (not NULL) to be offered with Apply? */
gboolean vod_cover_may_go_along (const VodCover *cover, GBytes *best);

/* Now that the media is committed: is @best (not NULL) another picture than it
 * has, and worth trying? */
gboolean vod_cover_wants_exchange (const VodCover *cover, GBytes *best);

/* Reads a picture from @path, up to one byte more than a cover may have. NULL
 * with @error: it cannot be read. *@missing: there is no such file, or nothing
 * in it; yet. Blocks. */
GBytes *vod_cover_load (const gchar *path, gboolean *missing, GError **error);

G_END_DECLS
