/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What may happen to the requests for a cover: what it gets over, and what ends
 * it; never the media.
 */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testcover.h"
#include "testrelay.h"
#include "teststopwatch.h"

/* --- one thing at a time --------------------------------------------------*/

#define APPLY "{\"op\":\"ApplyUploadUGC\","
#define PUT "{\"op\":\"PutObject\","
#define COMMIT "{\"op\":\"CommitUploadUGC\","

typedef struct {
  const gchar *name;
  const gchar *faults;
  gint retry_duration; /* 0: the default */
  /* Nothing: it is a cover in the end. */
  VodErrorCode code;
  gint number;
  guint puts; /* PutObject in all; 0: any */
} Case;

#define GETS_OVER 0, 0, 0

/* Known from the beginning. */
static const Case beside[] = {
    {"put-503", PUT "\"status\":503,\"times\":2}", GETS_OVER, 3},
    {"put-503-four-times", PUT "\"status\":503,\"times\":4}", GETS_OVER, 5},
    {"put-slow-down",
        PUT "\"status\":503,\"code\":\"SlowDown\",\"retry-after\":1,"
            "\"times\":1}",
        GETS_OVER, 2},
    {"put-stalled", PUT "\"stall\":true,\"times\":1}", GETS_OVER, 2},
    {"put-dropped", PUT "\"drop\":true,\"times\":2}", GETS_OVER, 0},
    {"put-dropped-within",
        PUT "\"drop\":true,\"after-bytes\":5000,\"times\":2}", GETS_OVER, 0},
    {"put-reset", PUT "\"drop\":true,\"reset\":true,\"times\":2}", GETS_OVER,
        0},
    {"put-lost-no-looking",
        "[" PUT "\"lose-answer\":true,\"times\":1},"
        "{\"op\":\"HeadObject\",\"status\":403}]",
        GETS_OVER, 0},
    {"put-wrong-crc", PUT "\"wrong-crc\":true,\"times\":2}", GETS_OVER, 3},
    {"put-no-crc", PUT "\"no-crc\":true}", GETS_OVER, 1},
    {"put-no-crc-wrong-etag",
        PUT "\"no-crc\":true,\"wrong-etag\":true,\"times\":2}", GETS_OVER, 3},
    {"put-no-etag", PUT "\"no-etag\":true,\"times\":1}", GETS_OVER, 2},
    {"put-html", PUT "\"garbage\":\"html\",\"times\":2}", GETS_OVER, 3},
    {"put-early-error", PUT "\"status\":503,\"early\":true,\"times\":1}",
        GETS_OVER, 2},
    {"put-expired", PUT "\"expire-credentials\":true,\"times\":1}", GETS_OVER,
        2},
    {"put-expired-as-message",
        PUT "\"expire-credentials\":true,\"shape\":\"message\",\"times\":1}",
        GETS_OVER, 2},
    {"put-skewed",
        PUT "\"status\":403,\"code\":\"RequestTimeTooSkewed\",\"times\":1}",
        GETS_OVER, 2},
    {"idle-close", "{\"op\":\"*\",\"close-idle\":true}", GETS_OVER, 1},
    /* For its sake? Then the media goes alone, and the cover after it. */
    {"apply-refused",
        APPLY "\"times\":1,\"json\":{\"code\":10001,\"message\":\"no\"}}",
        GETS_OVER, 1},
    {"apply-refused-oddly",
        APPLY "\"times\":1,\"json\":{\"code\":777,\"message\":\"no\"}}",
        GETS_OVER, 1},
    {"apply-too-large", APPLY "\"times\":1,\"status\":413}", GETS_OVER, 1},
    {"apply-503", APPLY "\"times\":2,\"status\":503}", GETS_OVER, 1},
    {"commit-refused",
        COMMIT "\"times\":1,\"json\":{\"code\":10001,\"message\":\"no\"}}",
        GETS_OVER, 2},
    /* No place for it, or none that can be one; committed without a word of it:
     * exchanged. */
    {"apply-without-cover", APPLY "\"times\":1,\"data\":{\"cover\":{}}}",
        GETS_OVER, 1},
    {"apply-odd-cover",
        APPLY "\"times\":1,\"data\":{\"cover\":{\"storagePath\":"
              "\"/a/../../b.jpg\"}}}",
        GETS_OVER, 1},
    {"commit-without-cover", COMMIT "\"times\":1,\"data\":{\"cover\":7}}",
        GETS_OVER, 2},
    {"commit-odd-cover",
        COMMIT "\"times\":1,\"data\":{\"cover\":{\"url\":\"file:///x\"}}}",
        GETS_OVER, 2},
    {"commit-lost", COMMIT "\"times\":1,\"lose-answer\":true}", GETS_OVER, 1},

    {"put-503-for-ever", PUT "\"status\":503}", 0, VOD_ERROR_STORAGE, 503, 5},
    {"put-500-for-ever", PUT "\"status\":500}", 0, VOD_ERROR_STORAGE, 500, 5},
    {"put-denied", PUT "\"status\":403,\"code\":\"AccessDenied\"}", 0,
        VOD_ERROR_STORAGE, 403, 1},
    {"put-no-bucket", PUT "\"status\":404,\"code\":\"NoSuchBucket\"}", 0,
        VOD_ERROR_STORAGE, 404, 1},
    {"put-stalled-for-ever", PUT "\"stall\":true}", 0, VOD_ERROR_NETWORK, -2,
        5},
    {"put-dropped-for-ever", PUT "\"drop\":true}", 0, VOD_ERROR_NETWORK, -2, 0},
    {"put-wrong-crc-for-ever", PUT "\"wrong-crc\":true}", 0,
        VOD_ERROR_INTEGRITY, -5, 5},
    {"put-wrong-etag-for-ever", PUT "\"no-crc\":true,\"wrong-etag\":true}", 0,
        VOD_ERROR_INTEGRITY, -5, 5},
    {"put-html-for-ever", PUT "\"garbage\":\"html\"}", 0, VOD_ERROR_PROTOCOL,
        -5, 5},
    {"put-expired-for-ever", PUT "\"status\":400,\"code\":\"ExpiredToken\"}", 0,
        VOD_ERROR_STORAGE, 400, 5},
    /* Neither takes the media's time, of which it needs some itself. */
    {"put-503-a-second",
        "[" PUT "\"status\":503}," COMMIT "\"status\":503,\"times\":1}]", 1,
        VOD_ERROR_STORAGE, 503, 0},
    {"put-stalled-three-seconds",
        "[" PUT "\"stall\":true}," COMMIT "\"status\":503,\"times\":1}]", 3,
        VOD_ERROR_NETWORK, -2, 0},
    /* The cover is refused wherever it comes. */
    {"apply-refuses-covers",
        "[" APPLY "\"times\":1,\"json\":{\"code\":10001,\"message\":\"no\"}},"
        "" APPLY "\"skip\":1,\"json\":{\"code\":10001,\"message\":\"no\"}}]",
        0, VOD_ERROR_SERVICE, 10001, 0},
    {"commit-refuses-covers",
        "[" COMMIT "\"times\":1,\"json\":{\"code\":10001,\"message\":\"no\"}},"
        "" COMMIT "\"skip\":1,\"json\":{\"code\":10001,\"message\":\"no\"}}]",
        0, VOD_ERROR_SERVICE, 10001, 2},
};

