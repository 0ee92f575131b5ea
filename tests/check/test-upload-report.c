/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One upload, without GStreamer, that is reported: which events there are, what
 * they say, and that nothing of it ever matters to the upload.
 */
#include <string.h>

#include "testowner.h"
#include "teststopwatch.h"

typedef struct {
  Emulator *emulator;
  const gchar *report_endpoint; /* NULL: the emulator's */
  guint64 expected_size;
  gboolean silent;  /* no report id */
  gboolean nearest; /* storage-region=auto */
  const gchar *signature_url;
  const gchar *state_dir; /* of a spool */
} Scene;

static void
adjust (VodUploadSettings *settings, gpointer data)
{
  const Scene *scene = data;

  settings->expected_size = scene->expected_size;
  settings->nearest_region = scene->nearest;
  settings->region_again = 60000;
  settings->report_id = (gchar *)(scene->silent ? NULL : "my report");
  settings->report_endpoint =
      (gchar *)(scene->report_endpoint ? scene->report_endpoint
                                       : emulator_uri (scene->emulator));
  settings->report_device = (gchar *)"GStreamer, test";
  settings->signature_url = (gchar *)scene->signature_url;
  settings->state_dir = (gchar *)scene->state_dir;
  settings->spool = scene->state_dir != NULL;
}

static Owner *
owner_in (const Scene *scene)
{
  return owner_new_adjusted (scene->emulator, adjust, (gpointer)scene);
}

/* --- what came ------------------------------------------------------------*/

/* The events' numbers; with "!" those that failed. */
static gchar *
story_of (JsonArray *reports)
{
  GString *story = g_string_new (NULL);

  for (guint i = 0; i < json_array_get_length (reports); i++) {
    JsonObject *report = json_array_get_object_element (reports, i);

    g_string_append_printf (story, "%s%d%s", i ? " " : "",
        (gint)json_object_get_int_member (report, "reqType"),
        json_object_get_int_member (report, "errCode") ? "!" : "");
  }
  return g_string_free (story, FALSE);
}

/* Waits for as many as are expected; none may come after them. */
static JsonArray *
expect_story (Emulator *emulator, const gchar *expected)
{
  g_auto (GStrv) words = g_strsplit (expected, " ", -1);
  JsonArray *reports = emulator_reports (emulator, g_strv_length (words));
  g_autofree gchar *story = story_of (reports);

  g_assert_cmpstr (story, ==, expected);
  return reports;
}

static JsonObject *
report_at (JsonArray *reports, guint n)
{
  return json_array_get_object_element (reports, n);
}

static void
assert_text (JsonObject *report, const gchar *name, const gchar *expected)
{
  const gchar *text = json_object_has_member (report, name)
      ? json_object_get_string_member (report, name)
      : NULL;

  g_assert_cmpstr (text, ==, expected);
}

/* -1: it is not there. */
static void
assert_int (JsonObject *report, const gchar *name, gint64 expected)
{
  gint64 value = json_object_has_member (report, name)
      ? json_object_get_int_member (report, name)
      : -1;

  g_assert_cmpint (value, ==, expected);
}

/* What an event that is there may have, and nothing else. */
static void
assert_known_fields (JsonObject *report)
{
  static const gchar *const known[] = {"version", "platform", "device", "appId",
      "fileSize", "fileName", "fileType", "vodSessionKey", "reqKey", "reportId",
      "cosRegion", "fileId", "reqType", "errCode", "vodErrCode", "cosErrCode",
      "errMsg", "reqTimeCost", "reqTime", NULL};
  g_autoptr (GList) names = json_object_get_members (report);

  for (GList *l = names; l; l = l->next)
    g_assert_true (g_strv_contains (known, l->data));
}

static void
remove_folder (const gchar *path)
{
  const gchar *argv[] = {"rm", "-r", path, NULL};

  g_assert_true (g_spawn_sync (NULL, (gchar **)argv, NULL, G_SPAWN_SEARCH_PATH,
      NULL, NULL, NULL, NULL, NULL, NULL));
}

/* --- good uploads ---------------------------------------------------------*/

