/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "emu-origin.h"

#include <gio/gio.h>
#include <string.h>

#define MAX_HOST 261 /* a name, a colon and a port */

static gboolean
is_loopback (const char *name)
{
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string (name);

  return address != NULL && g_inet_address_get_is_loopback (address);
}

gboolean
emu_origin_is_local (const char *origin)
{
  g_autoptr (GUri) uri = g_uri_parse (origin, G_URI_FLAGS_NONE, NULL);
  const char *host = uri != NULL ? g_uri_get_host (uri) : NULL;

  return host != NULL &&
      (strcmp (host, "localhost") == 0 || is_loopback (host));
}

/* @host without its port and brackets, in small letters, or NULL. */
static char *
name_of (const char *host)
{
  gboolean bracket = *host == '[';
  const char *begin = bracket ? host + 1 : host;
  gsize len = strcspn (begin, bracket ? "]" : ":");
  const char *port = begin + len;

  if (strlen (host) > MAX_HOST || len == 0)
    return NULL;
  if (bracket && *port++ != ']')
    return NULL;
  if (*port == ':')
    port += 1 + strspn (port + 1, "0123456789");
  return *port == '\0' ? g_ascii_strdown (begin, (gssize)len) : NULL;
}

/* An address was looked up nowhere, so that nobody can have led it here. Browsers
 * lead whatever ends in .localhost to this machine, and nowhere else. */
gboolean
emu_host_is_ours (const char *host)
{
  static const char *const names[] = {"localhost", "vod2.qcloud.com",
      "vod2.dnsv1.com", "vodreport.qcloud.com", NULL};
  static const char *const suffixes[] = {
      ".localhost", ".myqcloud.com", ".tencentcos.cn"};
  g_autofree char *name = NULL;

  if (host == NULL)
    return TRUE;
  name = name_of (host);
  if (name == NULL)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (suffixes); i++)
    if (g_str_has_suffix (name, suffixes[i]))
      return TRUE;
  return g_strv_contains (names, name) || g_hostname_is_ip_address (name);
}