/* Come after Apply: exchanged. */
static const Case later[] = {
    {"apply-503", APPLY "\"status\":503,\"times\":2}", GETS_OVER, 1},
    {"apply-lost", APPLY "\"lose-answer\":true,\"times\":1}", GETS_OVER, 1},
    {"apply-truncated", APPLY "\"truncate\":true,\"times\":1}", GETS_OVER, 1},
    {"apply-garbage", APPLY "\"garbage\":\"types\",\"times\":2}", GETS_OVER, 1},
    {"apply-unknown-code",
        APPLY "\"json\":{\"code\":777,\"message\":\"busy\"},\"times\":3}",
        GETS_OVER, 1},
    {"put-503", PUT "\"status\":503,\"times\":2}", GETS_OVER, 3},
    {"put-stalled", PUT "\"stall\":true,\"times\":1}", GETS_OVER, 2},
    {"put-wrong-crc", PUT "\"wrong-crc\":true,\"times\":2}", GETS_OVER, 3},
    {"put-no-crc", PUT "\"no-crc\":true}", GETS_OVER, 1},
    {"put-expired", PUT "\"expire-credentials\":true,\"times\":1}", GETS_OVER,
        2},
    {"commit-503", COMMIT "\"skip\":1,\"status\":503,\"times\":2}", GETS_OVER,
        1},
    {"commit-lost", COMMIT "\"skip\":1,\"lose-answer\":true,\"times\":1}",
        GETS_OVER, 1},
    {"commit-garbage", COMMIT "\"skip\":1,\"garbage\":\"types\",\"times\":2}",
        GETS_OVER, 1},

    {"apply-refused", APPLY "\"json\":{\"code\":10001,\"message\":\"no\"}}", 0,
        VOD_ERROR_SERVICE, 10001, 0},
    {"apply-unknown-code-for-ever",
        APPLY "\"json\":{\"code\":777,\"message\":\"no\"}}", 0,
        VOD_ERROR_SERVICE, 777, 0},
    {"apply-garbage-for-ever", APPLY "\"garbage\":true}", 0, VOD_ERROR_PROTOCOL,
        -5, 0},
    {"apply-no-retry", APPLY "\"status\":503}", -2, VOD_ERROR_HTTP, 503, 0},
    {"put-denied", PUT "\"status\":403,\"code\":\"AccessDenied\"}", 0,
        VOD_ERROR_STORAGE, 403, 1},
    {"put-503-for-ever", PUT "\"status\":503}", 0, VOD_ERROR_STORAGE, 503, 5},
    {"put-expired-for-ever", PUT "\"status\":400,\"code\":\"ExpiredToken\"}", 0,
        VOD_ERROR_STORAGE, 400, 3},
    {"commit-refused",
        COMMIT "\"skip\":1,\"json\":{\"code\":10001,\"message\":\"no\"}}", 0,
        VOD_ERROR_SERVICE, 10001, 1},
    {"commit-garbage-for-ever", COMMIT "\"skip\":1,\"garbage\":true}", 0,
        VOD_ERROR_PROTOCOL, -5, 1},
    {"commit-no-session", COMMIT "\"skip\":1,\"forget-session\":true}", 0,
        VOD_ERROR_SERVICE, 10012, 1},
};

