/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One upload, without GStreamer, against the emulator: what it gets over, and
 * what ends it.
 */
#include "testowner.h"

#include <string.h>

/* --- the plain way --------------------------------------------------------*/

static void
test_a_plain_upload (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);

  owner_assert_state (owner, "idle");
  g_assert_cmpint (owner_write (owner, 0), ==, VOD_FLOW_OK);
  g_assert_cmpuint (test_count_threads ("vod-upload"), ==, 0);
  for (guint i = 0; i < 9; i++)
    g_assert_cmpint (owner_write (owner, MIB + i), ==, VOD_FLOW_OK);
  owner_wait_state (owner, "uploading");
  owner_assert_finished (owner, 0);
  g_assert_cmpstr (
      owner->story->str, ==, "opening opened closing closed finished");
  owner_assert_state (owner, "done");
  g_assert_cmpuint (emulator_n_uploads (emulator), ==, 0);
  owner_free (owner);
}

/* --- what it gets over ----------------------------------------------------*/

static const struct {
  const gchar *name;
  const gchar *faults;
  guint retries; /* at least */
} hurdles[] = {
    {"apply-503", "{\"op\":\"ApplyUploadUGC\",\"status\":503,\"times\":2}", 2},
    {"apply-lost",
        "{\"op\":\"ApplyUploadUGC\",\"lose-answer\":true,\"times\":1}", 1},
    {"apply-truncated",
        "{\"op\":\"ApplyUploadUGC\",\"truncate\":true,\"times\":1}", 1},
    {"apply-reset",
        "{\"op\":\"ApplyUploadUGC\",\"drop\":true,\"reset\":true,\"times\":1}",
        1},
    {"initiate-503",
        "{\"op\":\"InitiateMultipartUpload\",\"status\":503,\"times\":2}", 2},
    {"initiate-lost",
        "{\"op\":\"InitiateMultipartUpload\",\"lose-answer\":true,\"times\":1}",
        1},
    {"part-503", "{\"op\":\"UploadPart\",\"status\":503,\"times\":3}", 3},
    {"part-slow-down",
        "{\"op\":\"UploadPart\",\"part\":2,\"status\":503,"
        "\"code\":\"SlowDown\",\"retry-after\":1,\"times\":1}",
        1},
    {"part-lost", "{\"op\":\"UploadPart\",\"lose-answer\":true,\"times\":3}",
        1},
    {"part-dropped",
        "{\"op\":\"UploadPart\",\"drop\":true,\"after-bytes\":300000,"
        "\"times\":3}",
        1},
    {"part-reset",
        "{\"op\":\"UploadPart\",\"drop\":true,\"reset\":true,"
        "\"after-bytes\":300000,\"times\":3}",
        1},
    {"part-early-error",
        "{\"op\":\"UploadPart\",\"status\":503,\"early\":true,\"times\":2}", 1},
    {"part-damaged", "{\"op\":\"UploadPart\",\"wrong-crc\":true,\"times\":2}",
        2},
    {"part-damaged-no-crc",
        "[{\"op\":\"UploadPart\",\"no-crc\":true,\"wrong-etag\":true,"
        "\"times\":2}]",
        2},
    {"part-without-etag",
        "{\"op\":\"UploadPart\",\"no-etag\":true,\"times\":1}", 1},
    {"no-crc-at-all", "{\"op\":\"UploadPart\",\"no-crc\":true}", 0},
    {"idle-close", "{\"op\":\"*\",\"close-idle\":true}", 0},
    {"complete-500",
        "{\"op\":\"CompleteMultipartUpload\",\"status\":500,\"times\":2}", 2},
    {"complete-error-in-200",
        "{\"op\":\"CompleteMultipartUpload\",\"error-in-200\":"
        "\"InternalError\",\"times\":1}",
        1},
    {"complete-lost",
        "{\"op\":\"CompleteMultipartUpload\",\"lose-answer\":true,"
        "\"times\":1}",
        1},
    {"complete-lost-no-looking",
        "[{\"op\":\"CompleteMultipartUpload\",\"lose-answer\":true,"
        "\"times\":1},{\"op\":\"HeadObject\",\"status\":403}]",
        1},
    {"complete-lost-look-503",
        "[{\"op\":\"CompleteMultipartUpload\",\"lose-answer\":true,"
        "\"times\":1},{\"op\":\"HeadObject\",\"status\":503,\"times\":2}]",
        1},
    {"complete-lost-look-expired",
        "[{\"op\":\"CompleteMultipartUpload\",\"lose-answer\":true,"
        "\"times\":1},{\"op\":\"HeadObject\",\"expire-credentials\":true,"
        "\"times\":1}]",
        2},
    {"complete-blanks", "{\"op\":\"CompleteMultipartUpload\",\"spaces\":500}",
        0},
    {"commit-503", "{\"op\":\"CommitUploadUGC\",\"status\":503,\"times\":2}",
        2},
    {"commit-lost",
        "{\"op\":\"CommitUploadUGC\",\"lose-answer\":true,\"times\":1}", 1},
    {"expired-credentials",
        "{\"op\":\"UploadPart\",\"part\":3,\"expire-credentials\":true,"
        "\"times\":1}",
        1},
    {"expired-as-message",
        "{\"op\":\"UploadPart\",\"part\":3,\"expire-credentials\":true,"
        "\"shape\":\"message\",\"times\":1}",
        1},
    {"expired-at-complete",
        "{\"op\":\"CompleteMultipartUpload\",\"expire-credentials\":true,"
        "\"times\":1}",
        1},
    {"skewed",
        "{\"op\":\"UploadPart\",\"status\":403,"
        "\"code\":\"RequestTimeTooSkewed\",\"times\":1}",
        1},
    {"unknown-code-thrice",
        "{\"op\":\"ApplyUploadUGC\",\"json\":{\"code\":777,"
        "\"message\":\"busy\"},\"times\":3}",
        3},
};

