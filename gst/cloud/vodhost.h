/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhost: host names, as strangers give them. Pure.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* One part of a host name: 1 to @max ASCII letters, digits and "-", which is
 * neither the first nor the last of them. */
gboolean vod_host_is_label (const gchar *text, gsize max);

/* TRUE if @text is "name" or "name:port" and nothing else: labels with dots
 * between them (an IPv4 address is such a name, an IPv6 address is not), at most
 * 253 bytes; port 1 to 65535 in decimal. */
gboolean vod_host_check (const gchar *text);

/* TRUE if @name (without port and brackets) is this machine: 127.0.0.0/8, ::1,
 * localhost, or a name below localhost. No look-up: any other name that happens
 * to lead here is FALSE. */
gboolean vod_host_is_loopback (const gchar *name);

G_END_DECLS
