/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodapi: bodies as the official clients send them, and answers that one must
 * not believe.
 */
#include "vodapi.h"

#include <string.h>

#include "testclient.h"
#include "testserver.h"
#include "testvectors.h"

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

/* The parts of an answer to Apply, as protocol.md 1.4 has them. */
typedef struct {
  const gchar *session, *path, *bucket, *app_id, *region, *id, *key, *token,
      *expired, *timestamp, *account;
  const gchar *more; /* members of data, each with a comma after it; or NULL */
} Answer;

static const Answer good = {.session = "\"3FEmq9DWHl1xF819mM6j0f==\"",
    .path = "\"/faeed456vodcq1400170034/7f51d96b/x2eWFXPftMEA.mp4\"",
    .bucket = "\"faeed456vodcq1400170034\"",
    .app_id = "10022853",
    .region = "\"ap-chongqing\"",
    .id = "\"AKIDtmp\"",
    .key = "\"tmpkey\"",
    .token = "\"tok/en+==\"",
    .expired = "1547726575",
    .timestamp = "1547719375",
    .account = "1400170034"};

static gchar *
compose (const Answer *a)
{
  return g_strdup_printf (
      "{\"code\":0,\"message\":\"\346\210\220\345\212\237\",\"data\":{"
      "\"video\":{\"storageSignature\":\"bW=\",\"storagePath\":%s},"
      "\"storageAppId\":%s,\"storageBucket\":%s,\"storageRegion\":\"cq\","
      "\"storageRegionV5\":%s,\"domain\":\"vod2.qcloud.com\","
      "\"vodSessionKey\":%s,\"tempCertificate\":{\"secretId\":%s,"
      "\"secretKey\":%s,\"token\":%s,\"expiredTime\":%s},"
      "\"appId\":%s,\"timestamp\":%s,%s"
      "\"StorageRegionV5\":\"ap-chongqing\"}}",
      a->path, a->app_id, a->bucket, a->region, a->session, a->id, a->key,
      a->token, a->expired, a->account, a->timestamp, a->more ? a->more : "");
}

static VodApiApplied *
apply (Fixture *fixture)
{
  VodApiApply request = {
      .signature = "sig=", .name = "sample \346\265\213", .type = "mp4"};

  return vod_api_apply (fixture->http, test_soup_uri (fixture->soup), &request,
      NULL, &fixture->error);
}

static void
test_apply (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *text = compose (&good), *sent = NULL, *region = NULL;
  g_autoptr (VodApiApplied) applied = NULL;
  VodApiApplied *again;
  const TestRequest *request;

  test_soup_answer (fixture->soup, 200, NULL, text);
  applied = apply (fixture);
  g_assert_no_error (fixture->error);
  g_assert_cmpstr (applied->session_key, ==, "3FEmq9DWHl1xF819mM6j0f==");
  g_assert_cmpstr (applied->bucket_host, ==,
      "faeed456vodcq1400170034-10022853.cos.ap-chongqing.myqcloud.com");
  g_assert_cmpstr (
      applied->key, ==, "faeed456vodcq1400170034/7f51d96b/x2eWFXPftMEA.mp4");
  g_assert_cmpstr (applied->credentials.secret_id, ==, "AKIDtmp");
  g_assert_cmpstr (applied->credentials.secret_key, ==, "tmpkey");
  g_assert_cmpstr (applied->credentials.token, ==, "tok/en+==");
  g_assert_cmpint (applied->credentials.start, ==, 1547719375);
  g_assert_cmpint (applied->credentials.end, ==, 1547726575);
  g_assert_cmpint (applied->app_id, ==, 1400170034);
  region = vod_api_applied_region (applied);
  g_assert_cmpstr (region, ==, "ap-chongqing");
  g_assert_null (applied->accelerate_host);
  g_assert_null (applied->upload_domain);
  request = test_soup_request (fixture->soup, 0);
  g_assert_cmpstr (request->method, ==, "POST");
  g_assert_cmpstr (request->target, ==, "/v3/index.php?Action=ApplyUploadUGC");
  g_assert_cmpstr (
      test_request_header (request, "content-type"), ==, "application/json");
  sent = test_request_text (request);
  g_assert_cmpstr (sent, ==,
      "{\"signature\":\"sig=\",\"videoName\":\"sample \346\265\213\","
      "\"videoType\":\"mp4\"}");
  again = vod_api_applied_ref (applied);
  vod_api_applied_unref (again);
}

