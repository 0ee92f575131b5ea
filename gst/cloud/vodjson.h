/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodjson: JSON from strangers, and for them. Pure. Part of vodapi, vodreport
 * and vodsignature.
 */
#pragma once

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* The object that @text is, or NULL with VOD_ERROR_PROTOCOL naming @what ("the
 * answer to Apply"). Refuses what json-glib cannot be trusted with: NUL, invalid
 * UTF-8, and nesting so deep that its recursion would overflow the stack. */
JsonObject *vod_json_parse (
    const gchar *text, gsize len, const gchar *what, GError **error);

/* A member of that type, or NULL: absent, or of another type. @object may be
 * NULL. */
const gchar *vod_json_string (JsonObject *object, const gchar *name);
JsonObject *vod_json_object (JsonObject *object, const gchar *name);
JsonArray *vod_json_array (JsonObject *object, const gchar *name);
gboolean vod_json_int (JsonObject *object, const gchar *name, gint64 *value);

/* What @builder has built, as text. */
GBytes *vod_json_to_bytes (JsonBuilder *builder);

G_END_DECLS
