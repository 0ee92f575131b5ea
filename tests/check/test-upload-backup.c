/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One upload, without GStreamer, with two ways to the service: the first is
 * missing, silent, or dies on the way; it comes back.
 */
#include "testowner.h"
#include "testrelay.h"

typedef struct {
  const gchar *first;
  const gchar *backup;
  guint first_again; /* ms; 0: as long as it is without a test */
  guint timeout;     /* s; 0: likewise */
  const gchar *storage;
} Ways;

static void
adjust (VodUploadSettings *settings, gpointer data)
{
  const Ways *ways = data;

  settings->endpoint = (gchar *)ways->first;
  settings->backup_endpoint = (gchar *)ways->backup;
  if (ways->first_again)
    settings->first_again = ways->first_again;
  if (ways->timeout)
    settings->timeout = ways->timeout;
  if (ways->storage) {
    settings->forward = FALSE;
    settings->storage_endpoint = (gchar *)ways->storage;
  }
}

static Owner *
owner_with (Emulator *emulator, Ways ways)
{
  return owner_new_adjusted (emulator, adjust, &ways);
}

static guint
parts_of (Owner *owner)
{
  VodUploadStats stats;

  vod_upload_get_stats (owner->upload, &stats);
  return stats.parts_uploaded;
}

static gboolean
three_parts_are_there (gpointer owner)
{
  return parts_of (owner) >= 3;
}

/* --- the first is not there -----------------------------------------------*/

static void
test_nobody_listens (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_with (
      emulator, (Ways){"http://127.0.0.1:1", emulator_uri (emulator)});

  for (guint i = 0; i < 5; i++)
    g_assert_cmpint (owner_write (owner, MIB), ==, VOD_FLOW_OK);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (owner->retries, ==, 1);
  owner_free (owner);
}

static void
test_nobody_answers (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autoptr (TestRelay) relay =
      test_relay_new (emulator_uri (emulator), TEST_RELAY_SILENT);
  Owner *owner = owner_with (emulator,
      (Ways){test_relay_uri (relay), emulator_uri (emulator), .timeout = 1});

  g_assert_cmpint (owner_write (owner, 3 * MIB), ==, VOD_FLOW_OK);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (owner->retries, ==, 1);
  g_assert_cmpuint (test_relay_accepted (relay), ==, 1);
  owner_free (owner);
}

/* Neither: it ends as always, and both were asked all the time. */
static void
test_neither_is_there (void)
{
  g_autoptr (TestRelay) first =
      test_relay_new ("http://127.0.0.1:1", TEST_RELAY_CUT);
  g_autoptr (TestRelay) backup =
      test_relay_new ("http://127.0.0.1:1", TEST_RELAY_CUT);
  Owner *owner = owner_with (
      NULL, (Ways){test_relay_uri (first), test_relay_uri (backup)});

  vod_upload_set_retry_duration (owner->upload, 2);
  owner_write (owner, 1000);
  vod_upload_finish (owner->upload);
  g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_FAILED);
  g_assert_cmpint (owner->error_code, ==, VOD_ERROR_NETWORK);
  g_assert_cmpuint (test_relay_accepted (first), >=, 2);
  g_assert_cmpuint (test_relay_accepted (backup), >=, 2);
  g_assert_cmpint (ABS ((gint)test_relay_accepted (first) -
                       (gint)test_relay_accepted (backup)),
      <=, 1);
  owner_free (owner);
}

static void
test_no_retry_no_backup (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Owner *owner = owner_with (
      emulator, (Ways){"http://127.0.0.1:1", emulator_uri (emulator)});

  vod_upload_set_retry_duration (owner->upload, 0);
  owner_write (owner, 1000);
  vod_upload_finish (owner->upload);
  g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_FAILED);
  g_assert_cmpint (owner->error_code, ==, VOD_ERROR_NETWORK);
  g_assert_cmpuint (emulator_count (emulator, "ApplyUploadUGC", -1), ==, 0);
  owner_free (owner);
}

/* One that answers is there, whatever it says. */
static void
test_an_answer_is_no_reason (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autoptr (TestRelay) backup =
      test_relay_new (emulator_uri (emulator), TEST_RELAY_OPEN);
  Owner *owner = owner_with (
      emulator, (Ways){emulator_uri (emulator), test_relay_uri (backup)});

  emulator_add_faults (emulator,
      "[{\"op\":\"ApplyUploadUGC\",\"status\":502,\"times\":2},"
      "{\"op\":\"InitiateMultipartUpload\",\"garbage\":\"html\",\"times\":1},"
      "{\"op\":\"UploadPart\",\"part\":1,\"status\":503,\"times\":2},"
      "{\"op\":\"UploadPart\",\"part\":2,\"wrong-crc\":true,\"times\":1}]");
  g_assert_cmpint (owner_write (owner, 3 * MIB), ==, VOD_FLOW_OK);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (owner->retries, ==, 6);
  g_assert_cmpuint (test_relay_accepted (backup), ==, 0);
  owner_free (owner);
}

