/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which errors are worth another try, by what means, and when: by tables. */
#include "upload/vodretry.h"

/* --- classify -------------------------------------------------------------*/

static const struct {
  const gchar *what;
  VodErrorCode code;
  VodPhase phase;
  guint status;
  gint64 number;
  const gchar *error_code;
  const gchar *message; /* NULL: some */
  VodRetry verdict;
} cases[] = {
    /* No answer, or none that can be. */
    {"network", VOD_ERROR_NETWORK, VOD_PHASE_APPLY, 0, 0, NULL, NULL,
        VOD_RETRY_AGAIN},
    {"protocol", VOD_ERROR_PROTOCOL, VOD_PHASE_COMMIT, 200, 0, NULL, NULL,
        VOD_RETRY_AGAIN},
    {"a part that differs", VOD_ERROR_INTEGRITY, VOD_PHASE_PART, 200, 0, NULL,
        NULL, VOD_RETRY_AGAIN},
    {"an object that differs", VOD_ERROR_INTEGRITY, VOD_PHASE_COMPLETE, 200, 0,
        NULL, NULL, VOD_RETRY_FINAL},

    /* HTTP statuses without explanation. */
    {"301", VOD_ERROR_HTTP, VOD_PHASE_PART, 301, 0, NULL, NULL,
        VOD_RETRY_FINAL},
    {"400", VOD_ERROR_HTTP, VOD_PHASE_PART, 400, 0, NULL, NULL,
        VOD_RETRY_FINAL},
    {"403", VOD_ERROR_HTTP, VOD_PHASE_PART, 403, 0, NULL, NULL,
        VOD_RETRY_FINAL},
    {"404", VOD_ERROR_HTTP, VOD_PHASE_APPLY, 404, 0, NULL, NULL,
        VOD_RETRY_FINAL},
    {"407", VOD_ERROR_HTTP, VOD_PHASE_APPLY, 407, 0, NULL, NULL,
        VOD_RETRY_FINAL},
    {"408", VOD_ERROR_HTTP, VOD_PHASE_APPLY, 408, 0, NULL, NULL,
        VOD_RETRY_AGAIN},
    {"425", VOD_ERROR_HTTP, VOD_PHASE_APPLY, 425, 0, NULL, NULL,
        VOD_RETRY_AGAIN},
    {"429", VOD_ERROR_HTTP, VOD_PHASE_APPLY, 429, 0, NULL, NULL,
        VOD_RETRY_AGAIN},
    {"500", VOD_ERROR_HTTP, VOD_PHASE_APPLY, 500, 0, NULL, NULL,
        VOD_RETRY_AGAIN},
    {"502", VOD_ERROR_HTTP, VOD_PHASE_PART, 502, 0, NULL, NULL,
        VOD_RETRY_AGAIN},
    {"503", VOD_ERROR_HTTP, VOD_PHASE_COMPLETE, 503, 0, NULL, NULL,
        VOD_RETRY_AGAIN},
    {"504", VOD_ERROR_HTTP, VOD_PHASE_COMMIT, 504, 0, NULL, NULL,
        VOD_RETRY_AGAIN},

    /* The VOD API. */
    {"10001", VOD_ERROR_SERVICE, VOD_PHASE_APPLY, 200, 10001, NULL, NULL,
        VOD_RETRY_FINAL},
    {"10004", VOD_ERROR_SERVICE, VOD_PHASE_COMMIT, 200, 10004, NULL, NULL,
        VOD_RETRY_FINAL},
    {"10010", VOD_ERROR_SERVICE, VOD_PHASE_APPLY, 200, 10010, NULL, NULL,
        VOD_RETRY_SIGNATURE},
    {"duplicate", VOD_ERROR_SERVICE, VOD_PHASE_APPLY, 200, 12345, NULL,
        "ugc upload | duplicate vod signature", VOD_RETRY_SIGNATURE},
    {"unknown", VOD_ERROR_SERVICE, VOD_PHASE_APPLY, 200, 31415, NULL, NULL,
        VOD_RETRY_AGAIN},
    {"negative", VOD_ERROR_SERVICE, VOD_PHASE_APPLY, 200, -7, NULL, NULL,
        VOD_RETRY_AGAIN},

    /* The storage. */
    {"ExpiredToken", VOD_ERROR_STORAGE, VOD_PHASE_PART, 400, 0, "ExpiredToken",
        NULL, VOD_RETRY_CREDENTIALS},
    {"ExpiredToken 403", VOD_ERROR_STORAGE, VOD_PHASE_COMPLETE, 403, 0,
        "ExpiredToken", NULL, VOD_RETRY_CREDENTIALS},
    {"RequestHasExpired", VOD_ERROR_STORAGE, VOD_PHASE_PART, 403, 0,
        "RequestHasExpired", NULL, VOD_RETRY_CREDENTIALS},
    {"RequestTimeTooSkewed", VOD_ERROR_STORAGE, VOD_PHASE_PART, 403, 0,
        "RequestTimeTooSkewed", NULL, VOD_RETRY_CREDENTIALS},
    {"NoSuchUpload", VOD_ERROR_STORAGE, VOD_PHASE_COMPLETE, 404, 0,
        "NoSuchUpload", NULL, VOD_RETRY_LOOK},
    {"AccessDenied", VOD_ERROR_STORAGE, VOD_PHASE_PART, 403, 0, "AccessDenied",
        NULL, VOD_RETRY_FINAL},
    {"AccessDenied in a 200", VOD_ERROR_STORAGE, VOD_PHASE_COMPLETE, 200, 0,
        "AccessDenied", NULL, VOD_RETRY_FINAL},
    {"InvalidAccessKeyId", VOD_ERROR_STORAGE, VOD_PHASE_PART, 403, 0,
        "InvalidAccessKeyId", NULL, VOD_RETRY_FINAL},
    {"SignatureDoesNotMatch", VOD_ERROR_STORAGE, VOD_PHASE_PART, 403, 0,
        "SignatureDoesNotMatch", NULL, VOD_RETRY_FINAL},
    {"InvalidPart", VOD_ERROR_STORAGE, VOD_PHASE_COMPLETE, 400, 0,
        "InvalidPart", NULL, VOD_RETRY_FINAL},
    {"InvalidPart in a 200", VOD_ERROR_STORAGE, VOD_PHASE_COMPLETE, 200, 0,
        "InvalidPart", NULL, VOD_RETRY_FINAL},
    {"EntityTooLarge", VOD_ERROR_STORAGE, VOD_PHASE_PART, 400, 0,
        "EntityTooLarge", NULL, VOD_RETRY_FINAL},
    {"NoSuchBucket", VOD_ERROR_STORAGE, VOD_PHASE_INITIATE, 404, 0,
        "NoSuchBucket", NULL, VOD_RETRY_FINAL},
    {"BadDigest", VOD_ERROR_STORAGE, VOD_PHASE_PART, 400, 0, "BadDigest", NULL,
        VOD_RETRY_AGAIN},
    {"IncompleteBody", VOD_ERROR_STORAGE, VOD_PHASE_PART, 400, 0,
        "IncompleteBody", NULL, VOD_RETRY_AGAIN},
    {"RequestTimeout", VOD_ERROR_STORAGE, VOD_PHASE_PART, 400, 0,
        "RequestTimeout", NULL, VOD_RETRY_AGAIN},
    {"InternalError", VOD_ERROR_STORAGE, VOD_PHASE_PART, 500, 0,
        "InternalError", NULL, VOD_RETRY_AGAIN},
    {"InternalError in a 200", VOD_ERROR_STORAGE, VOD_PHASE_COMPLETE, 200, 0,
        "InternalError", NULL, VOD_RETRY_AGAIN},
    {"SlowDown", VOD_ERROR_STORAGE, VOD_PHASE_PART, 503, 0, "SlowDown", NULL,
        VOD_RETRY_AGAIN},
    {"a new code with 5xx", VOD_ERROR_STORAGE, VOD_PHASE_PART, 507, 0,
        "SomethingNew", NULL, VOD_RETRY_AGAIN},
    {"a new code with 4xx", VOD_ERROR_STORAGE, VOD_PHASE_PART, 409, 0,
        "PathConflict", NULL, VOD_RETRY_FINAL},
    {"no code", VOD_ERROR_STORAGE, VOD_PHASE_PART, 403, 0, NULL, NULL,
        VOD_RETRY_FINAL},

    /* Ours. */
    {"parameter", VOD_ERROR_PARAMETER, VOD_PHASE_APPLY, 0, 0, NULL, NULL,
        VOD_RETRY_FINAL},
    {"TLS", VOD_ERROR_TLS, VOD_PHASE_APPLY, 0, 0, NULL, NULL, VOD_RETRY_FINAL},
    {"cancelled", VOD_ERROR_CANCELLED, VOD_PHASE_PART, 0, 0, NULL, NULL,
        VOD_RETRY_FINAL},
    {"no signature", VOD_ERROR_SIGNATURE, VOD_PHASE_SIGNATURE, 0, 0, NULL, NULL,
        VOD_RETRY_FINAL},
    {"seek", VOD_ERROR_SEEK, VOD_PHASE_PART, 0, 0, NULL, NULL, VOD_RETRY_FINAL},
    {"limit", VOD_ERROR_LIMIT, VOD_PHASE_PART, 0, 0, NULL, NULL,
        VOD_RETRY_FINAL},
};

