/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodcosauth: the 25 golden vectors (made by the official SDK), and the wire
 * form of keys.
 */
#include "vodcosauth.h"

#include <stdio.h>
#include <string.h>

#include "testvectors.h"

static gchar *
member_text (JsonObject *object, const gchar *name)
{
  JsonNode *node = json_object_get_member (object, name);

  if (json_node_get_value_type (node) == G_TYPE_INT64)
    return g_strdup_printf ("%" G_GINT64_FORMAT, json_node_get_int (node));
  return json_node_dup_string (node);
}

/* name, value, … of @object: all, or those in the ";"-list @only. */
static GPtrArray *
pairs_of (JsonObject *object, const gchar *only)
{
  GPtrArray *pairs = g_ptr_array_new_with_free_func (g_free);
  g_auto (GStrv) wanted = only ? g_strsplit (only, ";", -1) : NULL;
  g_autoptr (GList) names = json_object_get_members (object);

  for (GList *l = names; l; l = l->next) {
    g_autofree gchar *lower = g_ascii_strdown (l->data, -1);

    if (wanted && !g_strv_contains ((const gchar *const *)wanted, lower))
      continue;
    g_ptr_array_add (pairs, g_strdup (l->data));
    g_ptr_array_add (pairs, member_text (object, l->data));
  }
  return pairs;
}

/* The SDK makes the host from bucket and region when none is given. */
static void
add_implied_host (GPtrArray *headers, JsonObject *vector)
{
  JsonObject *options = json_object_get_object_member (vector, "options");

  if (!json_object_has_member (options, "Bucket"))
    return;
  g_ptr_array_add (headers, g_strdup ("Host"));
  g_ptr_array_add (headers,
      g_strdup_printf ("%s.cos.%s.myqcloud.com",
          test_vectors_string (options, "Bucket"),
          test_vectors_string (options, "Region")));
}

static void
check_vector (JsonObject *vector)
{
  const gchar *key = test_vectors_string (vector, "key");
  const gchar *wire_path = test_vectors_string (vector, "wirePath");
  g_autofree gchar *path = g_strconcat ("/", key, NULL);
  g_autofree gchar *escaped = vod_cos_escape_path (path);
  g_autoptr (GPtrArray) query =
      pairs_of (json_object_get_object_member (vector, "query"), NULL);
  g_autoptr (GPtrArray) headers =
      pairs_of (json_object_get_object_member (vector, "headers"),
          test_vectors_string (vector, "headerList"));
  g_autofree gchar *authorization = NULL;
  VodCosAuth auth = {.method = test_vectors_string (vector, "method"),
      .path = path,
      .secret_id = test_vectors_string (vector, "secretId"),
      .secret_key = test_vectors_string (vector, "secretKey")};

  add_implied_host (headers, vector);
  g_ptr_array_add (query, NULL);
  g_ptr_array_add (headers, NULL);
  auth.query = (const gchar *const *)query->pdata;
  auth.headers = (const gchar *const *)headers->pdata;
  g_assert_cmpint (
      sscanf (test_vectors_string (vector, "keyTime"),
          "%" G_GINT64_FORMAT ";%" G_GINT64_FORMAT, &auth.start, &auth.end),
      ==, 2);
  authorization = vod_cos_authorization (&auth);
  g_test_message ("%s", test_vectors_string (vector, "name"));
  g_assert_cmpstr (
      authorization, ==, test_vectors_string (vector, "authorization"));
  g_assert_true (g_str_has_suffix (
      authorization, test_vectors_string (vector, "signature")));
  g_assert_cmpstr (escaped, ==, wire_path);
}

static void
test_golden_vectors (void)
{
  g_autoptr (JsonNode) root =
      test_vectors_load (TEST_VECTORS, "cos-authorization.json");
  JsonArray *vectors =
      json_object_get_array_member (json_node_get_object (root), "vectors");

  g_assert_cmpuint (json_array_get_length (vectors), ==, 25);
  for (guint i = 0; i < json_array_get_length (vectors); i++)
    check_vector (json_array_get_object_element (vectors, i));
}

static void
test_nothing_to_sign (void)
{
  VodCosAuth auth = {"GET", "/", NULL, NULL, "id", "key", 1, 2};
  g_autofree gchar *authorization = vod_cos_authorization (&auth);

  g_assert_true (g_str_has_prefix (authorization,
      "q-sign-algorithm=sha1&q-ak=id&q-sign-time=1;2&q-key-time=1;2"
      "&q-header-list=&q-url-param-list=&q-signature="));
}

static void
test_escaping_every_byte (void)
{
  for (guint c = 1; c < 256; c++) {
    gchar text[2] = {(gchar)c, 0};
    g_autofree gchar *escaped = vod_cos_escape (text);
    g_autofree gchar *path = vod_cos_escape_path (text);
    g_autofree gchar *expected = g_ascii_isalnum (c) || strchr ("-_.~", (gint)c)
        ? g_strdup (text)
        : g_strdup_printf ("%%%02X", c);

    g_assert_cmpstr (escaped, ==, expected);
    g_assert_cmpstr (path, ==, c == '/' ? "/" : expected);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cosauth/golden-vectors", test_golden_vectors);
  g_test_add_func ("/cosauth/nothing-to-sign", test_nothing_to_sign);
  g_test_add_func ("/cosauth/escaping-every-byte", test_escaping_every_byte);
  return g_test_run ();
}
