/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodjson: see vodjson.h.
 */
#include "vodjson.h"

#include <string.h>

#include "voderror.h"

#define DEPTH_MAX 32

/* Whether @text is one value in brackets that nest at most DEPTH_MAX deep, and
 * outside strings nothing that JSON does not have there: json-glib also takes
 * comments, which could hide a quote from this, and a second value. */
static gboolean
is_shallow (const gchar *text, gsize len)
{
  guint depth = 0;
  gboolean in_string = FALSE, ended = FALSE;

  for (gsize i = 0; i < len; i++) {
    if (in_string) {
      /* json-glib would end the string there. */
      if (len - i >= 6 && memcmp (text + i, "\\u0000", 6) == 0)
        return FALSE;
      if (text[i] == '\\')
        i++;
      else if (text[i] == '"')
        in_string = FALSE;
    } else if (g_ascii_isspace (text[i])) {
      continue;
    } else if (ended) {
      return FALSE;
    } else if (text[i] == '"') {
      in_string = TRUE;
    } else if (text[i] == '[' || text[i] == '{') {
      if (++depth > DEPTH_MAX)
        return FALSE;
    } else if (text[i] == ']' || text[i] == '}') {
      if (depth == 0)
        return FALSE;
      ended = --depth == 0;
    } else if (!g_ascii_isalnum (text[i]) && !memchr (":,+-.", text[i], 5)) {
      return FALSE;
    }
  }
  return ended;
}

JsonObject *
vod_json_parse (const gchar *text, gsize len, const gchar *what, GError **error)
{
  g_autoptr (JsonParser) parser = NULL;
  JsonNode *root;

  if (!g_utf8_validate_len (text, len, NULL) || !is_shallow (text, len)) {
    vod_error_set (error, VOD_ERROR_PROTOCOL,
        "%s is not a JSON object, or nested too deep", what);
    return NULL;
  }
  parser = json_parser_new_immutable ();
  /* json-glib's message quotes the text: a secret may stand in it. */
  if (!json_parser_load_from_data (parser, text, (gssize)len, NULL)) {
    vod_error_set (error, VOD_ERROR_PROTOCOL, "%s is not JSON", what);
    return NULL;
  }
  root = json_parser_get_root (parser);
  if (!root || !JSON_NODE_HOLDS_OBJECT (root)) {
    vod_error_set (error, VOD_ERROR_PROTOCOL, "%s is not a JSON object", what);
    return NULL;
  }
  return json_object_ref (json_node_get_object (root));
}

static JsonNode *
get_member (JsonObject *object, const gchar *name)
{
  return object ? json_object_get_member (object, name) : NULL;
}

const gchar *
vod_json_string (JsonObject *object, const gchar *name)
{
  JsonNode *node = get_member (object, name);

  if (!node || !JSON_NODE_HOLDS_VALUE (node) ||
      json_node_get_value_type (node) != G_TYPE_STRING)
    return NULL;
  return json_node_get_string (node);
}

JsonObject *
vod_json_object (JsonObject *object, const gchar *name)
{
  JsonNode *node = get_member (object, name);

  return node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node)
                                               : NULL;
}

JsonArray *
vod_json_array (JsonObject *object, const gchar *name)
{
  JsonNode *node = get_member (object, name);

  return node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node)
                                              : NULL;
}

gboolean
vod_json_int (JsonObject *object, const gchar *name, gint64 *value)
{
  JsonNode *node = get_member (object, name);

  if (!node || !JSON_NODE_HOLDS_VALUE (node) ||
      json_node_get_value_type (node) != G_TYPE_INT64)
    return FALSE;
  *value = json_node_get_int (node);
  return TRUE;
}

GBytes *
vod_json_to_bytes (JsonBuilder *builder)
{
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  gchar *text;
  gsize len;

  json_generator_set_root (generator, root);
  text = json_generator_to_data (generator, &len);
  return g_bytes_new_take (text, len);
}
