/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lists of parts and of uploads, against the emulator: what it was given is
 * what it lists, also over several pages.
 */
#include "vodapi.h"

#include "emulator.h"
#include "testclient.h"
#include "vodcos.h"

typedef struct {
  Emulator *emulator;
  VodHttp *http;
  VodApiApplied *applied;
  VodCosTarget target;
  GError *error;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *signature = emulator_signature (FALSE);
  VodApiApply apply = {.signature = signature, .name = "name", .type = "mp4"};

  fixture->emulator = emulator_new (NULL);
  fixture->http = test_http_open (15);
  fixture->applied = vod_api_apply (fixture->http,
      emulator_uri (fixture->emulator), &apply, NULL, &fixture->error);
  g_assert_no_error (fixture->error);
  fixture->target.connect_to = emulator_uri (fixture->emulator);
  fixture->target.bucket_host = fixture->applied->bucket_host;
  fixture->target.forward = TRUE;
  fixture->target.key = fixture->applied->key;
  fixture->target.credentials = &fixture->applied->credentials;
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_clear_error (&fixture->error);
  vod_api_applied_unref (fixture->applied);
  vod_http_free (fixture->http);
  emulator_free (fixture->emulator);
}

static gchar *
initiate (Fixture *fixture)
{
  gchar *id =
      vod_cos_initiate (fixture->http, &fixture->target, NULL, &fixture->error);

  g_assert_no_error (fixture->error);
  return id;
}

static VodCosReceipt
put_part (Fixture *fixture, const gchar *id, guint number, guint64 length)
{
  VodHttpBody body = test_body (length);
  VodCosReceipt receipt;

  vod_cos_put_part (fixture->http, &fixture->target, id, number, &body, NULL,
      NULL, NULL, NULL, &receipt, &fixture->error);
  g_assert_no_error (fixture->error);
  return receipt;
}

static GArray *
list_parts (Fixture *fixture, const gchar *id)
{
  GArray *parts = vod_cos_list_parts (
      fixture->http, &fixture->target, id, NULL, &fixture->error);

  g_assert_no_error (fixture->error);
  return parts;
}

static void
test_parts_are_as_they_were_put (Fixture *fixture, gconstpointer data)
{
  static const guint numbers[] = {10000, 1, 2};
  g_autofree gchar *id = initiate (fixture);
  g_autoptr (GArray) none = list_parts (fixture, id), parts = NULL;
  VodCosReceipt receipts[3];

  g_assert_cmpuint (none->len, ==, 0);
  put_part (fixture, id, 1, 77);
  for (guint i = 0; i < 3; i++)
    receipts[i] = put_part (fixture, id, numbers[i], 100 + i);
  parts = list_parts (fixture, id);
  g_assert_cmpuint (parts->len, ==, 3);
  for (guint i = 0; i < 3; i++) {
    const VodCosPart *part = &g_array_index (parts, VodCosPart, (i + 2) % 3);

    g_assert_cmpuint (part->number, ==, numbers[i]);
    g_assert_cmpuint (part->size, ==, 100 + i);
    g_assert_cmpstr (part->etag, ==, receipts[i].etag);
  }
}

static void
test_parts_of_several_pages (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *id = initiate (fixture);
  g_autoptr (GArray) parts = NULL;

  for (guint i = 1; i <= 2001; i++)
    put_part (fixture, id, 3 * i, i);
  parts = list_parts (fixture, id);
  g_assert_cmpuint (parts->len, ==, 2001);
  for (guint i = 1; i <= 2001; i++) {
    const VodCosPart *part = &g_array_index (parts, VodCosPart, i - 1);

    g_assert_cmpuint (part->number, ==, 3 * i);
    g_assert_cmpuint (part->size, ==, i);
  }
  g_assert_cmpuint (
      emulator_count (fixture->emulator, "ListParts", 200), ==, 3);
}