static void
expect_body (Fixture *fixture, const VodApiApply *request, const gchar *body)
{
  g_autofree gchar *text = compose (&good), *sent = NULL;
  g_autoptr (VodApiApplied) applied = NULL;
  guint n = test_soup_n_requests (fixture->soup);

  test_soup_answer (fixture->soup, 200, NULL, text);
  applied = vod_api_apply (fixture->http, test_soup_uri (fixture->soup),
      request, NULL, &fixture->error);
  g_assert_no_error (fixture->error);
  sent = test_request_text (test_soup_request (fixture->soup, n));
  g_assert_cmpstr (sent, ==, body);
}

static void
test_bodies_of_apply (Fixture *fixture, gconstpointer data)
{
  VodApiApply with_size = {
      .signature = "s", .name = "a\"b", .type = "ts", .size = 1500000};
  VodApiApply with_region = {.signature = "s",
      .name = "n",
      .type = "ts",
      .size = 5,
      .storage_region = "ap-shanghai"};
  VodApiApply resume = {.signature = "s",
      .session_key = "k/+=",
      .name = "n",
      .type = "t",
      .size = 5,
      .storage_region = "ap-shanghai"};

  expect_body (fixture, &with_size,
      "{\"signature\":\"s\",\"videoName\":\"a\\\"b\",\"videoType\":\"ts\","
      "\"videoSize\":1500000}");
  expect_body (fixture, &with_region,
      "{\"signature\":\"s\",\"videoName\":\"n\",\"videoType\":\"ts\","
      "\"videoSize\":5,\"storageRegion\":\"ap-shanghai\"}");
  expect_body (
      fixture, &resume, "{\"signature\":\"s\",\"vodSessionKey\":\"k/+=\"}");
}

static void
expect_apply_refused (Fixture *fixture, const Answer *answer, const gchar *name)
{
  g_autofree gchar *text = compose (answer);

  test_soup_answer (fixture->soup, 200, NULL, text);
  g_assert_null (apply (fixture));
  g_assert_error (fixture->error, VOD_ERROR, VOD_ERROR_PROTOCOL);
  g_assert_nonnull (strstr (fixture->error->message, name));
  g_clear_error (&fixture->error);
}

/* Every one of @values in the place of @member. */
static void
expect_each_refused (Fixture *fixture, gsize member, const gchar *name,
    const gchar *const *values)
{
  for (guint i = 0; values[i]; i++) {
    Answer answer = good;

    G_STRUCT_MEMBER (const gchar *, &answer, member) = values[i];
    g_test_message ("%s: %.60s", name, values[i]);
    expect_apply_refused (fixture, &answer, name);
  }
}

static gchar *
quoted_run (gsize len, gchar c)
{
  g_autofree gchar *run = g_strnfill (len, c);

  return g_strdup_printf ("\"%s\"", run);
}

static void
test_paths_that_cannot_be (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *run = g_strnfill (851, 'k');
  g_autofree gchar *overlong = g_strdup_printf ("\"/%s\"", run);
  const gchar *const values[] = {"null", "7", "[]", "{}", "true", "\"\"",
      "\"/\"", "\"no-slash\"", "\"//a\"", "\"/a//b\"", "\"/a/\"", "\"/..\"",
      "\"/a/../b\"", "\"/../../etc/passwd\"", "\"/a/.\"", "\"/./a\"",
      "\"/a\\nb\"", "\"/a\\r\\nX: y\"", "\"/a\\u0007\"", "\"/a\\u007f\"",
      "\"/a\\u0085\"", overlong, NULL};

  expect_each_refused (
      fixture, G_STRUCT_OFFSET (Answer, path), "storagePath", values);
}

