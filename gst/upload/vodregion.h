/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodregion: storage-region=auto. The service is asked which regions it offers
 * (Prepare), and a host of each region is asked for an answer, whatever it is
 * (protocol.md 1.2); the region of the first to answer is the nearest.
 *
 * What was found is known to the process from then on, by endpoint. That
 * nothing was found is known for `region_again` ms: where a firewall lets
 * nothing but the endpoint through, or does not answer who asks for a
 * signature, splitmuxsink shall not wait for the same silence with every
 * fragment. Of uploads that begin together one asks, and the others wait for
 * what it finds.
 */
#pragma once

#include "vodupload.h"

G_BEGIN_DECLS

/* Gives a signature for one request, or NULL with an error. May block. */
typedef gchar *(*VodRegionSign) (gpointer data, GError **error);

/* How it went with Prepare, if that was asked, and not cancelled: not if the
 * region was known already. */
typedef struct {
  gint64 begun, ended; /* monotonic µs; 0: it was not asked */
  GError *error;       /* NULL: the service has said which regions it offers */
} VodRegionPrepare;

/* The nearest region (to be freed; a label), or NULL with @error saying why
 * there is none: the hosts may not be asked (vodhosts.h), the service does not
 * say or offers no choice, nobody answers, @sign fails, @cancellable is
 * cancelled (VOD_ERROR_CANCELLED). No reason for an upload to fail. Blocks: for
 * @sign, and beyond that 8 s at most; 5 of them for Prepare, 3 for the race.
 * Any thread. @outcome (zero, may be NULL) is filled in; its error is to be
 * freed. */
gchar *vod_region_find (const VodUploadSettings *settings, VodRegionSign sign,
    gpointer sign_data, GCancellable *cancellable, VodRegionPrepare *outcome,
    GError **error);

/* The service will not have what was found: as if none had been. */
void vod_region_drop (const VodUploadSettings *settings);

G_END_DECLS
