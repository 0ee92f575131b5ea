/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodjson: JSON from strangers.
 */
#include "vodjson.h"

#include <string.h>

#include "testclient.h"

static void
expect_refused (const gchar *text, gsize len)
{
  g_autoptr (GError) error = NULL;

  test_expect_failure (vod_json_parse (text, len, "it", &error) != NULL, error,
      VOD_ERROR_PROTOCOL);
}

static void
test_members_by_type (void)
{
  const gchar *text =
      " {\"s\":\"x\",\"i\":-7,\"d\":1.5,\"b\":true,\"n\":null,"
      "\"o\":{\"s\":\"y\"},\"a\":[1],\"big\":5285890784418605123"
      "}\r\n";
  g_autoptr (JsonObject) root =
      vod_json_parse (text, strlen (text), "it", NULL);
  static const gchar *const no_int[] = {"s", "d", "b", "n", "o", "a", "x"};
  gint64 value = 0;

  g_assert_nonnull (root);
  g_assert_cmpstr (vod_json_string (root, "s"), ==, "x");
  g_assert_cmpstr (vod_json_string (vod_json_object (root, "o"), "s"), ==, "y");
  g_assert_true (vod_json_int (root, "i", &value));
  g_assert_cmpint (value, ==, -7);
  g_assert_true (vod_json_int (root, "big", &value));
  g_assert_cmpint (value, ==, 5285890784418605123);
  for (guint i = 0; i < G_N_ELEMENTS (no_int); i++)
    g_assert_false (vod_json_int (root, no_int[i], &value));
  g_assert_null (vod_json_string (root, "i"));
  g_assert_null (vod_json_string (root, "n"));
  g_assert_null (vod_json_string (root, "o"));
  g_assert_null (vod_json_object (root, "s"));
  g_assert_null (vod_json_object (root, "a"));
  g_assert_cmpuint (json_array_get_length (vod_json_array (root, "a")), ==, 1);
  g_assert_null (vod_json_array (root, "o"));
  g_assert_null (vod_json_array (root, "x"));
  g_assert_null (vod_json_array (NULL, "a"));
  g_assert_null (vod_json_string (NULL, "s"));
  g_assert_null (vod_json_object (NULL, "s"));
}

static void
test_no_json (void)
{
  static const gchar *const table[] = {"", "secret", "[]", "\"x\"", "7", "null",
      "{", "}", "{\"a\":}", "{\"a\":1", "{\"secret\" 1}", "{'a':1}", "{}{}",
      "{} x", "<html>secret</html>", "{\"a\":\"\377\"}",
      "{\"a\":\"b\\u0000c\"}", "/* \" */ {\"a\":1}", "{\"a\":1} // x",
      "{\"a\":\""};

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    expect_refused (table[i], strlen (table[i]));
  expect_refused ("{\"a\":\"b\0\"}", 10);
}

static gchar *
nest (const gchar *begin, const gchar *open, guint times)
{
  GString *text = g_string_new (begin);

  while (times-- > 0)
    g_string_append (text, open);
  return g_string_free (text, FALSE);
}

static void
test_bombs (void)
{
  g_autofree gchar *arrays = nest ("", "[", 500000);
  g_autofree gchar *objects = nest ("", "{\"a\":", 200000);
  g_autofree gchar *member = nest ("{\"a\":", "[", 500000);
  /* A quote in a comment must not hide what follows. */
  g_autofree gchar *comment = nest ("{\"a\":/*\"*/", "[", 500000);
  g_autofree gchar *line = nest ("//\"\n", "[", 500000);
  g_autofree gchar *hash = nest ("#\"\n", "[", 500000);
  g_autofree gchar *quote = nest ("{'\"':", "[", 500000);

  expect_refused (arrays, strlen (arrays));
  expect_refused (objects, strlen (objects));
  expect_refused (member, strlen (member));
  expect_refused (comment, strlen (comment));
  expect_refused (line, strlen (line));
  expect_refused (hash, strlen (hash));
  expect_refused (quote, strlen (quote));
}

static void
test_brackets_in_strings_are_no_nesting (void)
{
  g_autofree gchar *brackets = g_strnfill (1000, '[');
  g_autofree gchar *text = g_strdup_printf (
      "{\"a\\\"[[\\\\\":\"%s\",\"b\":\"\\\\u0000\"}", brackets);
  g_autoptr (JsonObject) root =
      vod_json_parse (text, strlen (text), "it", NULL);

  g_assert_nonnull (root);
  g_assert_cmpstr (vod_json_string (root, "a\"[[\\"), ==, brackets);
}

static void
test_any_bytes_do_no_harm (void)
{
  static const gchar *const pieces[] = {"{", "}", "[", "]", "\"", "\\", ",",
      ":", "1", "-", "e9", "true", "null", "\"a\":", "\\u0000", "\\ud800", " ",
      "/", "*", "'", "\377", "\303\244", "."};

  for (guint i = 0; i < 20000; i++) {
    GString *text = g_string_new ("{\"a\":");
    guint n = (guint)g_test_rand_int_range (0, 12);
    JsonObject *root;

    while (n-- > 0)
      g_string_append (
          text, pieces[g_test_rand_int_range (0, G_N_ELEMENTS (pieces))]);
    root = vod_json_parse (text->str, text->len, "it", NULL);
    if (root)
      json_object_unref (root);
    g_string_free (text, TRUE);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/json/members-by-type", test_members_by_type);
  g_test_add_func ("/json/no-json", test_no_json);
  g_test_add_func ("/json/bombs", test_bombs);
  g_test_add_func ("/json/brackets-in-strings-are-no-nesting",
      test_brackets_in_strings_are_no_nesting);
  g_test_add_func ("/json/any-bytes-do-no-harm", test_any_bytes_do_no_harm);
  return g_test_run ();
}