/* --- TLS ------------------------------------------------------------------*/

static void
test_one_that_is_not_trusted (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autoptr (Emulator) stranger = emulator_new ("--tls", NULL);
  Owner *owner = owner_with (
      emulator, (Ways){emulator_uri (stranger), emulator_uri (emulator)});

  g_assert_cmpint (owner_write (owner, 3 * MIB), ==, VOD_FLOW_OK);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (owner->retries, ==, 1);
  g_assert_cmpuint (emulator_n_sessions (stranger), ==, 0);
  owner_free (owner);
}

static void
test_both_are_not_trusted (void)
{
  g_autoptr (Emulator) stranger = emulator_new ("--tls", NULL);
  g_autoptr (Emulator) another = emulator_new ("--tls", NULL);
  Owner *owner = owner_with (
      NULL, (Ways){emulator_uri (stranger), emulator_uri (another)});

  owner_write (owner, 1000);
  vod_upload_finish (owner->upload);
  g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_FAILED);
  g_assert_cmpint (owner->error_code, ==, VOD_ERROR_TLS);
  g_assert_cmpuint (owner->retries, ==, 1);
  owner_free (owner);
}

/* --- it dies on the way ---------------------------------------------------*/

static void
test_it_dies (gconstpointer data)
{
  TestRelayMode mode = GPOINTER_TO_INT (data);
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autoptr (TestRelay) relay =
      test_relay_new (emulator_uri (emulator), TEST_RELAY_OPEN);
  Owner *owner = owner_with (emulator,
      (Ways){test_relay_uri (relay), emulator_uri (emulator), .timeout = 1});

  g_assert_cmpint (owner_write (owner, 3 * MIB), ==, VOD_FLOW_OK);
  g_assert_true (test_wait_until (three_parts_are_there, owner, 10));
  g_assert_cmpuint (test_relay_bytes (relay), >, 3 * MIB);
  test_relay_set_mode (relay, mode);
  for (guint i = 0; i < 6; i++)
    g_assert_cmpint (owner_write (owner, MIB), ==, VOD_FLOW_OK);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (emulator_n_media (emulator), ==, 1);
  /* Those under way, no more. */
  g_assert_cmpuint (owner->retries, >=, 1);
  g_assert_cmpuint (owner->retries, <=, 3);
  owner_free (owner);
}

/* Without forwarding the storage has an address of its own: only what goes to
 * the endpoint changes over. */
static void
test_it_dies_before_commit_without_forwarding (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autoptr (TestRelay) first =
      test_relay_new (emulator_uri (emulator), TEST_RELAY_OPEN);
  g_autoptr (TestRelay) backup =
      test_relay_new (emulator_uri (emulator), TEST_RELAY_OPEN);
  Owner *owner = owner_with (emulator,
      (Ways){test_relay_uri (first), test_relay_uri (backup),
          .storage = emulator_uri (emulator)});

  g_assert_cmpint (owner_write (owner, 3 * MIB), ==, VOD_FLOW_OK);
  g_assert_true (test_wait_until (three_parts_are_there, owner, 10));
  g_assert_cmpuint (test_relay_accepted (backup), ==, 0);
  test_relay_set_mode (first, TEST_RELAY_CUT);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (owner->retries, ==, 1);
  g_assert_cmpuint (test_relay_accepted (backup), ==, 1);
  g_assert_cmpuint (test_relay_bytes (first), <, MIB);
  g_assert_cmpuint (test_relay_bytes (backup), <, MIB);
  owner_free (owner);
}

static gboolean
something_failed (gpointer data)
{
  Owner *owner = data;
  gboolean failed;

  g_mutex_lock (&owner->lock);
  failed = owner->retries > 0;
  g_mutex_unlock (&owner->lock);
  return failed;
}

/* A storage that cannot be reached is not the endpoint's fault: Commit goes
 * where Apply went. */
static void
test_storage_of_its_own_is_gone (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autoptr (TestRelay) backup =
      test_relay_new (emulator_uri (emulator), TEST_RELAY_OPEN);
  g_autoptr (TestRelay) storage =
      test_relay_new (emulator_uri (emulator), TEST_RELAY_SILENT);
  Owner *owner = owner_with (emulator,
      (Ways){emulator_uri (emulator), test_relay_uri (backup), .timeout = 1,
          .storage = test_relay_uri (storage)});

  g_assert_cmpint (owner_write (owner, 3 * MIB), ==, VOD_FLOW_OK);
  g_assert_true (test_wait_until (something_failed, owner, 10));
  test_relay_set_mode (storage, TEST_RELAY_OPEN);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (test_relay_accepted (backup), ==, 0);
  owner_free (owner);
}

