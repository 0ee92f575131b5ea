/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodhosts.h"

#include <string.h>

#include "../cloud/vodhost.h"

/* Without port and brackets. */
static gchar *
name_of_uri (const gchar *base_uri)
{
  g_autoptr (GUri) uri = g_uri_parse (base_uri, G_URI_FLAGS_NONE, NULL);

  return g_strdup (uri ? g_uri_get_host (uri) : "");
}

gboolean
vod_hosts_may_use (const VodUploadSettings *settings, const gchar *host)
{
  g_autofree gchar *here = name_of_uri (settings->endpoint);
  g_autofree gchar *there = host ? g_strndup (host, strcspn (host, ":")) : NULL;

  return settings->endpoint_is_default ||
      (vod_host_is_loopback (here) && (!there || vod_host_is_loopback (there)));
}

gchar *
vod_hosts_uri (const VodUploadSettings *settings, const gchar *host)
{
  gboolean plain = g_ascii_strncasecmp (settings->endpoint, "http:", 5) == 0;

  return g_strconcat (plain ? "http://" : "https://", host, NULL);
}

const gchar *
vod_hosts_accelerated (
    const VodUploadSettings *settings, const VodApiApplied *applied)
{
  g_autofree gchar *uri = NULL;

  if (!settings->forward)
    return settings->storage_endpoint ||
            g_strcmp0 (applied->upload_domain, applied->bucket_host) == 0
        ? NULL
        : applied->upload_domain;
  if (!applied->accelerate_host)
    return NULL;
  uri = vod_hosts_uri (settings, applied->accelerate_host);
  return g_ascii_strcasecmp (uri, settings->endpoint) == 0
      ? NULL
      : applied->accelerate_host;
}
