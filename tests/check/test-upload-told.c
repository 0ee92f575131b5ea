/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What there is on this machine when the owner hears that the media is
 * committed, and after that: who is killed before that was taken in can hear it
 * again.
 */
#include "testruns.h"

#define WHOLE (6 * MIB)

typedef struct {
  Runs *runs;
  gchar *session, *media; /* what the files were then */
  gsize session_len, media_len;
} Killed;

/* What a kill -9 in the owner's hands would leave. */
static void
look_at_files (gpointer data)
{
  Killed *killed = data;

  g_assert_true (g_file_get_contents (
      killed->runs->session, &killed->session, &killed->session_len, NULL));
  if (killed->runs->spool)
    g_assert_true (g_file_get_contents (
        killed->runs->media, &killed->media, &killed->media_len, NULL));
}

static void
put_back (const gchar *path, const gchar *bytes, gsize len)
{
  g_assert_true (g_file_set_contents_full (
      path, bytes, len, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
}

/* The owner has not taken it in: another run says the same once more. */
static void
test_killed_when_told (gconstpointer data)
{
  g_autofree guint8 *bytes = runs_media (WHOLE);
  g_autofree gchar *file_id = NULL;
  Runs runs;
  Killed killed = {.runs = &runs};
  Owner *owner;

  runs_init (&runs, NULL);
  runs.resume_key = "camera";
  runs.spool = GPOINTER_TO_INT (data);
  owner = runs_begin (&runs);
  owner->at_finish = look_at_files;
  owner->at_finish_data = &killed;
  runs_give (owner, bytes, WHOLE);
  runs_commit (owner);
  g_assert_cmpuint (runs_count_files (&runs, ""), ==, 0);
  file_id = g_strdup (owner->file_id);
  owner_free (owner);

  put_back (runs.session, killed.session, killed.session_len);
  if (killed.media)
    put_back (runs.media, killed.media, killed.media_len);
  owner = runs_begin (&runs);
  runs_give (owner, bytes, WHOLE);
  runs_commit (owner);
  g_assert_cmpstr (owner->file_id, ==, file_id);
  g_assert_cmpuint (emulator_n_media (runs.emulator), ==, 1);
  g_assert_cmpuint (emulator_count (runs.emulator, "UploadPart", 200), ==, 6);
  owner_free (owner);
  g_assert_cmpuint (runs_count_files (&runs, ""), ==, 0);
  g_free (killed.session);
  g_free (killed.media);
  runs_clear (&runs);
}

/* The copy that is kept has its name when the owner hears it. */
static void
look_at_copy (gpointer data)
{
  Owner *owner = data;

  g_assert_true (g_file_test (owner->kept_spool, G_FILE_TEST_EXISTS));
}

static void
test_a_kept_spool_is_there_when_told (void)
{
  g_autofree guint8 *bytes = runs_media (WHOLE);
  Owner *owner;
  Runs runs;

  runs_init (&runs, NULL);
  runs.resume_key = "camera";
  runs.spool = runs.keep_spool = TRUE;
  owner = runs_begin (&runs);
  owner->at_finish = look_at_copy;
  runs_give (owner, bytes, WHOLE);
  runs_commit (owner);
  g_assert_cmpuint (owner->finished, ==, 1);
  owner_free (owner);
  g_assert_cmpuint (runs_count_files (&runs, ""), ==, 1);
  runs_clear (&runs);
}

/* Stopped before it is told to the end: the next one of that media begins. */
static void
stop_meanwhile (gpointer data)
{
  Owner *owner = data;

  vod_upload_stop (owner->upload, FALSE);
}

static void
test_stopped_when_told (gconstpointer data)
{
  g_autofree guint8 *bytes = runs_media (WHOLE);
  Owner *owner;
  Runs runs;

  runs_init (&runs, NULL);
  runs.resume_key = "camera";
  runs.spool = TRUE;
  runs.keep_spool = GPOINTER_TO_INT (data);
  owner = runs_begin (&runs);
  owner->at_finish = stop_meanwhile;
  runs_give (owner, bytes, WHOLE);
  runs_finish (owner);
  g_assert_cmpuint (owner->finished, ==, 1);
  if (runs.keep_spool)
    runs_assert_file (owner->kept_spool, bytes, WHOLE);
  owner_free (owner);
  g_assert_cmpuint (runs_count_files (&runs, ""), ==, runs.keep_spool);
  runs_clear (&runs);
}

/* What a failure decides is not undone by who stops when he hears it: nobody goes
 * on where that was cancelled, or would fail again. */
static void
test_stopped_when_it_failed (gconstpointer data)
{
  g_autofree guint8 *bytes = runs_media (WHOLE);
  gint code = GPOINTER_TO_INT (data);
  GError *error = NULL;
  Owner *owner;
  Runs runs;

  runs_init (&runs, NULL);
  runs.resume_key = "camera";
  runs.spool = TRUE;
  owner = runs_begin (&runs);
  owner->at_failure = stop_meanwhile;
  runs_give (owner, bytes, WHOLE);
  g_assert_true (emulator_wait_count (runs.emulator, "UploadPart", 200, 2));
  vod_error_set (&error, code, "given up");
  vod_upload_fail (owner->upload, error);
  g_assert_cmpuint (owner->failed, ==, 1);
  g_assert_false (owner->resumable);
  g_assert_true (
      emulator_wait_count (runs.emulator, "AbortMultipartUpload", 204, 1));
  owner_free (owner);
  /* The bytes are its owner's; what was cancelled is nobody else's affair. */
  g_assert_cmpuint (runs_count_files (&runs, ".media"), ==, 1);
  g_assert_cmpuint (runs_count_files (&runs, ".session"), ==,
      code == VOD_ERROR_CANCELLED ? 0 : 1);
  runs_clear (&runs);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func (
      "/told/killed/session", GINT_TO_POINTER (FALSE), test_killed_when_told);
  g_test_add_data_func (
      "/told/killed/spool", GINT_TO_POINTER (TRUE), test_killed_when_told);
  g_test_add_data_func (
      "/told/stopped/spool", GINT_TO_POINTER (FALSE), test_stopped_when_told);
  g_test_add_data_func (
      "/told/stopped/kept", GINT_TO_POINTER (TRUE), test_stopped_when_told);
  g_test_add_data_func ("/told/stopped/cancelled",
      GINT_TO_POINTER (VOD_ERROR_CANCELLED), test_stopped_when_it_failed);
  g_test_add_data_func ("/told/stopped/unreadable",
      GINT_TO_POINTER (VOD_ERROR_READ), test_stopped_when_it_failed);
  g_test_add_func ("/told/kept_spool", test_a_kept_spool_is_there_when_told);
  return g_test_run ();
}