/* --- it comes back --------------------------------------------------------*/

static gboolean
a_part_is_there (gpointer owner)
{
  return parts_of (owner) >= 1;
}

/* Media comes in while the first is gone: it is tried after 0.1, 0.2, 0.4,
 * 0.8 … s, by one part each, and that is no failure of the upload, of which it
 * would be the end. Then it is back. */
static void
test_the_first_is_taken_again (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autoptr (TestRelay) relay =
      test_relay_new (emulator_uri (emulator), TEST_RELAY_CUT);
  Owner *owner = owner_with (emulator,
      (Ways){
          test_relay_uri (relay), emulator_uri (emulator), .first_again = 100});
  gint64 begin, end;
  guint tried;

  g_assert_cmpint (owner_write (owner, MIB), ==, VOD_FLOW_OK);
  g_assert_true (test_wait_until (a_part_is_there, owner, 10));
  vod_upload_set_retry_duration (owner->upload, 0);
  emulator_add_faults (emulator, "{\"op\":\"UploadPart\",\"delay\":30}");
  begin = g_get_monotonic_time ();
  while (g_get_monotonic_time () - begin < 3 * G_USEC_PER_SEC)
    g_assert_cmpint (owner_write (owner, MIB), ==, VOD_FLOW_OK);
  /* libsoup may try each on a new connection. */
  tried = test_relay_accepted (relay);
  g_assert_cmpuint (tried, >=, 3);
  g_assert_cmpuint (tried, <=, 16);
  g_assert_cmpuint (parts_of (owner), >, 8);
  g_assert_cmpuint (test_relay_bytes (relay), ==, 0);

  test_relay_set_mode (relay, TEST_RELAY_OPEN);
  end = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;
  while (test_relay_bytes (relay) < 5 * MIB) {
    g_assert_cmpint (g_get_monotonic_time (), <, end);
    g_assert_cmpint (owner_write (owner, MIB), ==, VOD_FLOW_OK);
  }
  owner_assert_finished (owner, 0);
  owner_free (owner);
}

/* What is left at the end of the stream does not wait for a probe. */
static void
test_no_probe_at_the_end (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autoptr (TestRelay) relay =
      test_relay_new (emulator_uri (emulator), TEST_RELAY_CUT);
  Owner *owner = owner_with (emulator,
      (Ways){
          test_relay_uri (relay), emulator_uri (emulator), .first_again = 1});
  guint tried;

  g_assert_cmpint (owner_write (owner, MIB), ==, VOD_FLOW_OK);
  g_assert_true (test_wait_until (a_part_is_there, owner, 10));
  vod_upload_set_paused (owner->upload, TRUE);
  g_assert_cmpint (owner_write (owner, 3 * MIB), ==, VOD_FLOW_OK);
  vod_upload_finish (owner->upload);
  tried = test_relay_accepted (relay);
  vod_upload_set_paused (owner->upload, FALSE);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (test_relay_accepted (relay), ==, tried);
  owner_free (owner);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/upload/backup/nobody-listens", test_nobody_listens);
  g_test_add_func ("/upload/backup/nobody-answers", test_nobody_answers);
  g_test_add_func ("/upload/backup/neither", test_neither_is_there);
  g_test_add_func ("/upload/backup/no-retry", test_no_retry_no_backup);
  g_test_add_func ("/upload/backup/answers", test_an_answer_is_no_reason);
  g_test_add_func ("/upload/backup/untrusted", test_one_that_is_not_trusted);
  g_test_add_func ("/upload/backup/both-untrusted", test_both_are_not_trusted);
  g_test_add_data_func (
      "/upload/backup/cut", GINT_TO_POINTER (TEST_RELAY_CUT), test_it_dies);
  g_test_add_data_func ("/upload/backup/falls-silent",
      GINT_TO_POINTER (TEST_RELAY_SILENT), test_it_dies);
  g_test_add_func ("/upload/backup/commit-alone",
      test_it_dies_before_commit_without_forwarding);
  g_test_add_func (
      "/upload/backup/not-the-storage", test_storage_of_its_own_is_gone);
  g_test_add_func ("/upload/backup/comes-back", test_the_first_is_taken_again);
  g_test_add_func ("/upload/backup/end", test_no_probe_at_the_end);
  return g_test_run ();
}