static void
test_buckets_that_cannot_be (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *overlong = quoted_run (51, 'b');
  const gchar *const values[] = {"null", "7", "\"\"", "\"a/b\"", "\"/\"",
      "\"..\"", "\"a..b\"", "\"a.b\"", "\"a\\nb\"", "\"a b\"", "\"a@b\"",
      "\"a:1\"", "\"-a\"", "\"a-\"", "\"\303\244\"", "\"a#\"", "\"a?\"",
      overlong, NULL};
  const gchar *const regions[] = {"null", "7", "\"\"", "\"ap/x\"", "\"a.b\"",
      "\"ap\\r\\n\"", "\"evil.com/\"", "\"a b\"", NULL};
  const gchar *const ids[] = {
      "null", "\"1\"", "1.5", "0", "-5", "[]", "99999999999999999999999", NULL};

  expect_each_refused (
      fixture, G_STRUCT_OFFSET (Answer, bucket), "storageBucket", values);
  expect_each_refused (
      fixture, G_STRUCT_OFFSET (Answer, region), "storageRegionV5", regions);
  expect_each_refused (
      fixture, G_STRUCT_OFFSET (Answer, app_id), "storageAppId", ids);
}

static void
test_secrets_that_cannot_be (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *overlong = quoted_run (8193, 's');
  const gchar *const values[] = {"null", "7", "\"\"", "\"a b\"",
      "\"a\\r\\nX: y\"", "\"\303\244\"", "{}", overlong, NULL};

  expect_each_refused (
      fixture, G_STRUCT_OFFSET (Answer, session), "vodSessionKey", values);
  expect_each_refused (
      fixture, G_STRUCT_OFFSET (Answer, id), "secretId", values);
  expect_each_refused (
      fixture, G_STRUCT_OFFSET (Answer, key), "secretKey", values);
  expect_each_refused (
      fixture, G_STRUCT_OFFSET (Answer, token), "token", values);
}

static void
test_times_that_cannot_be (Fixture *fixture, gconstpointer data)
{
  const gchar *const values[] = {"null", "\"1\"", "1.5", "0", "-1", "[]",
      "253402300800", "9223372036854775807", NULL};

  expect_each_refused (
      fixture, G_STRUCT_OFFSET (Answer, timestamp), "timestamp", values);
  expect_each_refused (
      fixture, G_STRUCT_OFFSET (Answer, expired), "expiredTime", values);
}

static void
test_life_that_is_not_known (Fixture *fixture, gconstpointer data)
{
  Answer answer = good;
  g_autofree gchar *text = NULL;
  g_autoptr (VodApiApplied) applied = NULL;

  /* As in the sample of protocol.md 1.4. */
  answer.expired = answer.timestamp;
  text = compose (&answer);
  test_soup_answer (fixture->soup, 200, NULL, text);
  applied = apply (fixture);
  g_assert_no_error (fixture->error);
  g_assert_cmpint (applied->credentials.end, ==, 1547719375 + 1800);
}

/* Only reports need it. */
static void
test_accounts_that_cannot_be_are_not_known (
    Fixture *fixture, gconstpointer data)
{
  static const gchar *const table[] = {
      "null", "\"1400170034\"", "1.5", "-1", "[]", "{}", "true"};

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    Answer answer = good;
    g_autofree gchar *text = NULL;
    g_autoptr (VodApiApplied) applied = NULL;

    answer.account = table[i];
    text = compose (&answer);
    test_soup_answer (fixture->soup, 200, NULL, text);
    applied = apply (fixture);
    g_assert_no_error (fixture->error);
    g_assert_cmpint (applied->app_id, ==, 0);
  }
}