static void
begin_case (CoverRun *run, const Case *a_case)
{
  Owner *owner;

  cover_run_init (run);
  run->timeout = 1;
  run->located = FALSE;
  owner = cover_run_begin (run);
  vod_upload_expect_rewrites (owner->upload);
  if (a_case->retry_duration)
    vod_upload_set_retry_duration (
        owner->upload, MAX (a_case->retry_duration, 0));
}

/* However often it was applied: what is begun is ended once. */
static void
assert_opened_once (Owner *owner)
{
  const gchar *first = strstr (owner->story->str, "opening");

  g_assert_nonnull (first);
  g_assert_null (strstr (first + 1, "opening"));
}

/* The media is there whatever became of the cover, and its owner was told of
 * that in time. */
static void
check_case (CoverRun *run, const Case *a_case)
{
  Owner *owner = run->owner;

  owner_assert_finished (owner, 0);
  g_assert_cmpuint (emulator_n_media (run->emulator), ==, 1);
  assert_opened_once (owner);
  g_assert_true (g_str_has_suffix (owner->story->str, " closed finished"));
  if (a_case->number == 0) {
    cover_run_assert (run, 0, cover_jpeg ('a'));
    g_assert_cmpuint (owner->mishaps, ==, 0);
  } else {
    owner_assert_mishap (owner, a_case->code, "could not be uploaded");
    g_assert_cmpint (owner->mishap_number, ==, a_case->number);
    g_assert_null (owner->cover_url);
  }
  if (a_case->puts) {
    /* One that hangs counts when the emulator sees that its client is gone. */
    g_assert_true (
        emulator_wait_count (run->emulator, "PutObject", -1, a_case->puts));
    g_assert_cmpuint (
        emulator_count (run->emulator, "PutObject", -1), ==, a_case->puts);
  }
  cover_run_clear (run);
}

