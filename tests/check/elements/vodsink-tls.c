/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodsink and a service that speaks TLS. By itself, because LeakSanitizer
 * crashes where GnuTLS was loaded.
 */
#include "vodsinktest.h"

GST_START_TEST (test_unknown_authority_is_final)
{
  Emulator *tls = emulator_new ("--tls", NULL);
  Rig *rig = rig_new (tls, NULL);
  g_autofree gchar *code = NULL;

  rig_upload (rig);
  code = rig_error_code (rig_wait (rig, "error"));
  fail_unless_equals_string (code, "RESOURCE/NOT_AUTHORIZED");
  fail_unless_equals_int (rig_count (rig, "vodsink-retry"), 0);
  fail_unless_equals_int (emulator_n_sessions (tls), 0);
  rig_free (rig);
  emulator_free (tls);
}

GST_END_TEST;

GST_START_TEST (test_tls_with_its_authority)
{
  Emulator *tls = emulator_new ("--tls", NULL);
  Rig *rig = rig_new (tls, "tls-ca-file", emulator_ca_file (tls), NULL);

  rig_upload (rig);
  rig_assert_uploaded (rig, tls, 0);
  rig_free (rig);
  emulator_free (tls);
}

GST_END_TEST;

static Suite *
vodsink_tls_suite (void)
{
  Suite *suite = suite_create ("vodsink-tls");
  TCase *tc = tcase_create ("tls");

  tcase_add_test (tc, test_unknown_authority_is_final);
  tcase_add_test (tc, test_tls_with_its_authority);
  suite_add_tcase (suite, tc);
  return suite;
}

GST_CHECK_MAIN (vodsink_tls);
