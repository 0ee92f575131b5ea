/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * testvectors: see testvectors.h.
 */
#include "testvectors.h"

JsonNode *
test_vectors_load (const gchar *directory, const gchar *file)
{
  g_autofree gchar *path = g_build_filename (directory, file, NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) error = NULL;

  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  return json_node_copy (json_parser_get_root (parser));
}

const gchar *
test_vectors_string (JsonObject *object, const gchar *name)
{
  g_assert_true (json_object_has_member (object, name));
  return json_object_get_string_member (object, name);
}