static void
test_beside (gconstpointer data)
{
  const Case *a_case = data;
  CoverRun run;

  begin_case (&run, a_case);
  owner_set_cover (run.owner, VOD_COVER_SAMPLE, cover_jpeg ('a'));
  emulator_add_faults (run.emulator, a_case->faults);
  owner_write_mib (run.owner, 2);
  check_case (&run, a_case);
}

static void
test_later (gconstpointer data)
{
  const Case *a_case = data;
  CoverRun run;

  begin_case (&run, a_case);
  owner_write_mib (run.owner, 2);
  owner_wait_opened (run.owner);
  owner_set_cover (run.owner, VOD_COVER_SAMPLE, cover_jpeg ('a'));
  emulator_add_faults (run.emulator, a_case->faults);
  check_case (&run, a_case);
}

/* HEAD finds it; not sent again. A connection that was used before fails twice:
 * libsoup tries again by itself. */
static void
test_a_lost_put (gconstpointer data)
{
  static const Case lost = {
      "", PUT "\"lose-answer\":true,\"times\":2}", GETS_OVER, 0};
  gboolean exchange = GPOINTER_TO_INT (data);
  CoverRun run;

  begin_case (&run, &lost);
  emulator_add_faults (run.emulator, lost.faults);
  if (!exchange)
    owner_set_cover (run.owner, VOD_COVER_SAMPLE, cover_jpeg ('a'));
  owner_write_mib (run.owner, 1);
  owner_wait_opened (run.owner);
  owner_set_cover (run.owner, VOD_COVER_SAMPLE, cover_jpeg ('a'));
  owner_assert_finished (run.owner, 0);
  cover_run_assert (&run, 0, cover_jpeg ('a'));
  g_assert_cmpuint (run.owner->retries, ==, 0);
  g_assert_cmpuint (emulator_count (run.emulator, "HeadObject", 200), ==, 1);
  g_assert_cmpuint (emulator_count (run.emulator, "PutObject", -1), <=, 2);
  cover_run_clear (&run);
}

/* --- the media's own time -------------------------------------------------*/

static void
test_no_retry (void)
{
  static const Case no_retry = {
      "", PUT "\"status\":503,\"times\":1}", -1, VOD_ERROR_STORAGE, 503, 1};

  test_beside (&no_retry);
}

/* The network is gone for longer than retry-duration while the cover is all
 * that is left before Commit: that fails the media, as at any other moment. */
static void
test_an_outage_is_an_outage (void)
{
  g_autoptr (TestRelay) relay = NULL;
  CoverRun run;
  g_autoptr (TestStopwatch) watch = NULL;

  cover_run_init (&run);
  relay = test_relay_new (emulator_uri (run.emulator), TEST_RELAY_OPEN);
  run.endpoint = test_relay_uri (relay);
  run.located = FALSE;
  cover_run_begin (&run);
  vod_upload_set_retry_duration (run.owner->upload, 2);
  owner_set_cover (run.owner, VOD_COVER_SAMPLE, cover_jpeg ('a'));
  emulator_add_faults (run.emulator, PUT "\"delay\":1000}");
  owner_write_mib (run.owner, 1);
  vod_upload_finish (run.owner->upload);
  g_assert_true (
      emulator_wait_count (run.emulator, "CompleteMultipartUpload", 200, 1));
  test_relay_set_mode (relay, TEST_RELAY_CUT);
  watch = test_stopwatch_new ();
  g_assert_cmpint (vod_upload_wait (run.owner->upload), ==, VOD_FLOW_FAILED);
  g_assert_cmpint (test_stopwatch_ms (watch), <, 8000);
  g_assert_cmpint (run.owner->error_code, ==, VOD_ERROR_NETWORK);
  g_assert_cmpstr (run.owner->error_phase, ==, "commit");
  cover_run_clear (&run);
}