static void
test_a_good_upload (void)
{
  g_autofree gchar *root = g_dir_make_tmp ("report-XXXXXX", NULL);
  g_autoptr (Emulator) emulator = emulator_new ("--root", root, NULL);
  Scene scene = {.emulator = emulator};
  Owner *owner = owner_in (&scene);
  gint64 begin = g_get_real_time () / 1000;
  g_autofree gchar *file_id = NULL, *all = NULL;
  g_autoptr (JsonArray) reports = NULL;
  g_auto (GStrv) secrets = NULL;
  g_autoptr (JsonNode) node = NULL;
  const gchar *key, *session;

  owner_write (owner, 3 * MIB + 7);
  owner_assert_finished (owner, 0);
  reports = expect_story (emulator, "10001 20001 10002 40001");
  file_id = emulator_media_text (emulator, 0, "fileId");
  key = json_object_get_string_member (report_at (reports, 0), "reqKey");
  session =
      json_object_get_string_member (report_at (reports, 0), "vodSessionKey");
  g_assert_true (g_uuid_string_is_valid (key));
  for (guint i = 0; i < 4; i++) {
    JsonObject *report = report_at (reports, i);

    assert_known_fields (report);
    assert_int (report, "platform", 5000);
    assert_text (report, "device", "GStreamer, test");
    assert_text (report, "fileName", "name");
    assert_text (report, "fileType", "mp4");
    assert_text (report, "reportId", "my report");
    assert_text (report, "reqKey", key);
    assert_text (report, "vodSessionKey", session);
    g_assert_nonnull (json_object_get_string_member (report, "cosRegion"));
    g_assert_cmpint (json_object_get_int_member (report, "appId"), >, 0);
    assert_text (report, "errMsg", "");
    assert_text (report, "fileId", i < 2 ? NULL : file_id);
    /* Its end comes after Apply. */
    if (i > 0)
      assert_int (report, "fileSize", 3 * MIB + 7);
    g_assert_cmpint (json_object_get_int_member (report, "reqTimeCost"), >=, 0);
    g_assert_cmpint (
        json_object_get_int_member (report, "reqTime"), >=, begin - 1);
    g_assert_cmpint (json_object_get_int_member (report, "reqTime") +
            json_object_get_int_member (report, "reqTimeCost"),
        <=, g_get_real_time () / 1000);
  }
  assert_int (report_at (reports, 0), "vodErrCode", 0);
  assert_text (report_at (reports, 1), "cosErrCode", "");
  assert_int (report_at (reports, 2), "vodErrCode", 0);

  /* Nothing secret in any of them. */
  node = json_node_init_array (json_node_alloc (), reports);
  all = json_to_string (node, FALSE);
  secrets = emulator_secrets (root);
  g_assert_cmpuint (g_strv_length (secrets), >=, 3);
  for (guint i = 0; secrets[i]; i++)
    g_assert_null (strstr (all, secrets[i]));
  g_assert_null (strstr (all, "sign"));
  owner_free (owner);
  g_clear_pointer (&emulator, emulator_free);
  remove_folder (root);
}

static void
test_the_size_of_a_file_is_known_from_the_start (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Scene scene = {.emulator = emulator, .expected_size = 1000};
  Owner *owner = owner_in (&scene);
  g_autoptr (JsonArray) reports = NULL;

  owner_write (owner, 1000);
  owner_assert_finished (owner, 0);
  reports = expect_story (emulator, "10001 20001 10002 40001");
  assert_int (report_at (reports, 0), "fileSize", 1000);
  owner_free (owner);
}

static void
test_without_an_id_nothing_is_reported (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Scene scene = {.emulator = emulator, .silent = TRUE};
  Owner *owner = owner_in (&scene);

  owner_write (owner, MIB);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (test_count_threads ("vod-report"), ==, 0);
  owner_free (owner);
  g_assert_cmpuint (emulator_count (emulator, "report", -1), ==, 0);
}

