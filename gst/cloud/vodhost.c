/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhost: see vodhost.h.
 */
#include "vodhost.h"

#include <gio/gio.h>
#include <string.h>

#define NAME_MAX_BYTES 253
#define LABEL_MAX_BYTES 63

gboolean
vod_host_is_label (const gchar *text, gsize max)
{
  gsize len = strlen (text);

  for (gsize i = 0; i < len; i++)
    if (!g_ascii_isalnum (text[i]) && text[i] != '-')
      return FALSE;
  return len > 0 && len <= max && text[0] != '-' && text[len - 1] != '-';
}

static gboolean
is_name (const gchar *text)
{
  g_auto (GStrv) labels = NULL;

  if (strlen (text) > NAME_MAX_BYTES)
    return FALSE;
  labels = g_strsplit (text, ".", -1);
  for (guint i = 0; labels[i]; i++)
    if (!vod_host_is_label (labels[i], LABEL_MAX_BYTES))
      return FALSE;
  return labels[0] != NULL;
}

gboolean
vod_host_check (const gchar *text)
{
  const gchar *colon = strchr (text, ':');
  g_autofree gchar *name = NULL;

  if (!colon)
    return is_name (text);
  name = g_strndup (text, (gsize)(colon - text));
  return is_name (name) && colon[1] != '0' &&
      g_ascii_string_to_unsigned (colon + 1, 10, 1, G_MAXUINT16, NULL, NULL);
}

gboolean
vod_host_is_loopback (const gchar *name)
{
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string (name);
  g_autofree gchar *lower = g_ascii_strdown (name, -1);

  if (address)
    return g_inet_address_get_is_loopback (address);
  return strcmp (lower, "localhost") == 0 ||
      (g_str_has_suffix (lower, ".localhost") && is_name (lower));
}