static void
test_hurdle (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);

  emulator_add_faults (emulator, hurdles[i].faults);
  for (guint j = 0; j < 5; j++)
    g_assert_cmpint (owner_write (owner, MIB - j), ==, VOD_FLOW_OK);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (owner->retries, >=, hurdles[i].retries);
  g_assert_cmpuint (emulator_n_media (emulator), ==, 1);
  owner_free (owner);
}

/* --- what ends it ---------------------------------------------------------*/

static const struct {
  const gchar *name;
  const gchar *faults;
  gint retry_duration;
  VodErrorCode code;
  const gchar *phase;
  gint number;
} ends[] = {
    {"bad-signature",
        "{\"op\":\"ApplyUploadUGC\",\"json\":{\"code\":10004,"
        "\"message\":\"invalid signature\"}}",
        300, VOD_ERROR_SERVICE, "apply", 10004},
    {"unknown-code-for-ever",
        "{\"op\":\"ApplyUploadUGC\",\"json\":{\"code\":777,"
        "\"message\":\"no\"}}",
        300, VOD_ERROR_SERVICE, "apply", 777},
    {"denied",
        "{\"op\":\"UploadPart\",\"status\":403,\"code\":\"AccessDenied\"}", 300,
        VOD_ERROR_STORAGE, "part", 403},
    {"no-retry", "{\"op\":\"UploadPart\",\"status\":503}", 0, VOD_ERROR_STORAGE,
        "part", 503},
    {"a-second", "{\"op\":\"CommitUploadUGC\",\"status\":500}", 1,
        VOD_ERROR_HTTP, "commit", 500},
    {"refused-for-ever",
        "{\"op\":\"UploadPart\",\"status\":400,\"code\":\"ExpiredToken\"}", 1,
        VOD_ERROR_STORAGE, "part", 400},
    {"upload-gone", "{\"op\":\"UploadPart\",\"part\":2,\"forget-upload\":true}",
        300, VOD_ERROR_STORAGE, "part", 404},
    {"upload-gone-at-complete",
        "{\"op\":\"CompleteMultipartUpload\",\"forget-upload\":true}", 300,
        VOD_ERROR_STORAGE, "complete", 404},
    {"corrupt-there",
        "[{\"op\":\"UploadPart\",\"part\":2,\"corrupt\":true,"
        "\"no-crc\":true}]",
        300, VOD_ERROR_INTEGRITY, "complete", -5},
};

static void
test_end (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);

  vod_upload_set_retry_duration (owner->upload, ends[i].retry_duration);
  emulator_add_faults (emulator, ends[i].faults);
  for (guint j = 0; j < 5; j++)
    owner_write (owner, MIB);
  vod_upload_finish (owner->upload);
  g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_FAILED);
  g_assert_cmpuint (owner->failed, ==, 1);
  g_test_message ("%s", owner->error_text);
  g_assert_cmpint (owner->error_code, ==, (gint)ends[i].code);
  g_assert_cmpstr (owner->error_phase, ==, ends[i].phase);
  g_assert_cmpint (owner->number, ==, ends[i].number);
  /* It stays so. */
  g_assert_cmpint (owner_write (owner, 10), ==, VOD_FLOW_FAILED);
  g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_FAILED);
  owner_assert_state (owner, "failed");
  g_assert_true (vod_upload_join (owner->upload));
  g_assert_cmpuint (emulator_upload_bytes (emulator), ==, 0);
  owner_free (owner);
}

