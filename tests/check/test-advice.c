/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every failure says what to do about it: by its own words, or by the advice that
 * follows them.
 */
#include <string.h>

#include "gstvodadvice.h"

static const struct {
  VodErrorCode code;
  VodPhase phase;
  gint64 number;
  const gchar *error_code;
  const gchar *message;
  const gchar *advice; /* a part of it; NULL: there is none */
} failures[] = {
    {VOD_ERROR_NETWORK, VOD_PHASE_PART, 0, NULL, "x", "retry-duration"},
    {VOD_ERROR_NETWORK, VOD_PHASE_SIGNATURE, 0, NULL, "x", "signature-url"},
    {VOD_ERROR_NETWORK, VOD_PHASE_COVER, 0, NULL, "x", NULL},
    {VOD_ERROR_NETWORK, VOD_PHASE_REPORT, 0, NULL, "x", NULL},
    {VOD_ERROR_TLS, VOD_PHASE_APPLY, 0, NULL, "h: its certificate has expired",
        "this machine's clock"},
    {VOD_ERROR_TLS, VOD_PHASE_APPLY, 0, NULL,
        "h: x (tls-ca-file names others to trust)", NULL},
    {VOD_ERROR_HTTP, VOD_PHASE_SIGNATURE, 0, NULL, "x", "signature-headers"},
    {VOD_ERROR_HTTP, VOD_PHASE_COMMIT, 0, NULL, "x", "proxy or a firewall"},
    {VOD_ERROR_SERVICE, VOD_PHASE_APPLY, 10004, NULL, "x", "secret id"},
    {VOD_ERROR_SERVICE, VOD_PHASE_APPLY, 10010, NULL, "x", "fresh one"},
    {VOD_ERROR_SERVICE, VOD_PHASE_APPLY, 4711, NULL, "x", "documentation"},
    {VOD_ERROR_SERVICE, VOD_PHASE_SIGNATURE, 10010, NULL, "give one by …",
        NULL},
    {VOD_ERROR_STORAGE, VOD_PHASE_PART, 0, "AccessDenied", "x",
        "storage-endpoint"},
    {VOD_ERROR_STORAGE, VOD_PHASE_PART, 0, "Strange", "x", "documentation"},
    {VOD_ERROR_STORAGE, VOD_PHASE_PART, 0, NULL, "x", "documentation"},
    {VOD_ERROR_PROTOCOL, VOD_PHASE_APPLY, 0, NULL, "x", "it is the service"},
    {VOD_ERROR_INTEGRITY, VOD_PHASE_COMPLETE, 0, NULL, "x", "changes bytes"},
    {VOD_ERROR_PARAMETER, VOD_PHASE_APPLY, 0, NULL, "set media-name", NULL},
    {VOD_ERROR_CANCELLED, VOD_PHASE_PART, 0, NULL, "cancelled", NULL},
};

static void
test_every_failure_has_its_advice (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (failures); i++) {
    g_autoptr (GError) error =
        vod_error_new (failures[i].code, "%s", failures[i].message);
    VodErrorDetails *details = vod_error_details (error);
    const gchar *advice;

    details->phase = failures[i].phase;
    details->number = failures[i].number;
    details->error_code = g_strdup (failures[i].error_code);
    advice = gst_vod_advice (error);
    if (failures[i].advice == NULL) {
      g_assert_null (advice);
    } else {
      g_assert_nonnull (advice);
      g_assert_nonnull (strstr (advice, failures[i].advice));
    }
  }
}

static void
test_advice_follows_the_message (void)
{
  g_autoptr (GError) error = vod_error_new (VOD_ERROR_NETWORK, "it is gone");
  g_autoptr (GError) advised = NULL;
  g_autofree gchar *expected = NULL;

  vod_error_details (error)->phase = VOD_PHASE_PART;
  vod_error_details (error)->request_id = g_strdup ("r1");
  advised = gst_vod_advise (error);
  expected = g_strdup_printf ("it is gone; %s", gst_vod_advice (error));
  g_assert_cmpstr (advised->message, ==, expected);
  g_assert_cmpstr (error->message, ==, "it is gone");
  g_assert_cmpstr (vod_error_details (advised)->request_id, ==, "r1");
  g_assert_cmpint (vod_error_details (advised)->phase, ==, VOD_PHASE_PART);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/advice/every-failure-has-its-advice",
      test_every_failure_has_its_advice);
  g_test_add_func (
      "/advice/it-follows-the-message", test_advice_follows_the_message);
  return g_test_run ();
}