static GError *
make_error (guint i)
{
  GError *error = vod_error_new (cases[i].code, "%s",
      cases[i].message ? cases[i].message : "it did not work");
  VodErrorDetails *details = vod_error_details (error);

  details->http_status = cases[i].status;
  details->number = cases[i].number;
  details->error_code = g_strdup (cases[i].error_code);
  vod_error_set_phase (error, cases[i].phase);
  return error;
}

static void
test_every_kind_of_error (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = make_error (i);
    VodRetry verdict = vod_retry_classify (error, 1);

    if (verdict != cases[i].verdict)
      g_error ("%s: %d, not %d", cases[i].what, verdict, cases[i].verdict);
  }
}

/* How often it has failed changes nothing but for codes that nobody knows. */
static void
test_failures_do_not_matter_but_for_unknown_codes (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = make_error (i);
    gboolean unknown = cases[i].code == VOD_ERROR_SERVICE &&
        cases[i].verdict == VOD_RETRY_AGAIN;

    for (guint failures = 1; failures < 100; failures++)
      g_assert_cmpint (vod_retry_classify (error, failures), ==,
          unknown && failures >= 4 ? VOD_RETRY_FINAL : cases[i].verdict);
  }
}

static void
test_foreign_errors_are_final (void)
{
  g_autoptr (GError) error =
      g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_NOENT, "not there");

  g_assert_cmpint (vod_retry_classify (error, 1), ==, VOD_RETRY_FINAL);
}

