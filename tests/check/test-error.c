/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * voderror: details that travel with the error, and text from strangers.
 */
#include "voderror.h"

#include <string.h>

static void
test_details_travel_with_the_error (void)
{
  g_autoptr (GError) error = vod_error_new (VOD_ERROR_STORAGE, "a %s", "b");
  g_autoptr (GError) copy = NULL;
  VodErrorDetails *details = vod_error_details (error);

  g_assert_cmpint (details->retry_after, ==, -1);
  g_assert_cmpuint (details->http_status, ==, 0);
  g_assert_null (details->error_code);
  details->error_code = g_strdup ("SlowDown");
  details->request_id = g_strdup ("r");
  details->http_status = 503;
  copy = g_error_copy (error);
  g_clear_error (&error);
  details = vod_error_details (copy);
  g_assert_cmpstr (copy->message, ==, "a b");
  g_assert_cmpstr (details->error_code, ==, "SlowDown");
  g_assert_cmpstr (details->request_id, ==, "r");
  g_assert_cmpuint (details->http_status, ==, 503);
}

static void
test_other_domains_have_no_details (void)
{
  g_autoptr (GError) error = g_error_new_literal (G_FILE_ERROR, 0, "x");

  g_assert_null (vod_error_details (error));
  g_assert_null (vod_error_details (NULL));
  vod_error_set_phase (error, VOD_PHASE_PART);
  vod_error_set_phase (NULL, VOD_PHASE_PART);
  vod_error_set (NULL, VOD_ERROR_SEEK, "nobody %d", 1);
  g_assert_cmpint (vod_error_number (error), ==, -5);
}

static void
test_first_phase_stays (void)
{
  g_autoptr (GError) error = vod_error_new (VOD_ERROR_NETWORK, "x");

  vod_error_set_phase (error, VOD_PHASE_SIGNATURE);
  vod_error_set_phase (error, VOD_PHASE_APPLY);
  g_assert_cmpstr (
      vod_phase_name (vod_error_details (error)->phase), ==, "signature");
  g_assert_cmpstr (vod_phase_name (VOD_PHASE_COMMIT), ==, "commit");
}

static void
test_numbers (void)
{
  static const struct {
    VodErrorCode code;
    gint number;
  } table[] = {
      {VOD_ERROR_PARAMETER, -1},
      {VOD_ERROR_NETWORK, -2},
      {VOD_ERROR_TLS, -2},
      {VOD_ERROR_CANCELLED, -3},
      {VOD_ERROR_HTTP, 404},
      {VOD_ERROR_SERVICE, 10004},
      {VOD_ERROR_STORAGE, 404},
      {VOD_ERROR_PROTOCOL, -5},
      {VOD_ERROR_INTEGRITY, -5},
      {VOD_ERROR_SIGNATURE, -1},
      {VOD_ERROR_SEEK, -1},
      {VOD_ERROR_LIMIT, -1},
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    g_autoptr (GError) error = vod_error_new (table[i].code, "x");

    vod_error_details (error)->http_status = 404;
    vod_error_details (error)->number = 10004;
    g_assert_cmpint (vod_error_number (error), ==, table[i].number);
  }
}

static void
test_service_number_out_of_range (void)
{
  g_autoptr (GError) error = vod_error_new (VOD_ERROR_SERVICE, "x");

  vod_error_details (error)->number = G_MAXINT64;
  g_assert_cmpint (vod_error_number (error), ==, G_MAXINT);
}

static void
test_text_from_strangers_becomes_printable (void)
{
  static const struct {
    const gchar *text, *printable;
    gsize max;
  } table[] = {
      {"plain \303\244", "plain \303\244", 100},
      {"a\nb\tc\rd\033[31m", "a b c?d?[31m", 100},
      {"bad \377\376 utf", "bad ?? utf", 100},
      {"cut \303\244", "cut ", 5},
      {"cut \303\244", "cut \303\244", 6},
      {"abcdef", "abc", 3},
      {"\342\200\256evil\302\205\342\200\250", "?evil??", 100},
      {"half \303", "half ?", 100},
      {"", "", 5},
      {"abc", "", 0},
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    g_autofree gchar *result = vod_printable (table[i].text, table[i].max);

    g_assert_cmpstr (result, ==, table[i].printable);
  }
  g_assert_null (vod_printable (NULL, 5));
}

/* A server that repeats what we sent is not quoted with it, not even in part. */
static void
test_secrets_are_not_quoted (void)
{
  static const struct {
    const gchar *text, *quotable;
    gsize max;
  } table[] = {
      {"invalid signature", "invalid signature", 100},
      {"got abcdefghijklmnopqrstuvwx!", "got ...!", 100},
      {"got abcdefghijklmnopqrstuvw!", "got abcdefghijklmnopqrstuvw!", 100},
      {"sign=iln9mctVl8YS/8FYlF4+T5S14p0=, sorry", "..., sorry", 100},
      {"iln9mctVl8YS%2F8FYlF4%2BT5S14p0%3D", "...", 100},
      {"abcdefghijklmnopqrstuvwxyz", "...", 3},
      {"a abcdefghijklmnopqrstuvwxyz", "a ", 2},
      {"no key\n\346\265\213 abc", "no key \346\265\213 abc", 100},
      {"cut \303\244", "cut ", 5},
      {"", "", 5},
  };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++) {
    g_autofree gchar *result = vod_quotable (table[i].text, table[i].max);

    g_assert_cmpstr (result, ==, table[i].quotable);
  }
  g_assert_null (vod_quotable (NULL, 5));
}

static void
test_messages_are_bounded (void)
{
  g_autofree gchar *text = g_strnfill (100000, 'x');
  g_autoptr (GError) error = vod_error_new (VOD_ERROR_HTTP, "%s\n", text);

  g_assert_cmpuint (strlen (error->message), <, 1000);
}

static void
test_any_bytes_stay_bounded_and_valid (void)
{
  for (guint i = 0; i < 5000; i++) {
    gchar bytes[40];
    gsize max = (gsize)g_test_rand_int_range (0, 45);
    g_autofree gchar *result = NULL;

    for (guint k = 0; k < sizeof bytes - 1; k++)
      bytes[k] = (gchar)g_test_rand_int_range (1, 256);
    bytes[sizeof bytes - 1] = 0;
    result = vod_printable (bytes, max);
    g_assert_cmpuint (strlen (result), <=, max);
    g_assert_true (g_utf8_validate (result, -1, NULL));
    g_free (result);
    result = vod_quotable (bytes, max);
    g_assert_cmpuint (strlen (result), <=, max);
    g_assert_true (g_utf8_validate (result, -1, NULL));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/error/details-travel-with-the-error",
      test_details_travel_with_the_error);
  g_test_add_func ("/error/other-domains-have-no-details",
      test_other_domains_have_no_details);
  g_test_add_func ("/error/first-phase-stays", test_first_phase_stays);
  g_test_add_func ("/error/numbers", test_numbers);
  g_test_add_func (
      "/error/service-number-out-of-range", test_service_number_out_of_range);
  g_test_add_func ("/error/text-from-strangers-becomes-printable",
      test_text_from_strangers_becomes_printable);
  g_test_add_func (
      "/error/secrets-are-not-quoted", test_secrets_are_not_quoted);
  g_test_add_func ("/error/messages-are-bounded", test_messages_are_bounded);
  g_test_add_func ("/error/any-bytes-stay-bounded-and-valid",
      test_any_bytes_stay_bounded_and_valid);
  return g_test_run ();
}