/* The one that asks which regions there are, reports that. */
static void
test_the_search_for_a_region (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Scene scene = {.emulator = emulator, .nearest = TRUE};
  Owner *owner = owner_in (&scene);
  g_autofree gchar *region = NULL;
  g_autoptr (JsonArray) reports = NULL, more = NULL;
  JsonObject *report;

  owner_write (owner, 1000);
  owner_assert_finished (owner, 0);
  reports = expect_story (emulator, "10000 10001 20001 10002 40001");
  report = report_at (reports, 0);
  region = emulator_media_text (emulator, 0, "region");
  assert_known_fields (report);
  assert_int (report, "vodErrCode", 0);
  assert_text (report, "cosRegion", region);
  assert_text (report, "reqKey",
      json_object_get_string_member (report_at (reports, 1), "reqKey"));
  /* Before Apply nobody knows. */
  assert_int (report, "appId", -1);
  assert_text (report, "vodSessionKey", NULL);
  owner_free (owner);

  owner = owner_in (&scene);
  owner_write (owner, 1000);
  owner_assert_finished (owner, 1);
  more = expect_story (
      emulator, "10000 10001 20001 10002 40001 10001 20001 10002 40001");
  owner_free (owner);
}

static void
test_a_search_in_vain (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Scene scene = {.emulator = emulator, .nearest = TRUE};
  Owner *owner = owner_in (&scene);
  g_autoptr (JsonArray) reports = NULL;

  emulator_add_faults (emulator,
      "{\"op\":\"PrepareUploadUGC\",\"json\":{\"code\":777,"
      "\"message\":\"not now\"}}");
  owner_write (owner, 1000);
  owner_assert_finished (owner, 0);
  reports = expect_story (emulator, "10000! 10001 20001 10002 40001");
  assert_int (report_at (reports, 0), "vodErrCode", 777);
  assert_text (report_at (reports, 0), "cosRegion", NULL);
  g_assert_nonnull (
      strstr (json_object_get_string_member (report_at (reports, 0), "errMsg"),
          "not now"));
  owner_free (owner);
}

/* --- tries and failures ---------------------------------------------------*/

static const struct {
  const gchar *name;
  const gchar *faults;
  const gchar *story;
  guint at;      /* of this event: … */
  gint vod_code; /* -1: none */
  const gchar *cos_code;
  const gchar *message; /* a part of it */
} troubles[] = {
    {"apply-503", "{\"op\":\"ApplyUploadUGC\",\"status\":503,\"times\":2}",
        "10001! 10001! 10001 20001 10002 40001", 1, -1, NULL, "503"},
    {"apply-code",
        "{\"op\":\"ApplyUploadUGC\",\"json\":{\"code\":777,"
        "\"message\":\"busy\"},\"times\":1}",
        "10001! 10001 20001 10002 40001", 0, 777, NULL, "busy"},
    {"apply-lost", "{\"op\":\"ApplyUploadUGC\",\"drop\":true,\"times\":1}",
        "10001! 10001 20001 10002 40001", 0, -1, NULL, "127.0.0.1"},
    {"apply-refused",
        "{\"op\":\"ApplyUploadUGC\",\"json\":{\"code\":10001,"
        "\"message\":\"no\"}}",
        "10001! 40001!", 1, 10001, NULL, "no"},
    {"renewals",
        "{\"op\":\"UploadPart\",\"expire-credentials\":true,\"times\":1}",
        "10001 10001 20001 10002 40001", 1, 0, NULL, ""},
    {"part-tries-are-not-reported",
        "{\"op\":\"UploadPart\",\"status\":503,\"times\":2}",
        "10001 20001 10002 40001", 1, -1, "", ""},
    {"initiate-refused",
        "{\"op\":\"InitiateMultipartUpload\",\"status\":403,"
        "\"code\":\"AccessDenied\"}",
        "10001 20001! 40001!", 1, -1, "AccessDenied", "AccessDenied"},
    {"part-refused",
        "{\"op\":\"UploadPart\",\"status\":403,\"code\":\"AccessDenied\"}",
        "10001 20001! 40001!", 2, -1, "AccessDenied", "AccessDenied"},
    {"complete-refused",
        "{\"op\":\"CompleteMultipartUpload\",\"status\":400,"
        "\"code\":\"EntityTooSmall\"}",
        "10001 20001! 40001!", 1, -1, "EntityTooSmall", "EntityTooSmall"},
    {"complete-lost",
        "{\"op\":\"CompleteMultipartUpload\",\"lose-answer\":true,"
        "\"times\":1}",
        "10001 20001 10002 40001", 1, -1, "", ""},
    {"complete-without-crc",
        "{\"op\":\"CompleteMultipartUpload\",\"no-crc\":true}",
        "10001 20001 10002 40001", 1, -1, "", ""},
    {"commit-503", "{\"op\":\"CommitUploadUGC\",\"status\":503,\"times\":2}",
        "10001 20001 10002! 10002! 10002 40001", 2, -1, NULL, "503"},
    {"commit-refused",
        "{\"op\":\"CommitUploadUGC\",\"json\":{\"code\":10001,"
        "\"message\":\"no\"}}",
        "10001 20001 10002! 40001!", 3, 10001, NULL, "no"},
};