/* A short one costs neither of them. */
static void
test_a_short_outage (gconstpointer data)
{
  gboolean exchange = GPOINTER_TO_INT (data);
  g_autoptr (TestRelay) relay = NULL;
  CoverRun run;

  cover_run_init (&run);
  relay = test_relay_new (emulator_uri (run.emulator), TEST_RELAY_OPEN);
  run.endpoint = test_relay_uri (relay);
  run.located = FALSE;
  cover_run_begin (&run);
  if (!exchange)
    owner_set_cover (run.owner, VOD_COVER_SAMPLE, cover_jpeg ('a'));
  emulator_add_faults (run.emulator, PUT "\"delay\":1000,\"times\":1}");
  owner_write_mib (run.owner, 1);
  owner_wait_opened (run.owner);
  if (exchange)
    owner_set_cover (run.owner, VOD_COVER_SAMPLE, cover_jpeg ('a'));
  vod_upload_finish (run.owner->upload);
  g_assert_true (emulator_wait_count (run.emulator,
      exchange ? "CommitUploadUGC" : "CompleteMultipartUpload", 200, 1));
  test_relay_set_mode (relay, TEST_RELAY_CUT);
  g_usleep (4000000);
  test_relay_set_mode (relay, TEST_RELAY_OPEN);
  owner_assert_finished (run.owner, 0);
  cover_run_assert (&run, 0, cover_jpeg ('a'));
  g_assert_cmpuint (run.owner->mishaps, ==, 0);
  cover_run_clear (&run);
}

/* An outage that outlasts retry-duration in the exchange: the media is
 * committed. */
static void
test_an_outage_of_the_exchange (void)
{
  g_autoptr (TestRelay) relay = NULL;
  CoverRun run;

  cover_run_init (&run);
  relay = test_relay_new (emulator_uri (run.emulator), TEST_RELAY_OPEN);
  run.endpoint = test_relay_uri (relay);
  run.located = FALSE;
  cover_run_begin (&run);
  vod_upload_set_retry_duration (run.owner->upload, 2);
  owner_write_mib (run.owner, 1);
  owner_wait_opened (run.owner);
  owner_set_cover (run.owner, VOD_COVER_SAMPLE, cover_jpeg ('a'));
  emulator_add_faults (run.emulator, PUT "\"delay\":1000}");
  vod_upload_finish (run.owner->upload);
  g_assert_true (emulator_wait_hits (run.emulator, 1));
  test_relay_set_mode (relay, TEST_RELAY_CUT);
  owner_assert_finished (run.owner, 0);
  owner_assert_mishap (run.owner, VOD_ERROR_NETWORK, "could not be uploaded");
  g_assert_null (run.owner->cover_url);
  cover_run_clear (&run);
}

/* Commit needs no credentials: those for the cover cannot be had. */
static void
test_credentials_that_cannot_be_renewed (void)
{
  CoverRun run;

  cover_run_init_with (&run, "--credential-lifetime", "2");
  run.located = FALSE;
  cover_run_begin (&run);
  owner_set_cover (run.owner, VOD_COVER_SAMPLE, cover_jpeg ('a'));
  emulator_add_faults (run.emulator,
      "[" PUT "\"status\":503,\"retry-after\":3,\"times\":1},"
      "" APPLY "\"skip\":1,\"json\":{\"code\":10012,\"message\":\"gone\"}}]");
  owner_write_mib (run.owner, 1);
  owner_assert_finished (run.owner, 0);
  owner_assert_mishap (run.owner, VOD_ERROR_SERVICE, "could not be uploaded");
  g_assert_null (run.owner->cover_url);
  g_assert_cmpuint (emulator_n_sessions (run.emulator), ==, 1);
  cover_run_clear (&run);
}

