/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodrate.h"

#include <string.h>

static void
advance (VodRate *rate, gint64 now)
{
  gint64 slot = now / VOD_RATE_SLOT;

  if (rate->first == 0) {
    rate->first = now;
    rate->slot = slot;
  }
  if (slot - rate->slot >= VOD_RATE_SLOTS) {
    memset (rate->bytes, 0, sizeof rate->bytes);
    rate->slot = slot;
  }
  while (rate->slot < slot)
    rate->bytes[++rate->slot % VOD_RATE_SLOTS] = 0;
}

void
vod_rate_add (VodRate *rate, gint64 now, guint64 bytes)
{
  advance (rate, now);
  rate->bytes[rate->slot % VOD_RATE_SLOTS] += bytes;
}

guint64
vod_rate_get (VodRate *rate, gint64 now)
{
  guint64 sum = 0;
  gint64 window, oldest;

  if (rate->first == 0)
    return 0;
  advance (rate, now);
  oldest = (rate->slot - VOD_RATE_SLOTS + 1) * VOD_RATE_SLOT;
  window = now - MAX (oldest, rate->first);
  for (guint i = 0; i < VOD_RATE_SLOTS; i++)
    sum += rate->bytes[i];
  return sum * G_USEC_PER_SEC / MAX (window, VOD_RATE_SLOT);
}