static void
test_trouble (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Scene scene = {.emulator = emulator};
  Owner *owner = owner_in (&scene);
  g_autoptr (JsonArray) reports = NULL;
  JsonObject *report;
  const gchar *message;

  emulator_add_faults (emulator, troubles[i].faults);
  owner_write (owner, 1000);
  vod_upload_finish (owner->upload);
  vod_upload_wait (owner->upload);
  reports = expect_story (emulator, troubles[i].story);
  for (guint k = 0; k < json_array_get_length (reports); k++)
    assert_known_fields (report_at (reports, k));
  report = report_at (reports, troubles[i].at);
  assert_int (report, "vodErrCode", troubles[i].vod_code);
  assert_text (report, "cosErrCode", troubles[i].cos_code);
  message = json_object_get_string_member (report, "errMsg");
  g_test_message ("%s", message);
  g_assert_nonnull (strstr (message, troubles[i].message));
  owner_free (owner);
}

/* There was no request: there is nothing to report but the end. */
static void
test_no_signature_is_no_try (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Scene scene = {.emulator = emulator};
  Owner *owner = owner_in (&scene);
  g_autoptr (JsonArray) reports = NULL;

  vod_upload_set_signature (owner->upload, NULL);
  owner_write (owner, 1000);
  vod_upload_finish (owner->upload);
  g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_FAILED);
  reports = expect_story (emulator, "40001!");
  owner_free (owner);
}

/* The muxer's fault, not the storage's. */
static void
test_what_the_stream_did_is_not_the_storages_failure (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Scene scene = {.emulator = emulator};
  Owner *owner = owner_in (&scene);
  g_autoptr (JsonArray) reports = NULL;
  GError *error = vod_error_new (VOD_ERROR_SEEK, "too far back");

  g_assert_cmpint (owner_write (owner, 2 * MIB), ==, VOD_FLOW_OK);
  owner_wait_state (owner, "uploading");
  vod_error_set_phase (error, VOD_PHASE_PART);
  vod_upload_fail (owner->upload, error);
  reports = expect_story (emulator, "10001 40001!");
  assert_text (report_at (reports, 1), "errMsg", "too far back");
  /* How long it would have become nobody knows. */
  assert_int (report_at (reports, 1), "fileSize", -1);
  owner_free (owner);
}

/* Whom this machine asks for signatures, and where it keeps what, is for its
 * users to know; the ERROR tells them. */
static void
test_what_is_private_is_not_reported (gconstpointer data)
{
  gboolean of_disk = GPOINTER_TO_INT (data);
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Scene scene = {.emulator = emulator};
  Owner *owner;
  g_autoptr (JsonArray) reports = NULL;

  if (of_disk)
    scene.state_dir = "/dev/null/place";
  else
    scene.signature_url = "http://127.0.0.1:1/place";
  owner = owner_in (&scene);
  vod_upload_set_signature (owner->upload, NULL);
  vod_upload_set_retry_duration (owner->upload, 0);
  owner_write (owner, 1000);
  vod_upload_finish (owner->upload);
  g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_FAILED);
  g_test_message ("%s", owner->error_text);
  g_assert_nonnull (
      strstr (owner->error_text, of_disk ? "/dev/null" : "127.0.0.1"));
  reports = expect_story (emulator, "40001!");
  assert_text (report_at (reports, 0), "errMsg",
      of_disk ? "session: local storage" : "signature: network");
  owner_free (owner);
}