/* --- delay ----------------------------------------------------------------*/

static void
test_delay_doubles_within_its_jitter (void)
{
  static const guint whole[] = {
      250, 500, 1000, 2000, 4000, 8000, 15000, 15000, 15000};

  for (guint i = 0; i < G_N_ELEMENTS (whole); i++) {
    guint failures = i + 1;

    g_assert_cmpuint (vod_retry_delay (failures, -1, 0), ==, whole[i] / 2);
    g_assert_cmpuint (
        vod_retry_delay (failures, -1, G_MAXUINT32), ==, whole[i]);
    for (guint j = 0; j < 1000; j++) {
      guint delay = vod_retry_delay (failures, -1, g_test_rand_int ());

      g_assert_cmpuint (delay, >=, whole[i] / 2);
      g_assert_cmpuint (delay, <=, whole[i]);
    }
  }
}

/* The jitter uses its range: many clients do not come back at once. */
static void
test_delays_are_spread (void)
{
  guint low = 0, high = 0;

  for (guint i = 0; i < 1000; i++) {
    guint delay = vod_retry_delay (7, -1, i * (G_MAXUINT32 / 1000));

    low += delay < 7500 + 2500;
    high += delay > 15000 - 2500;
  }
  g_assert_cmpuint (low, >, 250);
  g_assert_cmpuint (high, >, 250);
}