static void
test_answers_without_parts (Fixture *fixture, gconstpointer data)
{
  static const gchar *const table[] = {"{}", "{\"code\":\"0\"}",
      "{\"code\":null,\"data\":{}}", "{\"code\":0}", "{\"code\":0,\"data\":[]}",
      "{\"code\":0,\"data\":null}", "{\"code\":0,\"data\":{}}",
      "{\"code\":0,\"data\":{\"vodSessionKey\":\"x\"}}",
      /* No certificate. */
      "{\"code\":0,\"data\":{\"video\":{\"storagePath\":\"/a\"},"
      "\"storageAppId\":1,\"storageBucket\":\"b\",\"storageRegionV5\":\"r\","
      "\"vodSessionKey\":\"s\",\"timestamp\":1}}",
      "{\"code\":0,\"data\":{\"video\":[],\"storageAppId\":1,"
      "\"storageBucket\":\"b\",\"storageRegionV5\":\"r\",\"vodSessionKey\":"
      "\"s\","
      "\"timestamp\":1}}",
      "[]", "0", "", "<html>secret</html>", "{\"code\":0,", "\377"};

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    test_soup_answer (fixture->soup, 200, NULL, table[i]);
    test_expect_failure (
        apply (fixture) != NULL, fixture->error, VOD_ERROR_PROTOCOL);
    g_clear_error (&fixture->error);
  }
}

static void
test_refusals_of_the_service (Fixture *fixture, gconstpointer data)
{
  const VodErrorDetails *details;

  test_soup_answer (fixture->soup, 200, NULL,
      "{\"code\":10004,\"message\":\"ugc upload | invalid\\nsignature\","
      "\"requestId\":\"abc\"}");
  test_expect_failure (
      apply (fixture) != NULL, fixture->error, VOD_ERROR_SERVICE);
  details = vod_error_details (fixture->error);
  g_assert_cmpint (details->number, ==, 10004);
  g_assert_cmpint (vod_error_number (fixture->error), ==, 10004);
  g_assert_cmpstr (details->request_id, ==, "abc");
  g_assert_cmpuint (details->http_status, ==, 200);
  g_assert_cmpstr (fixture->error->message, ==,
      "the service refused with code 10004: ugc upload | invalid signature");
}

/* A service that repeats what it was sent. */
static void
test_refusals_do_not_repeat_secrets (Fixture *fixture, gconstpointer data)
{
  test_soup_answer (fixture->soup, 200, NULL,
      "{\"code\":10004,\"message\":\"no good: "
      "iln9mctVl8YS/8FYlF4+T5S14p1zZWNyZXRJZD1BS0lE\"}");
  test_expect_failure (
      apply (fixture) != NULL, fixture->error, VOD_ERROR_SERVICE);
  g_assert_cmpstr (fixture->error->message, ==,
      "the service refused with code 10004: no good: ...");
}

static void
test_failing_statuses (Fixture *fixture, gconstpointer data)
{
  static const struct {
    guint status;
    const gchar *body;
    gint code;
  } table[] = {
      {500, "junk", VOD_ERROR_HTTP},
      {502, "{\"code\":0,\"data\":{}}", VOD_ERROR_HTTP},
      {503, "{\"code\":10004,\"message\":\"x\"}", VOD_ERROR_HTTP},
      {404, "<html>", VOD_ERROR_HTTP},
      {302, "", VOD_ERROR_HTTP},
      {403, "{\"code\":10004,\"message\":\"x\"}", VOD_ERROR_SERVICE},
      {403, "{\"code\":0,\"data\":{}}", VOD_ERROR_HTTP},
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    test_soup_answer (fixture->soup, table[i].status, NULL, table[i].body);
    test_expect_failure (
        apply (fixture) != NULL, fixture->error, table[i].code);
    g_assert_cmpuint (
        vod_error_details (fixture->error)->http_status, ==, table[i].status);
    g_clear_error (&fixture->error);
  }
}

/* --- faster hosts ---------------------------------------------------------*/

static void
expect_hosts (Fixture *fixture, const gchar *more, const gchar *accelerate,
    const gchar *domain)
{
  Answer answer = good;
  g_autofree gchar *text = NULL;
  g_autoptr (VodApiApplied) applied = NULL;

  g_test_message ("%.80s", more);
  answer.more = more;
  text = compose (&answer);
  test_soup_answer (fixture->soup, 200, NULL, text);
  applied = apply (fixture);
  g_assert_no_error (fixture->error);
  g_assert_cmpstr (applied->accelerate_host, ==, accelerate);
  g_assert_cmpstr (applied->upload_domain, ==, domain);
}