/* The service's number stays, and its words are its own affair. */
static void
test_a_refused_signature (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Scene scene = {.emulator = emulator};
  Owner *owner = owner_in (&scene);
  g_autoptr (JsonArray) reports = NULL;

  emulator_add_faults (emulator,
      "{\"op\":\"ApplyUploadUGC\",\"json\":{\"code\":10010,"
      "\"message\":\"too old\"}}");
  owner_write (owner, 1000);
  vod_upload_finish (owner->upload);
  g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_FAILED);
  reports = expect_story (emulator, "10001! 40001!");
  g_assert_nonnull (
      strstr (json_object_get_string_member (report_at (reports, 0), "errMsg"),
          "too old"));
  assert_int (report_at (reports, 1), "vodErrCode", 10010);
  assert_text (report_at (reports, 1), "errMsg", "signature: service");
  owner_free (owner);
}

static gboolean
reporter_is_quiet (gpointer data)
{
  return test_count_threads ("vod-report") == 0;
}

/* Neither has an outcome. */
static void
test_ends_that_are_not_reported (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Scene scene = {.emulator = emulator};
  Owner *owner = owner_in (&scene);
  g_autoptr (JsonArray) reports = NULL, more = NULL;
  GError *error = vod_error_new (VOD_ERROR_CANCELLED, "cancelled");

  owner_write (owner, 2 * MIB);
  owner_wait_state (owner, "uploading");
  vod_error_set_phase (error, VOD_PHASE_PART);
  vod_upload_fail (owner->upload, error);
  /* By itself. */
  g_assert_true (test_wait_until (reporter_is_quiet, NULL, 10));
  owner_free (owner);
  reports = expect_story (emulator, "10001");

  owner = owner_in (&scene);
  owner_write (owner, 2 * MIB);
  owner_wait_state (owner, "uploading");
  owner_free (owner);
  more = expect_story (emulator, "10001 10001");
}

/* --- nobody takes the reports ---------------------------------------------*/

static guint
count_of (Owner *owner, const gchar *word)
{
  g_auto (GStrv) words = NULL;
  guint n = 0;

  g_mutex_lock (&owner->lock);
  words = g_strsplit (owner->story->str, " ", -1);
  g_mutex_unlock (&owner->lock);
  for (guint i = 0; words[i]; i++)
    n += strcmp (words[i], word) == 0;
  return n;
}

static gboolean
has_mishap (gpointer owner)
{
  return count_of (owner, "mishap-report") > 0;
}

/* As one without reports: nothing was tried again, nothing has failed, and it
 * has never looked so. */
static void
assert_untouched (Owner *owner)
{
  VodUploadStats stats;

  vod_upload_get_stats (owner->upload, &stats);
  g_assert_cmpuint (stats.retries, ==, 0);
  g_assert_cmpuint (owner->retries, ==, 0);
  g_assert_cmpuint (stats.bytes_sent, ==, owner->size);
}

static const gchar *const deaf[] = {
    "{\"op\":\"report\",\"status\":500}", "{\"op\":\"report\",\"status\":404}",
    "{\"op\":\"report\",\"drop\":true}",
    "{\"op\":\"report\",\"garbage\":\"huge\"}", NULL, /* nobody listens */
};

static void
test_a_server_that_does_not_take_them (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Scene scene = {.emulator = emulator,
      .report_endpoint = deaf[i] ? NULL : "http://127.0.0.1:1"};
  Owner *owner = owner_in (&scene);

  if (deaf[i])
    emulator_add_faults (emulator, deaf[i]);
  owner_write (owner, 3 * MIB);
  owner_assert_finished (owner, 0);
  assert_untouched (owner);
  g_assert_true (test_wait_until (has_mishap, owner, 10));
  /* All four are given up in the end; the owner has heard of the first. */
  g_assert_true (test_wait_until (reporter_is_quiet, NULL, 20));
  g_assert_cmpuint (count_of (owner, "mishap-report"), ==, 1);
  owner_assert_state (owner, "done");
  owner_free (owner);
}