/* Other requests get through: then it is the cover that does not, and is given
 * up while the media still comes in. */
static void
test_given_up_while_parts_go_on (gconstpointer data)
{
  guint parallel = GPOINTER_TO_UINT (data);
  CoverRun run;

  cover_run_init (&run);
  run.timeout = 1;
  run.located = FALSE;
  run.parallel = parallel;
  cover_run_begin (&run);
  owner_set_cover (run.owner, VOD_COVER_SAMPLE, cover_jpeg ('a'));
  emulator_add_faults (run.emulator,
      "[" PUT "\"stall\":true},"
      "{\"op\":\"HeadObject\",\"stall\":true}]");
  while (g_atomic_int_get (&run.owner->mishaps) == 0) {
    g_assert_cmpint (owner_write (run.owner, 100000), ==, VOD_FLOW_OK);
    g_usleep (50000);
  }
  owner_assert_finished (run.owner, 0);
  owner_assert_mishap (run.owner, VOD_ERROR_NETWORK, "could not be uploaded");
  /* Of the first of its failures nobody can tell whose it was. */
  g_assert_cmpuint (emulator_count (run.emulator, "PutObject", -1), >=, 5);
  g_assert_cmpuint (emulator_count (run.emulator, "PutObject", -1), <=, 7);
  cover_run_clear (&run);
}

/* --- any of that ----------------------------------------------------------*/

/* What happens to requests for nothing but the cover: @s are how often. */
static const gchar *const mischief[] = {
    PUT "\"status\":503,%s}",
    PUT "\"status\":500,%s}",
    PUT "\"status\":403,\"code\":\"AccessDenied\",%s}",
    PUT "\"status\":404,\"code\":\"NoSuchUpload\",%s}",
    PUT "\"status\":400,\"code\":\"ExpiredToken\",%s}",
    PUT "\"status\":403,\"code\":\"RequestTimeTooSkewed\",%s}",
    PUT "\"status\":503,\"retry-after\":1,%s}",
    PUT "\"drop\":true,%s}",
    PUT "\"drop\":true,\"after-bytes\":5000,%s}",
    PUT "\"drop\":true,\"reset\":true,%s}",
    PUT "\"stall\":true,%s}",
    PUT "\"lose-answer\":true,%s}",
    PUT "\"truncate\":true,%s}",
    PUT "\"wrong-crc\":true,%s}",
    PUT "\"no-crc\":true,%s}",
    PUT "\"no-crc\":true,\"wrong-etag\":true,%s}",
    PUT "\"no-etag\":true,%s}",
    PUT "\"garbage\":\"html\",%s}",
    PUT "\"delay\":300,%s}",
    PUT "\"trickle\":5,%s}",
    PUT "\"expire-credentials\":true,%s}",
    "{\"op\":\"HeadObject\",\"status\":403,%s}",
    "{\"op\":\"HeadObject\",\"status\":503,%s}",
    "{\"op\":\"HeadObject\",\"drop\":true,%s}",
    "{\"op\":\"HeadObject\",\"stall\":true,%s}",
    "{\"op\":\"HeadObject\",\"no-crc\":true,%s}",
    "{\"op\":\"HeadObject\",\"wrong-crc\":true,%s}",
    COMMIT "\"skip\":1,\"status\":503,%s}",
    COMMIT "\"skip\":1,\"lose-answer\":true,%s}",
    COMMIT "\"skip\":1,\"garbage\":\"types\",%s}",
    COMMIT "\"skip\":1,\"json\":{\"code\":10001,\"message\":\"no\"},%s}",
    COMMIT "\"skip\":1,\"stall\":true,%s}",
    COMMIT "\"skip\":1,\"forget-session\":true,%s}",
};

