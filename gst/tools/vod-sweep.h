/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vod-sweep: deletes at the service what interrupted uploads could not.
 */
#pragma once

#include "vod-settings.h"

G_BEGIN_DECLS

/* Deletes the parts of what is remembered in the state directory: of the
 * endpoint that was set, else of all. FALSE: some could not be, which was
 * said; they stay remembered. One that is refused keeps no other from it, nor does
 * an endpoint that is down those of others. Blocks. */
gboolean vod_sweep (const VodSettings *settings);

G_END_DECLS
