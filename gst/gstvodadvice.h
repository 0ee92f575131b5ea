/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gstvodadvice: what who reads that an upload has failed can do about it. Pure.
 */
#pragma once

#include <gst/gst.h>

#include "cloud/voderror.h"

G_BEGIN_DECLS

/* What to set or to look at, for an @error that ended something; static. NULL:
 * its message says so itself, or there is nothing to be done. */
const gchar *gst_vod_advice (GError *error);

/* A copy of @error whose message ends with the advice, if there is one. */
GError *gst_vod_advise (GError *error);

G_END_DECLS