static void
test_delay_stays_bounded_for_ever (void)
{
  const guint many[] = {16, 17, 18, 31, 32, 33, 64, 1000, G_MAXUINT};

  for (guint i = 0; i < G_N_ELEMENTS (many); i++)
    g_assert_cmpuint (vod_retry_delay (many[i], -1, G_MAXUINT32), ==, 15000);
  /* Not to be called so, but no harm. */
  g_assert_cmpuint (vod_retry_delay (0, -1, 0), ==, 125);
}

static void
test_retry_after_is_the_least (void)
{
  g_assert_cmpuint (vod_retry_delay (1, 0, 0), ==, 125);
  g_assert_cmpuint (vod_retry_delay (1, 100, 0), ==, 125);
  g_assert_cmpuint (vod_retry_delay (1, 1000, 0), ==, 1000);
  g_assert_cmpuint (vod_retry_delay (9, 1000, 0), ==, 7500);
  g_assert_cmpuint (vod_retry_delay (1, 120000, 7), ==, 120000);
}

/* Nobody waits a day because a server says so. */
static void
test_retry_after_is_not_believed_beyond_5_minutes (void)
{
  g_assert_cmpuint (vod_retry_delay (1, 300000, 0), ==, 300000);
  g_assert_cmpuint (vod_retry_delay (1, 300001, 0), ==, 300000);
  g_assert_cmpuint (vod_retry_delay (1, G_MAXINT64, 0), ==, 300000);
  g_assert_cmpuint (vod_retry_delay (1, G_MININT64, 0), ==, 125);
}

/* --- left -----------------------------------------------------------------*/

#define S ((gint64)G_USEC_PER_SEC)

static const struct {
  gint64 now, since, held;
  gint duration;
  gint64 left;
} lefts[] = {
    {100 * S, 100 * S, 0, 300, 300 * S},
    {101 * S, 100 * S, 0, 300, 299 * S},
    {400 * S, 100 * S, 0, 300, 0},
    {4000 * S, 100 * S, 0, 300, 0},
    /* Waiting for a signature does not count. */
    {400 * S, 100 * S, 200 * S, 300, 200 * S},
    {400 * S, 100 * S, 300 * S, 300, 300 * S},
    /* No retry. */
    {100 * S, 100 * S, 0, 0, 0},
    {101 * S, 100 * S, 1 * S, 0, 0},
    {101 * S, 100 * S, 0, 0, 0},
    /* For ever. */
    {G_MAXINT64, 0, 0, -1, G_MAXINT64},
    /* 68 years. */
    {101 * S, 100 * S, 0, G_MAXINT, (G_MAXINT - G_GINT64_CONSTANT (1)) * S},
};

static void
test_what_is_left (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (lefts); i++)
    g_assert_cmpint (vod_retry_left (lefts[i].now, lefts[i].since,
                         lefts[i].held, lefts[i].duration),
        ==, lefts[i].left);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/retry/every-kind", test_every_kind_of_error);
  g_test_add_func (
      "/retry/failures", test_failures_do_not_matter_but_for_unknown_codes);
  g_test_add_func ("/retry/foreign", test_foreign_errors_are_final);
  g_test_add_func (
      "/retry/delay/doubles", test_delay_doubles_within_its_jitter);
  g_test_add_func ("/retry/delay/spread", test_delays_are_spread);
  g_test_add_func ("/retry/delay/bounded", test_delay_stays_bounded_for_ever);
  g_test_add_func ("/retry/delay/retry-after", test_retry_after_is_the_least);
  g_test_add_func ("/retry/delay/retry-after/bounded",
      test_retry_after_is_not_believed_beyond_5_minutes);
  g_test_add_func ("/retry/left", test_what_is_left);
  return g_test_run ();
}