/* … and to the media's, which it gets over. */
static const gchar *const troubles[] = {
    "{\"op\":\"UploadPart\",\"status\":503,\"times\":2}",
    "{\"op\":\"UploadPart\",\"drop\":true,\"after-bytes\":30000,\"times\":2}",
    "{\"op\":\"UploadPart\",\"wrong-crc\":true,\"times\":2}",
    "{\"op\":\"UploadPart\",\"expire-credentials\":true,\"times\":1}",
    "{\"op\":\"UploadPart\",\"delay\":200}",
    "{\"op\":\"InitiateMultipartUpload\",\"status\":503,\"times\":1}",
    "{\"op\":\"CompleteMultipartUpload\",\"status\":500,\"times\":1}",
    APPLY "\"status\":503,\"times\":1}",
    APPLY "\"lose-answer\":true,\"times\":1}",
    APPLY "\"json\":{\"code\":777,\"message\":\"busy\"},\"times\":1}",
    "{\"op\":\"*\",\"delay\":20}",
};

static void
add_random_faults (Emulator *emulator, GRand *rand)
{
  guint n = g_rand_int_range (rand, 1, 6);

  for (guint i = 0; i < n; i++) {
    g_autofree gchar *times = g_rand_int_range (rand, 0, 5) == 0
        ? g_strdup ("\"probability\":0.7")
        : g_strdup_printf ("\"times\":%d", g_rand_int_range (rand, 1, 7));
    g_auto (GStrv) pieces = g_strsplit (
        mischief[g_rand_int_range (rand, 0, G_N_ELEMENTS (mischief))], "%s", 2);
    g_autofree gchar *fault = g_strjoinv (times, pieces);

    g_test_message ("%s", fault);
    emulator_add_faults (emulator, fault);
  }
  if (g_rand_boolean (rand)) {
    const gchar *trouble =
        troubles[g_rand_int_range (rand, 0, G_N_ELEMENTS (troubles))];

    g_test_message ("%s", trouble);
    emulator_add_faults (emulator, trouble);
  }
}

/* Returns the cover that the media should have. */
static GBytes *
upload_with_covers (CoverRun *run, GRand *rand)
{
  gboolean first = g_rand_boolean (rand), second = g_rand_boolean (rand);
  Owner *owner = cover_run_begin (run);

  /* An exchange whose answers get lost again and again ends sometime. */
  vod_upload_set_retry_duration (owner->upload, 30);
  if (first)
    owner_set_cover (owner, VOD_COVER_TAG, cover_jpeg ('a'));
  owner_write_mib (owner, (guint)g_rand_int_range (rand, 0, 3));
  g_assert_cmpint (
      owner_write (owner, (gsize)g_rand_int_range (rand, 1, 100000)), ==,
      VOD_FLOW_OK);
  if (g_rand_boolean (rand))
    g_usleep ((gulong)g_rand_int_range (rand, 0, 50000));
  if (second || !first)
    cover_run_put_file (run, cover_jpeg ('b'));
  return second || !first ? cover_jpeg ('b') : cover_jpeg ('a');
}

static void
try_faults (guint seed)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
  CoverRun run;
  GBytes *expected;

  g_test_message ("list %u", seed);
  cover_run_init (&run);
  /* Thirty of them at a time, and some lists take half a minute alone. */
  alarm (300);
  run.timeout = 1;
  run.located = TRUE;
  run.parallel = (guint)g_rand_int_range (rand, 1, 4);
  add_random_faults (run.emulator, rand);
  expected = upload_with_covers (&run, rand);
  /* A file that was not there, or not wanted, is no matter here. */
  if (!g_file_test (run.path, G_FILE_TEST_EXISTS))
    cover_run_put_file (&run, cover_jpeg ('a'));
  owner_assert_finished (run.owner, 0);
  g_assert_cmpuint (emulator_n_media (run.emulator), ==, 1);
  if (run.owner->mishaps == 0)
    cover_run_assert (&run, 0, g_bytes_ref (expected));
  g_bytes_unref (expected);
  cover_run_clear (&run);
}

