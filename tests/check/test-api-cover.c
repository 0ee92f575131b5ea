/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodapi: covers, in bodies as vod-js-sdk sends them; whatever the service says
 * about the cover, the media's own answer counts.
 */
#include <string.h>

#include "testclient.h"
#include "testserver.h"
#include "vodapi.h"

typedef struct {
  TestSoup *soup;
  VodHttp *http;
  GError *error;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->soup = test_soup_new ();
  fixture->http = test_http_open (5);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  g_clear_error (&fixture->error);
  vod_http_free (fixture->http);
  test_soup_free (fixture->soup);
}

#define VIDEO_PATH "/bucket/7f51d96b/x2eWFXPftMEA.mp4"
#define COVER_PATH "/bucket/7f51d96b/5285890784418605124.png"

/* @objects: "video" and "cover", as JSON, with a comma behind each. */
static gchar *
applied_with (const gchar *objects)
{
  return g_strdup_printf (
      "{\"code\":0,\"data\":{%s\"storageAppId\":10022853,"
      "\"storageBucket\":\"bucket\",\"storageRegionV5\":\"ap-chongqing\","
      "\"vodSessionKey\":\"session==\",\"tempCertificate\":{"
      "\"secretId\":\"AKID\",\"secretKey\":\"key\",\"token\":\"token\","
      "\"expiredTime\":1547726575},\"timestamp\":1547719375}}",
      objects);
}

#define VIDEO "\"video\":{\"storagePath\":\"" VIDEO_PATH "\"},"
#define COVER "\"cover\":{\"storagePath\":\"" COVER_PATH "\"},"

static void
assert_sent (Fixture *fixture, const gchar *action, const gchar *body)
{
  guint n = test_soup_n_requests (fixture->soup);
  const TestRequest *request = test_soup_request (fixture->soup, n - 1);
  g_autofree gchar *target =
      g_strconcat ("/v3/index.php?Action=", action, NULL);
  g_autofree gchar *sent = test_request_text (request);

  g_assert_cmpstr (request->method, ==, "POST");
  g_assert_cmpstr (request->target, ==, target);
  g_assert_cmpstr (sent, ==, body);
}

/* --- Apply with a cover ---------------------------------------------------*/

static VodApiApplied *
apply (Fixture *fixture, const VodApiApply *request, const gchar *objects)
{
  g_autofree gchar *text = applied_with (objects);

  test_soup_answer (fixture->soup, 200, NULL, text);
  return vod_api_apply (fixture->http, test_soup_uri (fixture->soup), request,
      NULL, &fixture->error);
}

static void
test_apply (Fixture *fixture, gconstpointer data)
{
  VodApiApply request = {.signature = "s",
      .name = "n\"m",
      .type = "mp4",
      .size = 1500000,
      .cover_type = "png",
      .cover_size = 20000};
  g_autoptr (VodApiApplied) applied = apply (fixture, &request, VIDEO COVER);

  g_assert_no_error (fixture->error);
  assert_sent (fixture, "ApplyUploadUGC",
      "{\"signature\":\"s\",\"videoName\":\"n\\\"m\",\"videoType\":\"mp4\","
      "\"videoSize\":1500000,\"coverName\":\"n\\\"m\",\"coverType\":\"png\","
      "\"coverSize\":20000}");
  g_assert_cmpstr (applied->key, ==, VIDEO_PATH + 1);
  g_assert_cmpstr (applied->cover_key, ==, COVER_PATH + 1);
}

/* The place is still known; the cover is not asked for again. */
static void
test_apply_to_go_on (Fixture *fixture, gconstpointer data)
{
  VodApiApply request = {.signature = "s",
      .session_key = "k",
      .name = "n",
      .type = "mp4",
      .cover_type = "png",
      .cover_size = 20000};
  g_autoptr (VodApiApplied) applied = apply (fixture, &request, VIDEO COVER);

  g_assert_no_error (fixture->error);
  assert_sent (fixture, "ApplyUploadUGC",
      "{\"signature\":\"s\",\"vodSessionKey\":\"k\"}");
  g_assert_cmpstr (applied->cover_key, ==, COVER_PATH + 1);
}

