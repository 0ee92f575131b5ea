/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The emulator's own checks against the golden vectors: storage requests as
 * the official SDK signs them, upload signatures, CRC64. Takes the folder of
 * the vectors.
 */
#include "emu-auth.h"
#include "emu-crc64.h"
#include "emu-util.h"

#include <string.h>

static const char *folder = NULL;

static JsonNode *
load (const char *name)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  JsonNode *node = NULL;
  gsize len;

  g_file_get_contents (path, &text, &len, &error);
  g_assert_no_error (error);
  node = emu_json_parse (text, len, &error);
  g_assert_no_error (error);
  return node;
}

/* ---- storage requests ---- */

static char *
value_text (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);

  if (json_node_get_value_type (node) == G_TYPE_INT64)
    return g_strdup_printf ("%" G_GINT64_FORMAT, json_node_get_int (node));
  return g_strdup (json_node_get_string (node));
}

/* Name (lower case) -> value, of both kinds of headers. */
static GHashTable *
collect_headers (JsonObject *vector)
{
  static const char *const members[] = {"headers", "unsignedHeaders"};
  GHashTable *headers =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);

  for (guint i = 0; i < G_N_ELEMENTS (members); i++) {
    JsonObject *object = json_object_get_object_member (vector, members[i]);
    g_autoptr (GList) names = json_object_get_members (object);

    for (GList *l = names; l != NULL; l = l->next)
      g_hash_table_insert (
          headers, g_ascii_strdown (l->data, -1), value_text (object, l->data));
  }
  return headers;
}

static GPtrArray *
collect_query (JsonObject *vector)
{
  JsonObject *object = json_object_get_object_member (vector, "query");
  g_autoptr (GList) names = json_object_get_members (object);
  g_autoptr (GString) text = g_string_new (NULL);

  for (GList *l = names; l != NULL; l = l->next) {
    g_autofree char *value = value_text (object, l->data);
    g_autofree char *name = emu_percent_encode (l->data, FALSE);
    g_autofree char *encoded = emu_percent_encode (value, FALSE);

    g_string_append_printf (
        text, "%s%s=%s", text->len > 0 ? "&" : "", name, encoded);
  }
  return emu_query_parse (text->str, FALSE);
}

static const char *
look_up (const char *name, gpointer headers)
{
  return g_hash_table_lookup (headers, name);
}

/* From the headers, or as bucket and region imply it; else any. */
static char *
host_of (JsonObject *vector, GHashTable *headers)
{
  const char *host = g_hash_table_lookup (headers, "host");

  if (host == NULL)
    host = strstr (
        json_object_get_string_member (vector, "formatString"), "host=");
  else
    return g_strdup (host);
  if (host == NULL)
    return g_strdup ("any");
  host += strlen ("host=");
  return g_strndup (host, strcspn (host, "\n"));
}

static void
check_request (JsonObject *vector)
{
  const char *wire = json_object_get_string_member (vector, "wirePath");
  const char *method = json_object_get_string_member (vector, "method");
  const char *key = json_object_get_string_member (vector, "secretKey");
  g_autoptr (GHashTable) headers = collect_headers (vector);
  g_autoptr (GPtrArray) query = collect_query (vector);
  g_autofree char *path = emu_percent_decode (wire, FALSE);
  g_autofree char *longer = g_strconcat (path, "x", NULL);
  g_autofree char *host = host_of (vector, headers);
  EmuAuthorization auth;

  g_test_message ("%s", json_object_get_string_member (vector, "name"));
  g_assert_true (emu_authorization_parse (
      json_object_get_string_member (vector, "authorization"), &auth));
  g_assert_true (emu_authorization_check (
      &auth, key, method, path, query, host, look_up, headers));
  g_assert_false (emu_authorization_check (
      &auth, "other", method, path, query, host, look_up, headers));
  g_assert_false (emu_authorization_check (
      &auth, key, "PATCH", path, query, host, look_up, headers));
  g_assert_false (emu_authorization_check (
      &auth, key, method, longer, query, host, look_up, headers));
  g_assert_cmpint (emu_authorization_check (&auth, key, method, path, query,
                       "other", look_up, headers),
      ==, !emu_authorization_signs_host (&auth));
  emu_authorization_clear (&auth);
}

