/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodendpoints.h"

/* With 30 s at first: one that is gone for good costs a request in 8 minutes,
 * one that is back is found within them. */
#define LARGEST_FACTOR 16

void
vod_endpoints_init (VodEndpoints *endpoints, const gchar *first,
    const gchar *backup, gint64 again)
{
  *endpoints = (VodEndpoints){
      .uri = {first, backup},
      .pause = again,
      .least_pause = again,
  };
}

VodEndpointUse
vod_endpoints_choose (VodEndpoints *endpoints, gint64 now, gboolean may_probe)
{
  VodEndpointUse use = {.index = endpoints->current};

  if (may_probe && use.index != 0 && !endpoints->probing &&
      now >= endpoints->probe_at) {
    endpoints->probing = TRUE;
    use.probe = TRUE;
    use.index = 0;
  }
  use.uri = endpoints->uri[use.index];
  return use;
}

static void
end_probe (VodEndpoints *endpoints, gint64 now)
{
  endpoints->probing = FALSE;
  endpoints->pause =
      MIN (2 * endpoints->pause, LARGEST_FACTOR * endpoints->least_pause);
  endpoints->probe_at = now + endpoints->pause;
}

void
vod_endpoints_succeeded (
    VodEndpoints *endpoints, const VodEndpointUse *use, gint64 now)
{
  if (use->uri == NULL)
    return;
  endpoints->heard[use->index] = now;
  endpoints->untrusted[use->index] = FALSE;
  if (use->probe) {
    endpoints->probing = FALSE;
    endpoints->current = 0;
  }
  if (use->index == 0)
    endpoints->pause = endpoints->least_pause;
}

void
vod_endpoints_answered (
    VodEndpoints *endpoints, const VodEndpointUse *use, gint64 now)
{
  if (use->uri == NULL)
    return;
  endpoints->heard[use->index] = now;
  if (use->probe)
    end_probe (endpoints, now);
}

VodWay
vod_endpoints_silent (VodEndpoints *endpoints, const VodEndpointUse *use,
    gboolean untrusted, gint64 begun, gint64 now)
{
  guint other = 1 - use->index;

  if (use->uri == NULL || endpoints->uri[other] == NULL)
    return VOD_WAY_SAME;
  endpoints->untrusted[use->index] = untrusted;
  if (use->probe) {
    end_probe (endpoints, now);
    return VOD_WAY_PROBE;
  }
  if (untrusted && endpoints->untrusted[other])
    return VOD_WAY_SAME;
  if (endpoints->current != use->index)
    return VOD_WAY_OTHER;
  if (!untrusted && endpoints->heard[use->index] > begun)
    return VOD_WAY_SAME;
  endpoints->current = other;
  endpoints->probe_at = now + endpoints->pause;
  return VOD_WAY_OTHER;
}