static void
test_parts_of_an_unknown_upload (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *id = initiate (fixture);

  vod_cos_abort (fixture->http, &fixture->target, id, 0, NULL, &fixture->error);
  g_assert_no_error (fixture->error);
  test_expect_failure (vod_cos_list_parts (fixture->http, &fixture->target, id,
                           NULL, &fixture->error) != NULL,
      fixture->error, VOD_ERROR_STORAGE);
  g_assert_cmpstr (
      vod_error_details (fixture->error)->error_code, ==, "NoSuchUpload");
}

static gchar **
list_uploads (Fixture *fixture)
{
  gchar **ids = vod_cos_list_uploads (
      fixture->http, &fixture->target, NULL, &fixture->error);

  g_assert_no_error (fixture->error);
  return ids;
}

/* An upload that the service thinks began @seconds from now. */
static gchar *
initiate_at (Fixture *fixture, gint seconds)
{
  g_autofree gchar *fault = g_strdup_printf (
      "{\"op\":\"InitiateMultipartUpload\",\"clock-skew\":%d,\"times\":1}",
      seconds);

  emulator_add_faults (fixture->emulator, fault);
  return initiate (fixture);
}

static void
test_newest_upload_comes_first (Fixture *fixture, gconstpointer data)
{
  g_auto (GStrv) none = list_uploads (fixture), ids = NULL;
  g_autofree gchar *newest = initiate_at (fixture, -60);
  g_autofree gchar *oldest = initiate_at (fixture, -180);
  g_autofree gchar *middle = initiate_at (fixture, -120);

  g_assert_cmpuint (g_strv_length (none), ==, 0);
  ids = list_uploads (fixture);
  g_assert_cmpuint (g_strv_length (ids), ==, 3);
  g_assert_cmpstr (ids[0], ==, newest);
  g_assert_cmpstr (ids[1], ==, middle);
  g_assert_cmpstr (ids[2], ==, oldest);
}

/* The service finds them by the prefix, on two pages, but they are another's. */
static void
test_uploads_of_a_longer_key_are_passed_over (
    Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *shorter =
      g_strndup (fixture->applied->key, strlen (fixture->applied->key) - 1);
  g_auto (GStrv) ids = NULL;

  for (guint i = 0; i < 1001; i++)
    g_free (initiate (fixture));
  fixture->target.key = shorter;
  ids = list_uploads (fixture);
  g_assert_cmpuint (g_strv_length (ids), ==, 0);
  g_assert_cmpuint (
      emulator_count (fixture->emulator, "ListMultipartUploads", 200), ==, 2);
}

static void
test_damaged_lists (Fixture *fixture, gconstpointer data)
{
  static const gchar *const kinds[] = {"xml", "types", "html", "empty", "huge"};
  g_autofree gchar *id = initiate (fixture);

  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++) {
    g_autofree gchar *fault =
        g_strdup_printf ("{\"garbage\":\"%s\"}", kinds[i]);

    emulator_add_faults (fixture->emulator, fault);
    test_expect_failure (vod_cos_list_parts (fixture->http, &fixture->target,
                             id, NULL, &fixture->error) != NULL,
        fixture->error, VOD_ERROR_PROTOCOL);
    g_clear_error (&fixture->error);
    test_expect_failure (vod_cos_list_uploads (fixture->http, &fixture->target,
                             NULL, &fixture->error) != NULL,
        fixture->error, VOD_ERROR_PROTOCOL);
    g_clear_error (&fixture->error);
    emulator_clear_faults (fixture->emulator);
  }
}

static void
add (const gchar *path, void (*test) (Fixture *fixture, gconstpointer data))
{
  g_test_add (path, Fixture, NULL, set_up, test, tear_down);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("/lists/parts-are-as-they-were-put", test_parts_are_as_they_were_put);
  add ("/lists/parts-of-several-pages", test_parts_of_several_pages);
  add ("/lists/parts-of-an-unknown-upload", test_parts_of_an_unknown_upload);
  add ("/lists/newest-upload-comes-first", test_newest_upload_comes_first);
  add ("/lists/uploads-of-a-longer-key-are-passed-over",
      test_uploads_of_a_longer_key_are_passed_over);
  add ("/lists/damaged", test_damaged_lists);
  return g_test_run ();
}
