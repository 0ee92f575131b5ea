/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhttpsoup: is libsoup 3 usable in this process? Part of vodhttp; nobody else
 * includes this.
 *
 * libsoup 3 aborts the process where it sees libsoup 2.4. One that was opened
 * with RTLD_LOCAL it does not see; both have types of the same names then, and
 * whoever comes second waits for ever for its own to be registered.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* FALSE: VOD_ERROR_PARAMETER, because libsoup 2.4 has registered its types. To
 * be asked before anything of libsoup; what is found the first time stays, as
 * types do. Any thread. */
gboolean vod_http_soup_is_usable (GError **error);

G_END_DECLS