/* The whole is looked for after a lost answer, and taken for what it is. */
static void
test_lost_complete_is_looked_for (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);

  emulator_add_faults (emulator,
      "{\"op\":\"CompleteMultipartUpload\",\"lose-answer\":true,\"times\":1}");
  owner_write (owner, 3 * MIB);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (emulator_count (emulator, "HeadObject", 200), ==, 1);
  g_assert_cmpuint (emulator_n_media (emulator), ==, 1);
  owner_free (owner);
}

/* --- credentials ----------------------------------------------------------*/

/* Renewed at 90 % of their life: nothing is ever refused. The service counts
 * whole seconds, so that a tenth must be one. */
static void
test_credentials_are_renewed_in_time (void)
{
  g_autoptr (Emulator) emulator =
      emulator_new ("--credential-lifetime", "10", NULL);
  Owner *owner = owner_new (emulator);
  gint64 begin = g_get_monotonic_time ();

  emulator_add_faults (emulator, "{\"op\":\"UploadPart\",\"delay\":250}");
  while (g_get_monotonic_time () - begin < 10 * G_USEC_PER_SEC)
    g_assert_cmpint (owner_write (owner, MIB), ==, VOD_FLOW_OK);
  emulator_clear_faults (emulator);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (emulator_count (emulator, "ApplyUploadUGC", 200), ==, 2);
  g_assert_cmpuint (emulator_count (emulator, "UploadPart", 400), ==, 0);
  g_assert_cmpuint (emulator_count (emulator, "UploadPart", 403), ==, 0);
  g_assert_cmpuint (owner->retries, ==, 0);
  g_assert_cmpuint (emulator_n_sessions (emulator), ==, 1);
  owner_free (owner);
}

/* A renewal that fails is tried again before they end. */
static void
test_a_failing_renewal_is_tried_again (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_new (emulator);

  emulator_add_faults (emulator,
      "[{\"op\":\"UploadPart\",\"part\":2,\"expire-credentials\":true,"
      "\"times\":1},"
      "{\"op\":\"ApplyUploadUGC\",\"skip\":1,\"times\":2,\"status\":503}]");
  for (guint j = 0; j < 5; j++)
    owner_write (owner, MIB);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (emulator_count (emulator, "ApplyUploadUGC", 503), ==, 2);
  owner_free (owner);
}

/* --- all part numbers -----------------------------------------------------*/

/* 10 GiB in the smallest parts: warned at the 9000th, an error after the
 * 10000th, and nothing is left there that could be taken for the media. */
static void
test_all_part_numbers (void)
{
  g_autoptr (Emulator) emulator = NULL;
  Owner *owner;
  guint64 warned_at = 0;

  if (!g_test_slow ()) {
    g_test_skip ("10 GiB: -m slow");
    return;
  }
  emulator = emulator_new ("--discard", NULL);
  owner = owner_new (emulator);
  vod_upload_set_progress_interval (owner->upload, 0);
  while (owner_write (owner, MIB) == VOD_FLOW_OK) {
    g_mutex_lock (&owner->lock);
    if (warned_at == 0 && strstr (owner->story->str, "limit"))
      warned_at = owner->size;
    g_mutex_unlock (&owner->lock);
  }
  g_assert_cmpuint (owner->failed, ==, 1);
  g_assert_cmpint (owner->error_code, ==, VOD_ERROR_LIMIT);
  g_test_message ("%s", owner->error_text);
  g_assert_cmpuint (owner->size, ==, 10000 * (guint64)MIB);
  g_assert_cmpuint (warned_at, ==, 9000 * (guint64)MIB);
  g_assert_cmpstr (owner->story->str, ==, "opening opened limit failed");
  g_assert_true (vod_upload_join (owner->upload));
  g_assert_cmpuint (emulator_n_media (emulator), ==, 0);
  g_assert_cmpuint (emulator_n_uploads (emulator), ==, 0);
  owner_free (owner);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/upload/plain", test_a_plain_upload);
  for (guint i = 0; i < G_N_ELEMENTS (hurdles); i++) {
    g_autofree gchar *path =
        g_strconcat ("/upload/gets-over/", hurdles[i].name, NULL);

    g_test_add_data_func (path, GUINT_TO_POINTER (i), test_hurdle);
  }
  for (guint i = 0; i < G_N_ELEMENTS (ends); i++) {
    g_autofree gchar *path =
        g_strconcat ("/upload/ends-by/", ends[i].name, NULL);

    g_test_add_data_func (path, GUINT_TO_POINTER (i), test_end);
  }
  g_test_add_func ("/upload/lost-complete", test_lost_complete_is_looked_for);
  g_test_add_func (
      "/upload/credentials/in-time", test_credentials_are_renewed_in_time);
  g_test_add_func (
      "/upload/credentials/again", test_a_failing_renewal_is_tried_again);
  g_test_add_func ("/upload/all-part-numbers", test_all_part_numbers);
  return g_test_run ();
}