static void
test_faster_hosts (Fixture *fixture, gconstpointer data)
{
  expect_hosts (fixture,
      "\"MiniProgramAccelerateHost\":\"Acc.example.com:8443\",",
      "acc.example.com:8443", NULL);
  expect_hosts (fixture, "\"storageUploadDomain\":\"up.example.com\",", NULL,
      "up.example.com");
  expect_hosts (fixture,
      "\"cosAcc\":{\"isOpen\":1,\"domain\":\"acc.example.com\"},", NULL,
      "acc.example.com");
  expect_hosts (fixture,
      "\"cosAcc\":{\"isOpen\":0,\"domain\":\"acc.example.com\"},", NULL, NULL);
  expect_hosts (fixture,
      "\"storageUploadDomain\":\"up.example.com\","
      "\"cosAcc\":{\"isOpen\":1,\"domain\":\"acc.example.com\"},",
      NULL, "up.example.com");
  expect_hosts (fixture,
      "\"storageUploadDomain\":\"\","
      "\"cosAcc\":{\"isOpen\":1,\"domain\":\"acc.example.com\"},",
      NULL, "acc.example.com");
}

/* They are extras: the upload goes on without. */
static void
test_faster_hosts_that_cannot_be (Fixture *fixture, gconstpointer data)
{
  static const gchar *const values[] = {"null", "7", "[]", "{}", "true", "\"\"",
      "\"https://a.com\"", "\"a.com/\"", "\"a.com/x\"", "\"user@a.com\"",
      "\"a.com:0\"", "\"a.com:65536\"", "\"a.com:x\"", "\"a.com:\"", "\"a b\"",
      "\"a\\r\\nX: y\"", "\"a?b\"", "\"a#b\"", "\".a.com\"", "\"a..com\"",
      "\"a.com.\"", "\"-a.com\"", "\"[::1]:80\"", "\"\303\244.com\"",
      "\"a%2fb\""};

  for (guint i = 0; i < G_N_ELEMENTS (values); i++) {
    g_autofree gchar *more = g_strdup_printf (
        "\"MiniProgramAccelerateHost\":%s,\"storageUploadDomain\":%s,"
        "\"cosAcc\":{\"isOpen\":1,\"domain\":%s},",
        values[i], values[i], values[i]);

    expect_hosts (fixture, more, NULL, NULL);
  }
  expect_hosts (fixture, "\"cosAcc\":[1],", NULL, NULL);
  expect_hosts (fixture, "\"cosAcc\":{\"domain\":\"a.com\"},", NULL, NULL);
  expect_hosts (fixture, "\"cosAcc\":{\"isOpen\":\"1\",\"domain\":\"a.com\"},",
      NULL, NULL);
}

/* --- Prepare --------------------------------------------------------------*/

static GPtrArray *
prepare (Fixture *fixture)
{
  return vod_api_prepare (fixture->http, test_soup_uri (fixture->soup),
      "sig=", 5, NULL, &fixture->error);
}

/* "region=domain …" */
static gchar *
list_regions (const GPtrArray *regions)
{
  GString *list = g_string_new (NULL);

  for (guint i = 0; i < regions->len; i++) {
    const VodApiRegion *region = g_ptr_array_index (regions, i);

    g_string_append_printf (
        list, "%s%s=%s", i ? " " : "", region->name, region->domain);
  }
  return g_string_free (list, FALSE);
}

static void
expect_regions (Fixture *fixture, const gchar *list, const gchar *expected)
{
  g_autofree gchar *text = g_strdup_printf (
      "{\"code\":0,\"message\":\"\",\"data\":{\"appId\":1,%s\"x\":0}}", list);
  g_autoptr (GPtrArray) regions = NULL;
  g_autofree gchar *got = NULL;

  test_soup_answer (fixture->soup, 200, NULL, text);
  regions = prepare (fixture);
  g_assert_no_error (fixture->error);
  got = list_regions (regions);
  g_assert_cmpstr (got, ==, expected);
}

