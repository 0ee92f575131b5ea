/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Small pure helpers: digests, encodings, query strings, bounded JSON, names.
 */
#include "emu-util.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <string.h>

#define JSON_DEPTH 64

void
emu_hmac_sha1 (gconstpointer key, gsize key_len, gconstpointer data, gsize len,
    guint8 out[20])
{
  unsigned int out_len = 20;

  if (HMAC (EVP_sha1 (), key, (int)key_len, data, len, out, &out_len) == NULL)
    g_error ("OpenSSL cannot compute HMAC-SHA1");
}

char *
emu_hex (const guint8 *data, gsize len)
{
  static const char digits[] = "0123456789abcdef";
  char *text = g_malloc (2 * len + 1);

  for (gsize i = 0; i < len; i++) {
    text[2 * i] = digits[data[i] >> 4];
    text[2 * i + 1] = digits[data[i] & 15];
  }
  text[2 * len] = '\0';
  return text;
}

char *
emu_hmac_sha1_hex (const char *key, const char *data)
{
  guint8 mac[20];

  emu_hmac_sha1 (key, strlen (key), data, strlen (data), mac);
  return emu_hex (mac, sizeof mac);
}

char *
emu_sha1_hex (gconstpointer data, gsize len)
{
  guint8 digest[SHA_DIGEST_LENGTH];

  if (!EVP_Digest (data, len, digest, NULL, EVP_sha1 (), NULL))
    g_error ("OpenSSL cannot compute SHA1");
  return emu_hex (digest, sizeof digest);
}

gboolean
emu_secret_equal (const char *a, const char *b)
{
  gsize len;

  if (a == NULL || b == NULL)
    return FALSE;
  len = strlen (a);
  return len == strlen (b) && CRYPTO_memcmp (a, b, len) == 0;
}

guint8 *
emu_base64_decode (const char *text, gsize *len)
{
  g_autofree guint8 *data = NULL;
  g_autofree char *again = NULL;

  if (text == NULL || *text == '\0')
    return NULL;
  data = g_base64_decode (text, len);
  again = g_base64_encode (data, *len);
  return strcmp (again, text) == 0 ? g_steal_pointer (&data) : NULL;
}

static char *
percent_decode_len (const char *text, gsize len, gboolean plus_is_space)
{
  g_autoptr (GString) out = g_string_sized_new (len);

  for (gsize i = 0; i < len; i++) {
    if (text[i] == '%') {
      int high, low;

      if (len - i < 3)
        return NULL;
      high = g_ascii_xdigit_value (text[i + 1]);
      low = g_ascii_xdigit_value (text[i + 2]);
      if (high < 0 || low < 0 || high + low == 0)
        return NULL;
      g_string_append_c (out, (char)(high << 4 | low));
      i += 2;
    } else if (text[i] == '+' && plus_is_space) {
      g_string_append_c (out, ' ');
    } else {
      g_string_append_c (out, text[i]);
    }
  }
  if (!g_utf8_validate (out->str, (gssize)out->len, NULL))
    return NULL;
  return g_string_free (g_steal_pointer (&out), FALSE);
}

char *
emu_percent_decode (const char *text, gboolean plus_is_space)
{
  return percent_decode_len (text, strlen (text), plus_is_space);
}

char *
emu_percent_encode (const char *text, gboolean keep_slash)
{
  GString *out = g_string_new (NULL);

  for (const char *p = text; *p != '\0'; p++) {
    if (g_ascii_isalnum (*p) || strchr ("-_.~", *p) != NULL ||
        (keep_slash && *p == '/'))
      g_string_append_c (out, *p);
    else
      g_string_append_printf (out, "%%%02X", (guint8)*p);
  }
  return g_string_free (out, FALSE);
}

static void
pair_free (gpointer data)
{
  EmuPair *pair = data;

  g_free (pair->name);
  g_free (pair->value);
  g_free (pair);
}

GPtrArray *
emu_query_parse (const char *query, gboolean plus_is_space)
{
  g_autoptr (GPtrArray) pairs = g_ptr_array_new_with_free_func (pair_free);
  g_auto (GStrv) items = NULL;

  if (query == NULL)
    return g_steal_pointer (&pairs);
  items = g_strsplit (query, "&", 256);
  for (guint i = 0; items[i] != NULL; i++) {
    const char *equals = strchr (items[i], '=');
    EmuPair *pair;

    if (*items[i] == '\0')
      continue;
    pair = g_new0 (EmuPair, 1);
    g_ptr_array_add (pairs, pair);
    pair->name = percent_decode_len (items[i],
        equals != NULL ? (gsize)(equals - items[i]) : strlen (items[i]),
        plus_is_space);
    pair->value =
        emu_percent_decode (equals != NULL ? equals + 1 : "", plus_is_space);
    if (pair->name == NULL || pair->value == NULL)
      return NULL;
  }
  return g_steal_pointer (&pairs);
}

const char *
emu_query_get (GPtrArray *query, const char *name)
{
  for (guint i = 0; i < query->len; i++) {
    EmuPair *pair = g_ptr_array_index (query, i);

    if (strcmp (pair->name, name) == 0)
      return pair->value;
  }
  return NULL;
}

gboolean
emu_parse_number (const char *text, guint64 min, guint64 max, guint64 *out)
{
  if (text == NULL)
    return FALSE;
  return g_ascii_string_to_unsigned (text, 10, min, max, out, NULL);
}