static const gchar *const odd_covers[] = {
    "",
    "\"cover\":null,",
    "\"cover\":7,",
    "\"cover\":\"" COVER_PATH "\",",
    "\"cover\":[],",
    "\"cover\":{},",
    "\"cover\":{\"storagePath\":null},",
    "\"cover\":{\"storagePath\":7},",
    "\"cover\":{\"storagePath\":\"\"},",
    "\"cover\":{\"storagePath\":\"/\"},",
    "\"cover\":{\"storagePath\":\"no-slash.png\"},",
    "\"cover\":{\"storagePath\":\"/a/../../b.png\"},",
    "\"cover\":{\"storagePath\":\"/a//b.png\"},",
    "\"cover\":{\"storagePath\":\"/a\\r\\nHost: evil\"},",
    /* It would overwrite the media. */
    "\"cover\":{\"storagePath\":\"" VIDEO_PATH "\"},",
};

static void
test_odd_places (Fixture *fixture, gconstpointer data)
{
  VodApiApply request = {.signature = "s",
      .name = "n",
      .type = "mp4",
      .cover_type = "png",
      .cover_size = 1};

  for (guint i = 0; i < G_N_ELEMENTS (odd_covers); i++) {
    g_autofree gchar *objects = g_strconcat (VIDEO, odd_covers[i], NULL);
    g_autoptr (VodApiApplied) applied = apply (fixture, &request, objects);

    g_assert_no_error (fixture->error);
    g_assert_cmpstr (applied->key, ==, VIDEO_PATH + 1);
    g_assert_null (applied->cover_key);
  }
}

/* A cover is no reason to do without the media's place. */
static void
test_a_cover_alone_is_not_enough (Fixture *fixture, gconstpointer data)
{
  VodApiApply request = {.signature = "s",
      .name = "n",
      .type = "mp4",
      .cover_type = "png",
      .cover_size = 1};

  g_assert_null (apply (fixture, &request, COVER));
  g_assert_error (fixture->error, VOD_ERROR, VOD_ERROR_PROTOCOL);
}

/* --- another cover for a committed media ----------------------------------*/

static VodApiApplied *
apply_cover (Fixture *fixture, const gchar *objects)
{
  g_autofree gchar *text = applied_with (objects);

  test_soup_answer (fixture->soup, 200, NULL, text);
  return vod_api_apply_cover (fixture->http, test_soup_uri (fixture->soup), "s",
      "5285890784418605123", "name", "jpg", 20000, NULL, &fixture->error);
}

static void
test_exchange (Fixture *fixture, gconstpointer data)
{
  g_autoptr (VodApiApplied) applied = apply_cover (fixture, COVER);

  g_assert_no_error (fixture->error);
  assert_sent (fixture, "ApplyUploadUGC",
      "{\"signature\":\"s\",\"fileId\":\"5285890784418605123\","
      "\"coverName\":\"name\",\"coverType\":\"jpg\",\"coverSize\":20000}");
  g_assert_cmpstr (applied->cover_key, ==, COVER_PATH + 1);
  g_assert_null (applied->key);
  g_assert_cmpstr (applied->session_key, ==, "session==");
  g_assert_cmpstr (applied->credentials.secret_key, ==, "key");
}

/* Here the place is all that was asked for. */
static void
test_exchange_without_a_place (Fixture *fixture, gconstpointer data)
{
  for (guint i = 0; i < G_N_ELEMENTS (odd_covers) - 1; i++) {
    g_autofree gchar *objects = g_strconcat (VIDEO, odd_covers[i], NULL);

    g_assert_null (apply_cover (fixture, objects));
    g_assert_error (fixture->error, VOD_ERROR, VOD_ERROR_PROTOCOL);
    g_assert_nonnull (strstr (fixture->error->message, "storagePath"));
    g_clear_error (&fixture->error);
  }
}

/* --- Commit ---------------------------------------------------------------*/

#define VIDEO_DONE "\"video\":{\"url\":\"https://v/x.mp4\"},"

static gboolean
commit (Fixture *fixture, const gchar *cover, VodApiCommitted *committed)
{
  g_autofree gchar *text = g_strdup_printf (
      "{\"code\":0,\"data\":{" VIDEO_DONE "%s\"fileId\":\"528\"}}", cover);

  test_soup_answer (fixture->soup, 200, NULL, text);
  return vod_api_commit (fixture->http, test_soup_uri (fixture->soup), "s", "k",
      NULL, committed, &fixture->error);
}