static void
test_prepare (Fixture *fixture, gconstpointer data)
{
  const TestRequest *request;
  g_autofree gchar *sent = NULL;

  expect_regions (fixture,
      "\"cosRegionList\":[{\"region\":\"ap-chongqing\",\"domain\":"
      "\"b-1.cos.ap-chongqing.myqcloud.com\",\"isAcc\":0,\"ip\":\"1.2.3.4\"},"
      "{\"region\":\"ap-shanghai\",\"domain\":\"127.0.0.1:8080\"}],",
      "ap-chongqing=b-1.cos.ap-chongqing.myqcloud.com "
      "ap-shanghai=127.0.0.1:8080");
  request = test_soup_request (fixture->soup, 0);
  g_assert_cmpstr (request->method, ==, "POST");
  g_assert_cmpstr (
      request->target, ==, "/v3/index.php?Action=PrepareUploadUGC");
  sent = test_request_text (request);
  g_assert_cmpstr (sent, ==, "{\"signature\":\"sig=\"}");
}

static void
test_regions_that_cannot_be (Fixture *fixture, gconstpointer data)
{
  expect_regions (fixture, "", "");
  expect_regions (fixture, "\"cosRegionList\":{},", "");
  expect_regions (fixture, "\"cosRegionList\":null,", "");
  expect_regions (fixture,
      "\"cosRegionList\":[7,null,[],\"ap\",{},{\"region\":\"a\"},"
      "{\"domain\":\"a.com\"},{\"region\":7,\"domain\":\"a.com\"},"
      "{\"region\":\"a.b\",\"domain\":\"a.com\"},"
      "{\"region\":\"\",\"domain\":\"a.com\"},"
      "{\"region\":\"a\\r\\nb\",\"domain\":\"a.com\"},"
      "{\"region\":\"r\",\"domain\":\"a.com/x\"},"
      "{\"region\":\"r\",\"domain\":\"u@a.com\"},"
      "{\"region\":\"good\",\"domain\":\"A.com\"},"
      "{\"region\":\"r\",\"domain\":\"https://a.com\"}],",
      "good=a.com");
}

static void
test_endless_regions (Fixture *fixture, gconstpointer data)
{
  GString *list = g_string_new ("{\"code\":0,\"data\":{\"cosRegionList\":[7");
  g_autofree gchar *text = NULL;
  g_autoptr (GPtrArray) regions = NULL;

  for (guint i = 0; i < 10000; i++)
    g_string_append_printf (
        list, ",{\"region\":\"r%u\",\"domain\":\"h%u\"}", i, i);
  g_string_append (list, "]}}");
  text = g_string_free (list, FALSE);
  test_soup_answer (fixture->soup, 200, NULL, text);
  regions = prepare (fixture);
  g_assert_no_error (fixture->error);
  g_assert_cmpuint (regions->len, ==, 32);
  g_assert_cmpstr (
      ((VodApiRegion *)g_ptr_array_index (regions, 31))->name, ==, "r31");
}

static void
test_prepare_is_refused (Fixture *fixture, gconstpointer data)
{
  static const struct {
    guint status;
    const gchar *body;
    gint code;
  } table[] = {
      {200, "{\"code\":10004,\"message\":\"x\"}", VOD_ERROR_SERVICE},
      {200, "{\"code\":0}", VOD_ERROR_PROTOCOL},
      {200, "<html>", VOD_ERROR_PROTOCOL},
      {404, "", VOD_ERROR_HTTP},
      {502, "", VOD_ERROR_HTTP},
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    test_soup_answer (fixture->soup, table[i].status, NULL, table[i].body);
    test_expect_failure (
        prepare (fixture) != NULL, fixture->error, table[i].code);
    g_clear_error (&fixture->error);
  }
}

/* --- Commit ---------------------------------------------------------------*/

static gboolean
commit (Fixture *fixture, VodApiCommitted *committed)
{
  return vod_api_commit (fixture->http, test_soup_uri (fixture->soup),
      "s=", "k=", NULL, committed, &fixture->error);
}

