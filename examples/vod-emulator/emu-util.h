/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Small pure helpers: digests, encodings, query strings, bounded JSON, names.
 */
#ifndef EMU_UTIL_H
#define EMU_UTIL_H

#include <gio/gio.h>
#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* A decoded name and value of a query string. */
typedef struct {
  char *name;
  char *value;
} EmuPair;

void emu_hmac_sha1 (gconstpointer key, gsize key_len, gconstpointer data,
    gsize len, guint8 out[20]);
char *emu_hmac_sha1_hex (const char *key, const char *data);
char *emu_sha1_hex (gconstpointer data, gsize len);
char *emu_hex (const guint8 *data, gsize len);
gboolean emu_secret_equal (const char *a, const char *b);

/* NULL unless @text is canonical base64. */
guint8 *emu_base64_decode (const char *text, gsize *len);

/* Percent decoding; NULL if malformed, holding a NUL or not UTF-8. */
char *emu_percent_decode (const char *text, gboolean plus_is_space);
/* Leaves A-Z a-z 0-9 - _ . ~ alone; @keep_slash also '/'. */
char *emu_percent_encode (const char *text, gboolean keep_slash);

/* Array of EmuPair in the order of the query; NULL if malformed. */
GPtrArray *emu_query_parse (const char *query, gboolean plus_is_space);
const char *emu_query_get (GPtrArray *query, const char *name);
/* FALSE if the text isn't a plain decimal number in the range. */
gboolean
emu_parse_number (const char *text, guint64 min, guint64 max, guint64 *out);

char *emu_random_hex (guint bytes);
char *emu_random_digits (guint digits);
char *emu_random_alnum (guint length);

/* Refuses deep nesting, which the JSON parser itself would not survive. */
JsonNode *emu_json_parse (const char *data, gsize len, GError **error);
const char *emu_json_string (JsonObject *object, const char *name);
gint64 emu_json_int (JsonObject *object, const char *name, gint64 fallback);
char *emu_json_text (JsonNode *node, gboolean pretty);
/* As a decimal string: a CRC64 doesn't fit the numbers of JSON. */
void
emu_json_add_uint64 (JsonBuilder *builder, const char *name, guint64 value);

/* audio, video and image types only; else application/octet-stream */
const char *emu_content_type (const char *extension);
char *emu_http_date (gint64 unix_time);

G_END_DECLS

#endif
