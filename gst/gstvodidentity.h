/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gstvodidentity: by what a media is known again when its upload was
 * interrupted. Pure, but for looking at upstream's file.
 */
#pragma once

#include "gstvodsettings.h"

G_BEGIN_DECLS

/* Fills in the identity, media_key, resume_key and source_file of @upload, whose
 * endpoint, name and type are set:
 *   - resume-key, if it is set;
 *   - with `resume`, upstream's file, where the bytes are its own: endpoint,
 *     URI, size, modification time, inode and location;
 *   - with `spool`, endpoint, location, name and type, by which a recording is
 *     found but never gone on with;
 *   - else none. */
void gst_vod_identity_latch (const GstVodSettings *settings,
    const GstVodStreamFacts *facts, VodUploadSettings *upload);

G_END_DECLS