static void
test_a_server_that_stalls (gconstpointer data)
{
  gboolean wait = GPOINTER_TO_INT (data);
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Scene scene = {.emulator = emulator};
  Owner *owner = owner_in (&scene);
  g_autoptr (TestStopwatch) watch = NULL;

  emulator_add_faults (emulator, "{\"op\":\"report\",\"stall\":true}");
  if (wait) {
    /* Stopped in the middle … */
    owner_write (owner, MIB);
    g_assert_true (emulator_wait_hits (emulator, 1));
  } else {
    /* … or after its end, which came while the first report hung. */
    owner_write (owner, 3 * MIB);
    owner_assert_finished (owner, 0);
    assert_untouched (owner);
    g_assert_cmpuint (emulator_hits (emulator), ==, 1);
  }
  g_assert_cmpuint (test_count_threads ("vod-report"), ==, 1);
  g_assert_false (vod_upload_is_quiet (owner->upload));
  watch = test_stopwatch_new ();
  vod_upload_stop (owner->upload, FALSE);
  if (!wait) {
    g_assert_true (vod_upload_join (owner->upload));
    g_assert_cmpint (test_stopwatch_ms (watch), <, 100);
    g_assert_true (vod_upload_is_quiet (owner->upload));
  } else {
    g_assert_cmpint (test_stopwatch_ms (watch), <, 100);
  }
  owner_free (owner);
}

/* Stopped at a random moment, over and over, with reports under way. */
static void
test_stopped_at_any_moment (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);

  for (guint i = 0; i < 60; i++) {
    Scene scene = {.emulator = emulator};
    Owner *owner = owner_in (&scene);

    owner_write (owner, (gsize)g_test_rand_int_range (1, 3 * MIB));
    if (g_test_rand_bit ())
      vod_upload_finish (owner->upload);
    g_usleep ((gulong)g_test_rand_int_range (0, 20000));
    owner_free (owner);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/upload/report/good", test_a_good_upload);
  g_test_add_func ("/upload/report/size-of-a-file",
      test_the_size_of_a_file_is_known_from_the_start);
  g_test_add_func (
      "/upload/report/without-id", test_without_an_id_nothing_is_reported);
  g_test_add_func (
      "/upload/report/region/search", test_the_search_for_a_region);
  g_test_add_func ("/upload/report/region/in-vain", test_a_search_in_vain);
  for (guint i = 0; i < G_N_ELEMENTS (troubles); i++) {
    g_autofree gchar *path =
        g_strconcat ("/upload/report/trouble/", troubles[i].name, NULL);

    g_test_add_data_func (path, GUINT_TO_POINTER (i), test_trouble);
  }
  g_test_add_func ("/upload/report/no-signature", test_no_signature_is_no_try);
  g_test_add_data_func ("/upload/report/private/signature",
      GINT_TO_POINTER (FALSE), test_what_is_private_is_not_reported);
  g_test_add_data_func ("/upload/report/private/disk", GINT_TO_POINTER (TRUE),
      test_what_is_private_is_not_reported);
  g_test_add_func (
      "/upload/report/refused-signature", test_a_refused_signature);
  g_test_add_func ("/upload/report/stream",
      test_what_the_stream_did_is_not_the_storages_failure);
  g_test_add_func (
      "/upload/report/no-outcome", test_ends_that_are_not_reported);
  for (guint i = 0; i < G_N_ELEMENTS (deaf); i++) {
    g_autofree gchar *path = g_strdup_printf ("/upload/report/deaf/%u", i);

    g_test_add_data_func (
        path, GUINT_TO_POINTER (i), test_a_server_that_does_not_take_them);
  }
  g_test_add_data_func ("/upload/report/stalls/end", GINT_TO_POINTER (FALSE),
      test_a_server_that_stalls);
  g_test_add_data_func ("/upload/report/stalls/middle", GINT_TO_POINTER (TRUE),
      test_a_server_that_stalls);
  g_test_add_func ("/upload/report/any-moment", test_stopped_at_any_moment);
  return g_test_run ();
}