static void
test_commit (Fixture *fixture, gconstpointer data)
{
  g_auto (VodApiCommitted) committed = {0}, bare = {0};
  g_autofree gchar *sent = NULL;

  test_soup_answer (fixture->soup, 200, NULL,
      "{\"code\":0,\"message\":\"\",\"data\":{\"video\":{\"url\":"
      "\"http://1400170034.vod2.myqcloud.com/x.mp4\",\"verify_content\":"
      "\"abcExpTime=1&FileId=2\"},\"fileId\":\"5285890784418605123\"}}");
  commit (fixture, &committed);
  g_assert_no_error (fixture->error);
  g_assert_cmpstr (committed.file_id, ==, "5285890784418605123");
  g_assert_cmpstr (
      committed.video_url, ==, "http://1400170034.vod2.myqcloud.com/x.mp4");
  g_assert_cmpstr (committed.verify_content, ==, "abcExpTime=1&FileId=2");
  g_assert_cmpstr (test_soup_request (fixture->soup, 0)->target, ==,
      "/v3/index.php?Action=CommitUploadUGC");
  sent = test_request_text (test_soup_request (fixture->soup, 0));
  g_assert_cmpstr (sent, ==, "{\"signature\":\"s=\",\"vodSessionKey\":\"k=\"}");
  test_soup_answer (fixture->soup, 200, NULL,
      "{\"code\":0,\"data\":{\"video\":{\"url\":\"https://x/\"},"
      "\"fileId\":\"5\"}}");
  commit (fixture, &bare);
  g_assert_no_error (fixture->error);
  g_assert_null (bare.verify_content);
}

static void
test_commit_answers_that_cannot_be (Fixture *fixture, gconstpointer data)
{
  static const gchar *const table[] = {"{\"code\":0,\"data\":{}}",
      "{\"code\":0,\"data\":{\"fileId\":\"5\"}}",
      "{\"code\":0,\"data\":{\"video\":{},\"fileId\":\"5\"}}",
      "{\"code\":0,\"data\":{\"video\":{\"url\":\"http://x\"}}}",
      "{\"code\":0,\"data\":{\"video\":{\"url\":\"http://x\"},\"fileId\":5}}",
      "{\"code\":0,\"data\":{\"video\":{\"url\":\"http://"
      "x\"},\"fileId\":\"\"}}",
      "{\"code\":0,\"data\":{\"video\":{\"url\":\"http://x\"},"
      "\"fileId\":\"a\\nb\"}}",
      "{\"code\":0,\"data\":{\"video\":{\"url\":\"javascript:x\"},"
      "\"fileId\":\"5\"}}",
      "{\"code\":0,\"data\":{\"video\":{\"url\":\"http://x\\n\"},"
      "\"fileId\":\"5\"}}",
      "{\"code\":0,\"data\":{\"video\":{\"url\":7},\"fileId\":\"5\"}}",
      "{\"code\":0,\"data\":{\"video\":{\"url\":\"http://x\","
      "\"verify_content\":7},\"fileId\":\"5\"}}"};

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    g_auto (VodApiCommitted) committed = {0};

    test_soup_answer (fixture->soup, 200, NULL, table[i]);
    test_expect_failure (
        commit (fixture, &committed), fixture->error, VOD_ERROR_PROTOCOL);
    g_assert_null (committed.file_id);
    g_clear_error (&fixture->error);
  }
}

static void
test_names (void)
{
  static const gchar *const bad[] = {"", "a/b", "a\\b", "a:b", "a*b", "a?b",
      "a\"b", "a<b", "a>b", "a|b", "a\nb", "a\rb", "a\tb", "a\177b",
      "a\302\205b", "a\377b", "half \303"};
  static const gchar *const good_names[] = {"a", "Lecture 12",
      "\346\235\245\350\207\252GStreamer", "a.b", "a'b", "(1) & 2", ".."};
  g_autofree gchar *longest = g_strnfill (200, 'x');
  g_autofree gchar *too_long = g_strnfill (201, 'x');

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    g_assert_nonnull (vod_api_check_name (bad[i]));
  for (guint i = 0; i < G_N_ELEMENTS (good_names); i++)
    g_assert_null (vod_api_check_name (good_names[i]));
  g_assert_null (vod_api_check_name (longest));
  g_assert_nonnull (vod_api_check_name (too_long));
}

