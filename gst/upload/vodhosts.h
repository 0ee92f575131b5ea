/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhosts: hosts that the service names: those that answer for a region, and
 * those that would be faster for storage requests. Pure.
 *
 * The rule: who has set an `endpoint` of their own (a proxy, a private service)
 * wants everything to go there, and does not want to be led elsewhere by an
 * answer. So a host that the service names is used only if `endpoint` is the
 * default, or if both are this machine (the emulator).
 */
#pragma once

#include "vodupload.h"

G_BEGIN_DECLS

/* May @host ("name" or "name:port", as vod_host_check() takes it) be spoken to
 * in an upload with these settings? NULL: any at all? */
gboolean
vod_hosts_may_use (const VodUploadSettings *settings, const gchar *host);

/* "http(s)://@host", with the scheme of `endpoint`. */
gchar *vod_hosts_uri (const VodUploadSettings *settings, const gchar *host);

/* The host that @applied names for storage requests of such an upload
 * (protocol.md 1.4): to be forwarded by, or with forward=false to be used as
 * the bucket's own, unless storage-endpoint says where to connect. NULL: none,
 * or it is that of `endpoint` or of the bucket anyway. Whether it may be used
 * is another question. */
const gchar *vod_hosts_accelerated (
    const VodUploadSettings *settings, const VodApiApplied *applied);

G_END_DECLS
