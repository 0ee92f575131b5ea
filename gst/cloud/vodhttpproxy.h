/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhttpproxy: which proxy a request takes. Part of vodhttp; nobody else
 * includes this.
 *
 * The environment is read here and not by GLib's default resolver, whose
 * modules may talk to the session bus or a desktop's settings: nothing that a
 * worker thread should start.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* The resolver for @proxy ("http://[user:password@]host:port", scheme may be
 * missing), or, if that is NULL, for http_proxy, https_proxy, all_proxy and
 * no_proxy. *@resolver is NULL if there is none. FALSE: VOD_ERROR_PARAMETER,
 * without @proxy's userinfo. */
gboolean vod_http_proxy_resolver (
    const gchar *proxy, GProxyResolver **resolver, GError **error);

/* The value of Proxy-Authorization for @uri; NULL if it takes no HTTP proxy or
 * one without userinfo. A secret. */
gchar *vod_http_proxy_authorization (GProxyResolver *resolver, GUri *uri);

/* "Basic …" for the userinfo of @uri, or NULL. A secret. */
gchar *vod_http_basic_authorization (GUri *uri);

G_END_DECLS