static void
test_derived_names (void)
{
  static const gchar *const table[][2] = {{"plain", "plain"},
      {"a/b\\c:d*e?f\"g<h>i|j", "a_b_c_d_e_f_g_h_i_j"}, {"a\r\nb", "a__b"},
      {"a\377\376b", "a__b"}, {"  x  ", "x"}, {"\303", "_"}, {"/", "_"},
      {"", NULL}, {"   ", NULL}};
  GString *many = g_string_new (NULL);
  g_autofree gchar *cut = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    g_autofree gchar *name = vod_api_derive_name (table[i][0]);

    g_assert_cmpstr (name, ==, table[i][1]);
  }
  for (guint i = 0; i < 100; i++)
    g_string_append (many, "\346\235\245");
  cut = vod_api_derive_name (many->str);
  g_string_free (many, TRUE);
  g_assert_cmpuint (strlen (cut), ==, 198);
  g_assert_null (vod_api_check_name (cut));
}

static void
test_any_derived_name_may_be_sent (void)
{
  for (guint i = 0; i < 5000; i++) {
    gchar bytes[300];
    gsize len = (gsize)g_test_rand_int_range (0, sizeof bytes);
    g_autofree gchar *name = NULL;

    for (gsize k = 0; k < len; k++)
      bytes[k] = (gchar)g_test_rand_int_range (1, 256);
    bytes[len] = 0;
    name = vod_api_derive_name (bytes);
    if (name)
      g_assert_null (vod_api_check_name (name));
  }
}

static void
test_types (void)
{
  static const gchar *const bad[] = {
      "", "a.b", ".mp4", "mp 4", "a/b", "\303\244", "a\n", "12345678901234567"};

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    g_assert_false (vod_api_check_type (bad[i]));
  g_assert_true (vod_api_check_type ("mp4"));
  g_assert_true (vod_api_check_type ("3GP"));
  g_assert_true (vod_api_check_type ("1234567890123456"));
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
  add ("/api/apply", test_apply);
  add ("/api/bodies-of-apply", test_bodies_of_apply);
  add ("/api/paths-that-cannot-be", test_paths_that_cannot_be);
  add ("/api/buckets-that-cannot-be", test_buckets_that_cannot_be);
  add ("/api/secrets-that-cannot-be", test_secrets_that_cannot_be);
  add ("/api/times-that-cannot-be", test_times_that_cannot_be);
  add ("/api/life-that-is-not-known", test_life_that_is_not_known);
  add ("/api/accounts-that-cannot-be-are-not-known",
      test_accounts_that_cannot_be_are_not_known);
  add ("/api/answers-without-parts", test_answers_without_parts);
  add ("/api/refusals-of-the-service", test_refusals_of_the_service);
  add ("/api/refusals-do-not-repeat-secrets",
      test_refusals_do_not_repeat_secrets);
  add ("/api/failing-statuses", test_failing_statuses);
  add ("/api/faster-hosts", test_faster_hosts);
  add ("/api/faster-hosts-that-cannot-be", test_faster_hosts_that_cannot_be);
  add ("/api/prepare", test_prepare);
  add ("/api/regions-that-cannot-be", test_regions_that_cannot_be);
  add ("/api/endless-regions", test_endless_regions);
  add ("/api/prepare-is-refused", test_prepare_is_refused);
  add ("/api/commit", test_commit);
  add (
      "/api/commit-answers-that-cannot-be", test_commit_answers_that_cannot_be);
  g_test_add_func ("/api/names", test_names);
  g_test_add_func ("/api/derived-names", test_derived_names);
  g_test_add_func (
      "/api/any-derived-name-may-be-sent", test_any_derived_name_may_be_sent);
  g_test_add_func ("/api/types", test_types);
  return g_test_run ();
}
