/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodhaste.h"

gboolean
vod_haste_note (VodHaste *haste, gint64 now, guint64 received)
{
  gboolean whole = received - haste->from >= VOD_HASTE_BYTES;
  gboolean late = now - haste->since > VOD_HASTE_TIME;

  if (whole || late) {
    haste->hasty = whole && !late;
    haste->from = received;
    haste->since = now;
  }
  return haste->hasty;
}