static void
random_bytes (guint8 *data, gsize len)
{
  if (RAND_bytes (data, (int)len) != 1)
    g_error ("OpenSSL has no random numbers");
}

char *
emu_random_hex (guint bytes)
{
  g_autofree guint8 *data = g_malloc (bytes);

  random_bytes (data, bytes);
  return emu_hex (data, bytes);
}

static char *
random_from (const char *alphabet, guint length)
{
  gsize n = strlen (alphabet);
  char *text = g_malloc (length + 1);

  random_bytes ((guint8 *)text, length);
  for (guint i = 0; i < length; i++)
    text[i] = alphabet[(guint8)text[i] % n];
  text[length] = '\0';
  return text;
}

char *
emu_random_digits (guint digits)
{
  return random_from ("0123456789", digits);
}

char *
emu_random_alnum (guint length)
{
  return random_from (
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", length);
}

static gboolean
nesting_is_sane (const char *data, gsize len)
{
  guint depth = 0;
  gboolean in_string = FALSE;

  for (gsize i = 0; i < len; i++) {
    if (in_string) {
      if (data[i] == '\\')
        i++;
      else if (data[i] == '"')
        in_string = FALSE;
    } else if (data[i] == '"') {
      in_string = TRUE;
    } else if (data[i] == '{' || data[i] == '[') {
      if (++depth > JSON_DEPTH)
        return FALSE;
    } else if ((data[i] == '}' || data[i] == ']') && depth > 0) {
      depth--;
    }
  }
  return TRUE;
}

JsonNode *
emu_json_parse (const char *data, gsize len, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();
  JsonNode *root;

  if (!nesting_is_sane (data, len) || memchr (data, '\0', len) != NULL) {
    g_set_error_literal (error, JSON_PARSER_ERROR, JSON_PARSER_ERROR_PARSE,
        "nested too deeply, or a NUL byte");
    return NULL;
  }
  if (!json_parser_load_from_data (parser, data, (gssize)len, error))
    return NULL;
  root = json_parser_get_root (parser);
  if (root == NULL) {
    g_set_error_literal (
        error, JSON_PARSER_ERROR, JSON_PARSER_ERROR_PARSE, "empty");
    return NULL;
  }
  return json_node_ref (root);
}

const char *
emu_json_string (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);

  if (node == NULL || json_node_get_value_type (node) != G_TYPE_STRING)
    return NULL;
  return json_node_get_string (node);
}

gint64
emu_json_int (JsonObject *object, const char *name, gint64 fallback)
{
  JsonNode *node = json_object_get_member (object, name);

  if (node == NULL || json_node_get_value_type (node) != G_TYPE_INT64)
    return fallback;
  return json_node_get_int (node);
}

char *
emu_json_text (JsonNode *node, gboolean pretty)
{
  g_autoptr (JsonGenerator) generator = json_generator_new ();

  json_generator_set_root (generator, node);
  json_generator_set_pretty (generator, pretty);
  return json_generator_to_data (generator, NULL);
}

void
emu_json_add_uint64 (JsonBuilder *builder, const char *name, guint64 value)
{
  g_autofree char *text = g_strdup_printf ("%" G_GUINT64_FORMAT, value);

  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, text);
}

const char *
emu_content_type (const char *extension)
{
  static const char *const types[][2] = {
      {"mp4", "video/mp4"},
      {"m4v", "video/mp4"},
      {"mov", "video/quicktime"},
      {"mkv", "video/x-matroska"},
      {"webm", "video/webm"},
      {"ts", "video/mp2t"},
      {"flv", "video/x-flv"},
      {"avi", "video/x-msvideo"},
      {"mpg", "video/mpeg"},
      {"mpeg", "video/mpeg"},
      {"3gp", "video/3gpp"},
      {"ogv", "video/ogg"},
      {"ogg", "audio/ogg"},
      {"oga", "audio/ogg"},
      {"opus", "audio/ogg"},
      {"mp3", "audio/mpeg"},
      {"m4a", "audio/mp4"},
      {"aac", "audio/aac"},
      {"wav", "audio/wav"},
      {"flac", "audio/flac"},
      {"jpg", "image/jpeg"},
      {"jpeg", "image/jpeg"},
      {"png", "image/png"},
      {"gif", "image/gif"},
      {"webp", "image/webp"},
      {"bmp", "image/bmp"},
  };

  for (guint i = 0; extension != NULL && i < G_N_ELEMENTS (types); i++)
    if (g_ascii_strcasecmp (extension, types[i][0]) == 0)
      return types[i][1];
  return "application/octet-stream";
}

char *
emu_http_date (gint64 unix_time)
{
  static const char *const days[] = {
      "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
  static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  g_autoptr (GDateTime) date = g_date_time_new_from_unix_utc (unix_time);

  if (date == NULL)
    return g_strdup ("Thu, 01 Jan 1970 00:00:00 GMT");
  return g_strdup_printf ("%s, %02d %s %d %02d:%02d:%02d GMT",
      days[g_date_time_get_day_of_week (date) - 1],
      g_date_time_get_day_of_month (date),
      months[g_date_time_get_month (date) - 1], g_date_time_get_year (date),
      g_date_time_get_hour (date), g_date_time_get_minute (date),
      g_date_time_get_second (date));
}