static void
test_storage_requests (void)
{
  g_autoptr (JsonNode) node = load ("cos-authorization.json");
  JsonArray *vectors =
      json_object_get_array_member (json_node_get_object (node), "vectors");

  g_assert_cmpuint (json_array_get_length (vectors), ==, 25);
  for (guint i = 0; i < json_array_get_length (vectors); i++)
    check_request (json_array_get_object_element (vectors, i));
}

/* ---- upload signatures ---- */

static void
check_signature (JsonObject *vector)
{
  const char *text = json_object_get_string_member (vector, "signature");
  const char *original = json_object_get_string_member (vector, "original");
  const char *id = json_object_get_string_member (vector, "secretId");
  const char *key = json_object_get_string_member (vector, "secretKey");
  g_autofree char *made = emu_signature_make (original, key);
  g_autoptr (GPtrArray) query = emu_query_parse (original, TRUE);
  EmuSignature signature;
  const char *why;
  guint64 now = 0;

  g_test_message ("%s", json_object_get_string_member (vector, "name"));
  g_assert_cmpstr (made, ==, text);
  g_assert_true (emu_parse_number (
      emu_query_get (query, "currentTimeStamp"), 0, G_MAXINT64, &now));
  g_assert_cmpint (
      emu_signature_check (text, id, key, (gint64)now, &signature, &why), ==,
      EMU_SIGNATURE_OK);
  emu_signature_clear (&signature);
  g_assert_cmpint (emu_signature_check (
                       text, id, key, (gint64)now + 7776000, &signature, &why),
      ==, EMU_SIGNATURE_EXPIRED);
  emu_signature_clear (&signature);
  g_assert_cmpint (
      emu_signature_check (text, id, "x", (gint64)now, &signature, &why), ==,
      EMU_SIGNATURE_INVALID);
  g_assert_cmpint (
      emu_signature_check (text, "x", key, (gint64)now, &signature, &why), ==,
      EMU_SIGNATURE_INVALID);
}

static void
test_upload_signatures (void)
{
  g_autoptr (JsonNode) node = load ("vod-signature.json");
  JsonArray *vectors = json_node_get_array (node);

  g_assert_cmpuint (json_array_get_length (vectors), ==, 6);
  for (guint i = 0; i < json_array_get_length (vectors); i++)
    check_signature (json_array_get_object_element (vectors, i));
}

/* ---- CRC64 ---- */

static guint8
pattern (guint64 i)
{
  return (guint8)(131 * i + 7 * (i >> 8) + (i >> 16));
}

static void
test_crc64 (void)
{
  static const guint64 parts[] = {G_GUINT64_CONSTANT (4696533952674448027),
      G_GUINT64_CONSTANT (4646498119087632210),
      G_GUINT64_CONSTANT (17235902238609531591),
      G_GUINT64_CONSTANT (6580884038228692748)};
  const gsize size = 3158073, mib = 1024 * 1024;
  g_autofree guint8 *data = g_malloc (size);
  guint64 whole = 0;

  g_assert_cmpuint (emu_crc64_update (0, "", 0), ==, 0);
  g_assert_cmpuint (emu_crc64_update (0, "123456789", 9), ==,
      G_GUINT64_CONSTANT (11051210869376104954));
  g_assert_cmpuint (emu_crc64_update (0, "[Object Part]", 13), ==,
      G_GUINT64_CONSTANT (4510578591875220731));
  for (gsize i = 0; i < size; i++)
    data[i] = pattern (i);
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++) {
    gsize len = MIN (mib, size - i * mib);
    guint64 crc = emu_crc64_update (0, data + i * mib, len);

    g_assert_cmpuint (crc, ==, parts[i]);
    whole = emu_crc64_combine (whole, crc, len);
  }
  g_assert_cmpuint (whole, ==, G_GUINT64_CONSTANT (13415018986639167914));
  g_assert_cmpuint (emu_crc64_update (0, data, size), ==, whole);
  for (gsize cut = 0; cut < 40; cut++) {
    guint64 crc = emu_crc64_update (0, data + 1, cut);

    g_assert_cmpuint (emu_crc64_update (crc, data + 1 + cut, size - 1 - cut),
        ==, emu_crc64_update (0, data + 1, size - 1));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (argc != 2)
    g_error ("usage: vectors FOLDER");
  folder = argv[1];
  g_test_add_func ("/emulator/vectors/storage-requests", test_storage_requests);
  g_test_add_func (
      "/emulator/vectors/upload-signatures", test_upload_signatures);
  g_test_add_func ("/emulator/vectors/crc64", test_crc64);
  return g_test_run ();
}