#define LISTS 300
#define SHARES 30

static int
try_share (guint share, guint seed)
{
  for (guint i = share; i < LISTS; i += SHARES) {
    g_print ("# list %u\n", seed + i);
    try_faults (seed + i);
  }
  return 0;
}

static gchar *program;

/* Most of the time nothing happens but waiting: so in many processes. A list that
 * fails is tried again by --share=0 --seed=LIST. */
static void
test_random_faults (void)
{
  guint seed = (guint)g_test_rand_int_range (0, 1000000);
  GPid pids[SHARES];

  for (guint i = 0; i < SHARES; i++) {
    g_autofree gchar *share = g_strdup_printf ("--share=%u", i);
    g_autofree gchar *begin = g_strdup_printf ("--seed=%u", seed);
    gchar *argv[] = {program, share, begin, NULL};
    g_autoptr (GError) error = NULL;

    g_assert_true (g_spawn_async (NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD,
        NULL, NULL, &pids[i], &error));
  }
  for (guint i = 0; i < SHARES; i++) {
    int status;

    g_assert_cmpint (waitpid (pids[i], &status, 0), ==, pids[i]);
    g_assert_cmpint (status, ==, 0);
  }
}

static void
add_cases (const gchar *where, const Case *cases, guint n,
    void (*test) (gconstpointer data))
{
  for (guint i = 0; i < n; i++) {
    g_autofree gchar *path =
        g_strconcat ("/upload/cover/", where, "/", cases[i].name, NULL);

    g_test_add_data_func (path, &cases[i], test);
  }
}

int
main (int argc, char **argv)
{
  program = argv[0];
  if (argc == 3 && g_str_has_prefix (argv[1], "--share="))
    return try_share ((guint)g_ascii_strtoull (argv[1] + 8, NULL, 10),
        (guint)g_ascii_strtoull (argv[2] + 7, NULL, 10));
  g_test_init (&argc, &argv, NULL);
  add_cases ("beside", beside, G_N_ELEMENTS (beside), test_beside);
  add_cases ("later", later, G_N_ELEMENTS (later), test_later);
  g_test_add_data_func ("/upload/cover/others/lost-beside",
      GINT_TO_POINTER (FALSE), test_a_lost_put);
  g_test_add_data_func ("/upload/cover/others/lost-exchange",
      GINT_TO_POINTER (TRUE), test_a_lost_put);
  g_test_add_func ("/upload/cover/others/no-retry", test_no_retry);
  g_test_add_func (
      "/upload/cover/others/outage-long", test_an_outage_is_an_outage);
  g_test_add_data_func ("/upload/cover/others/outage-beside",
      GINT_TO_POINTER (FALSE), test_a_short_outage);
  g_test_add_data_func ("/upload/cover/others/outage-exchange",
      GINT_TO_POINTER (TRUE), test_a_short_outage);
  g_test_add_func ("/upload/cover/others/outage-exchange-long",
      test_an_outage_of_the_exchange);
  g_test_add_func ("/upload/cover/others/no-renewal",
      test_credentials_that_cannot_be_renewed);
  g_test_add_data_func ("/upload/cover/others/own-fault-1",
      GUINT_TO_POINTER (1), test_given_up_while_parts_go_on);
  g_test_add_data_func ("/upload/cover/others/own-fault-3",
      GUINT_TO_POINTER (3), test_given_up_while_parts_go_on);
  g_test_add_func ("/upload/cover/random", test_random_faults);
  return g_test_run ();
}
