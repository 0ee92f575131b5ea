/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodendpoints: which of two endpoints the next request goes to. Pure; the
 * caller locks.
 *
 * They are taken in turn: the one in use is left for the other when a request
 * got no answer from it and nothing else did since that request was begun. So
 * of many requests that fail together one changes over, and one connection that
 * was lost among others that work changes nothing. While the backup is in use,
 * now and then one request tries the first; when that succeeds, the first is
 * taken again.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  const gchar *uri[2]; /* first, backup (NULL: there is none); not owned */
  guint current;
  gint64 heard[2];       /* when each last answered, monotonic µs; 0: never */
  gboolean untrusted[2]; /* TLS failed there, and nothing has succeeded since */
  gboolean probing;      /* a request tries the first */
  gint64 probe_at;       /* when the next may … */
  gint64 pause;          /* … after this pause … */
  gint64 least_pause;    /* … of at least so much, µs */
} VodEndpoints;

/* Where one request goes. Zero-initialised: to no endpoint. */
typedef struct {
  const gchar *uri;
  guint index;
  gboolean probe; /* tries the first while the backup is in use */
} VodEndpointUse;

typedef enum {
  VOD_WAY_SAME,  /* the failure is to be taken as it is */
  VOD_WAY_OTHER, /* the next request goes to the other endpoint */
  VOD_WAY_PROBE, /* it was only a probe: go on as if it had not been */
} VodWay;

/* @again: µs on the backup until the first is tried again; doubled up to 16
 * times that while it fails. */
void vod_endpoints_init (VodEndpoints *endpoints, const gchar *first,
    const gchar *backup, gint64 again);

/* For a request that begins at @now. @may_probe: it does no harm if this one
 * takes as long as a request may that is never answered. */
VodEndpointUse
vod_endpoints_choose (VodEndpoints *endpoints, gint64 now, gboolean may_probe);

/* What was sent there has succeeded. */
void vod_endpoints_succeeded (
    VodEndpoints *endpoints, const VodEndpointUse *use, gint64 now);

/* There was an answer, but not the one that was wanted. */
void vod_endpoints_answered (
    VodEndpoints *endpoints, const VodEndpointUse *use, gint64 now);

/* There was none to a request begun at @begun; @untrusted: because TLS failed.
 */
VodWay vod_endpoints_silent (VodEndpoints *endpoints, const VodEndpointUse *use,
    gboolean untrusted, gint64 begun, gint64 now);

G_END_DECLS
