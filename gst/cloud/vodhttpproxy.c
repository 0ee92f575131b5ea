/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhttpproxy: see vodhttpproxy.h. Pure but for reading the environment.
 */
#include "vodhttpproxy.h"

#include <string.h>

#include "voderror.h"

static GUri *
parse_proxy (const gchar *uri)
{
  static const gchar *const schemes[] = {
      "http", "https", "socks", "socks4", "socks4a", "socks5", NULL};
  g_autoptr (GUri) parsed = g_uri_parse (uri, G_URI_FLAGS_HAS_PASSWORD, NULL);
  const gchar *path = parsed ? g_uri_get_path (parsed) : NULL;

  if (!parsed || !g_strv_contains (schemes, g_uri_get_scheme (parsed)) ||
      !g_uri_get_host (parsed) || !*g_uri_get_host (parsed) ||
      (*path && strcmp (path, "/") != 0) || g_uri_get_query (parsed) ||
      g_uri_get_fragment (parsed))
    return NULL;
  return g_steal_pointer (&parsed);
}

/* "host:port" is "http://host:port", as in souphttpsrc. */
static gchar *
complete_proxy (const gchar *proxy)
{
  if (strstr (proxy, "://"))
    return g_strdup (proxy);
  return g_strconcat ("http://", proxy, NULL);
}

/* The first of the variables that is set and usable. */
static gchar *
proxy_from_environment (const gchar *const *names)
{
  for (guint i = 0; names[i]; i++) {
    const gchar *value = g_getenv (names[i]);
    g_autofree gchar *uri = value && *value ? complete_proxy (value) : NULL;
    g_autoptr (GUri) parsed = uri ? parse_proxy (uri) : NULL;

    if (parsed)
      return g_steal_pointer (&uri);
  }
  return NULL;
}

/* no_proxy's list; *@all is TRUE for "*". */
static gchar **
ignored_hosts (gboolean *all)
{
  const gchar *value = g_getenv ("no_proxy");
  g_auto (GStrv) words = NULL;
  GPtrArray *hosts = g_ptr_array_new ();

  if (!value)
    value = g_getenv ("NO_PROXY");
  words = g_strsplit (value ? value : "", ",", -1);
  for (guint i = 0; words[i]; i++) {
    const gchar *word = g_strstrip (words[i]);

    if (strcmp (word, "*") == 0)
      *all = TRUE;
    else if (*word)
      g_ptr_array_add (hosts, g_strdup (word));
  }
  g_ptr_array_add (hosts, NULL);
  return (gchar **)g_ptr_array_free (hosts, FALSE);
}

static GProxyResolver *
environment_resolver (void)
{
  /* Not HTTP_PROXY: a CGI's client could set that by a header. */
  static const gchar *const for_http[] = {
      "http_proxy", "all_proxy", "ALL_PROXY", NULL};
  static const gchar *const for_https[] = {
      "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", NULL};
  g_autofree gchar *http = proxy_from_environment (for_http);
  g_autofree gchar *https = proxy_from_environment (for_https);
  gboolean none = FALSE;
  g_auto (GStrv) ignored = ignored_hosts (&none);
  GProxyResolver *resolver;
  GSimpleProxyResolver *simple;

  if (none || (!http && !https))
    return NULL;
  resolver = g_simple_proxy_resolver_new (NULL, ignored);
  simple = G_SIMPLE_PROXY_RESOLVER (resolver);
  if (http)
    g_simple_proxy_resolver_set_uri_proxy (simple, "http", http);
  if (https)
    g_simple_proxy_resolver_set_uri_proxy (simple, "https", https);
  return resolver;
}

gboolean
vod_http_proxy_resolver (
    const gchar *proxy, GProxyResolver **resolver, GError **error)
{
  g_autofree gchar *uri = NULL;
  g_autoptr (GUri) parsed = NULL;

  if (!proxy) {
    *resolver = environment_resolver ();
    return TRUE;
  }
  uri = complete_proxy (proxy);
  parsed = parse_proxy (uri);
  if (!parsed) {
    vod_error_set (error, VOD_ERROR_PARAMETER,
        "proxy: not of the form http://[user:password@]host:port");
    return FALSE;
  }
  *resolver = g_simple_proxy_resolver_new (uri, NULL);
  return TRUE;
}

gchar *
vod_http_basic_authorization (GUri *uri)
{
  const gchar *user = g_uri_get_user (uri);
  const gchar *password = g_uri_get_password (uri);
  g_autofree gchar *plain = NULL, *encoded = NULL;

  if (!user)
    return NULL;
  plain = g_strdup_printf ("%s:%s", user, password ? password : "");
  encoded = g_base64_encode ((const guchar *)plain, strlen (plain));
  return g_strconcat ("Basic ", encoded, NULL);
}

gchar *
vod_http_proxy_authorization (GProxyResolver *resolver, GUri *uri)
{
  g_autofree gchar *target = NULL;
  g_auto (GStrv) proxies = NULL;
  g_autoptr (GUri) proxy = NULL;

  if (!resolver)
    return NULL;
  target = g_uri_to_string_partial (
      uri, G_URI_HIDE_USERINFO | G_URI_HIDE_QUERY | G_URI_HIDE_FRAGMENT);
  proxies = g_proxy_resolver_lookup (resolver, target, NULL, NULL);
  if (!proxies || !proxies[0] || !g_str_has_prefix (proxies[0], "http://"))
    return NULL;
  proxy = g_uri_parse (proxies[0], G_URI_FLAGS_HAS_PASSWORD, NULL);
  return proxy ? vod_http_basic_authorization (proxy) : NULL;
}