static void
test_commit (Fixture *fixture, gconstpointer data)
{
  g_auto (VodApiCommitted) committed = {0};

  g_assert_true (commit (fixture,
      "\"cover\":{\"url\":\"http://v/c.png\",\"verify_content\":\"x\"},",
      &committed));
  assert_sent (fixture, "CommitUploadUGC",
      "{\"signature\":\"s\",\"vodSessionKey\":\"k\"}");
  g_assert_cmpstr (committed.cover_url, ==, "http://v/c.png");
  g_assert_cmpstr (committed.video_url, ==, "https://v/x.mp4");
}

static const gchar *const odd_results[] = {
    "",
    "\"cover\":null,",
    "\"cover\":\"http://v/c.png\",",
    "\"cover\":{},",
    "\"cover\":{\"url\":7},",
    "\"cover\":{\"url\":\"\"},",
    "\"cover\":{\"url\":\"ftp://v/c.png\"},",
    "\"cover\":{\"url\":\"file:///etc/passwd\"},",
    "\"cover\":{\"url\":\"javascript:alert(1)\"},",
    "\"cover\":{\"url\":\"http://v/\\u001b[2J\"},",
    "\"cover\":{\"url\":\"http://v/\\r\\nX: y\"},",
};

static void
test_odd_results (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *run = g_strnfill (5000, 'c');
  g_autofree gchar *overlong =
      g_strdup_printf ("\"cover\":{\"url\":\"http://%s\"},", run);

  for (guint i = 0; i <= G_N_ELEMENTS (odd_results); i++) {
    g_auto (VodApiCommitted) committed = {0};

    g_assert_true (commit (fixture,
        i < G_N_ELEMENTS (odd_results) ? odd_results[i] : overlong,
        &committed));
    g_assert_cmpstr (committed.file_id, ==, "528");
    g_assert_null (committed.cover_url);
  }
}

static gchar *
commit_cover (Fixture *fixture, const gchar *cover)
{
  g_autofree gchar *text =
      g_strdup_printf ("{\"code\":0,\"data\":{%s\"fileId\":\"528\"}}", cover);

  test_soup_answer (fixture->soup, 200, NULL, text);
  return vod_api_commit_cover (fixture->http, test_soup_uri (fixture->soup),
      "s", "k", NULL, &fixture->error);
}

static void
test_commit_of_an_exchange (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *url =
      commit_cover (fixture, "\"cover\":{\"url\":\"https://v/c.png\"},");

  g_assert_no_error (fixture->error);
  assert_sent (fixture, "CommitUploadUGC",
      "{\"signature\":\"s\",\"vodSessionKey\":\"k\"}");
  g_assert_cmpstr (url, ==, "https://v/c.png");
  for (guint i = 0; i < G_N_ELEMENTS (odd_results); i++) {
    g_assert_null (commit_cover (fixture, odd_results[i]));
    g_assert_error (fixture->error, VOD_ERROR, VOD_ERROR_PROTOCOL);
    g_clear_error (&fixture->error);
  }
}

static void
test_refusals (Fixture *fixture, gconstpointer data)
{
  const gchar *text = "{\"code\":10014,\"message\":\"unknown fileId\"}";

  test_soup_answer (fixture->soup, 200, NULL, text);
  g_assert_null (
      vod_api_apply_cover (fixture->http, test_soup_uri (fixture->soup),
          "secret", "1", "n", "jpg", 1, NULL, &fixture->error));
  g_assert_error (fixture->error, VOD_ERROR, VOD_ERROR_SERVICE);
  g_assert_cmpint (vod_error_number (fixture->error), ==, 10014);
  g_assert_null (strstr (fixture->error->message, "secret"));
  g_clear_error (&fixture->error);
  test_soup_answer (fixture->soup, 200, NULL, text);
  g_assert_null (vod_api_commit_cover (fixture->http,
      test_soup_uri (fixture->soup), "s", "k", NULL, &fixture->error));
  g_assert_error (fixture->error, VOD_ERROR, VOD_ERROR_SERVICE);
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
  add ("/api/cover/apply", test_apply);
  add ("/api/cover/apply/go-on", test_apply_to_go_on);
  add ("/api/cover/apply/odd", test_odd_places);
  add ("/api/cover/apply/alone", test_a_cover_alone_is_not_enough);
  add ("/api/cover/exchange", test_exchange);
  add ("/api/cover/exchange/odd", test_exchange_without_a_place);
  add ("/api/cover/exchange/commit", test_commit_of_an_exchange);
  add ("/api/cover/exchange/refused", test_refusals);
  add ("/api/cover/commit", test_commit);
  add ("/api/cover/commit/odd", test_odd_results);
  return g_test_run ();
}
