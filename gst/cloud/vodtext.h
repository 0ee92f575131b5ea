/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodtext: of what characters a stranger's text may be made. Pure.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* 1 to @max bytes, all of them printable ASCII without blanks: what ids, keys and
 * tokens of the service are made of. */
gboolean vod_text_is_word (const gchar *text, gsize max);

G_END_DECLS
