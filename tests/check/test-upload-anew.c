/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What must not be lost, mixed up or waited for in vain when an upload has to
 * begin anew or its spool has failed: the media at the service is that of this
 * run or there is none, and an earlier recording stays.
 */
#include "testruns.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "upload/vodsession.h"

/* --- the disk -------------------------------------------------------------*/

/* What the disk does to spools. Other files are as always. */
static struct {
  gint syncs_fail; /* all of them; … */
  gint sync_fails; /* … the next one, once: so the kernel tells of an error */
  gint syncs;      /* of spools, so far */
  GMutex lock;     /* of what follows */
  GCond cond;
  GThread *hold; /* syncs of any other thread wait; NULL: none does */
  guint held;    /* so many do */
  gint copied;   /* pieces of a spool that was parted from */
  void (*at_copy) (gpointer data);
  gpointer data;
} disk;

static gboolean
has_name (int fd, const gchar *end)
{
  g_autofree gchar *link = g_strdup_printf ("/proc/self/fd/%d", fd);
  g_autofree gchar *path = g_file_read_link (link, NULL);

  return path && g_str_has_suffix (path, end);
}

static void
hold_syncs (gboolean hold)
{
  g_mutex_lock (&disk.lock);
  disk.hold = hold ? g_thread_self () : NULL;
  g_cond_broadcast (&disk.cond);
  g_mutex_unlock (&disk.lock);
}

static void
wait_for_held_sync (void)
{
  g_mutex_lock (&disk.lock);
  while (disk.held == 0)
    g_cond_wait (&disk.cond, &disk.lock);
  g_mutex_unlock (&disk.lock);
}

static void
wait_while_held (void)
{
  g_mutex_lock (&disk.lock);
  disk.held++;
  g_cond_broadcast (&disk.cond);
  while (disk.hold && disk.hold != g_thread_self ())
    g_cond_wait (&disk.cond, &disk.lock);
  disk.held--;
  g_mutex_unlock (&disk.lock);
}

int
fdatasync (int fd)
{
  if (has_name (fd, ".media")) {
    g_atomic_int_inc (&disk.syncs);
    wait_while_held ();
    if (g_atomic_int_compare_and_exchange (&disk.sync_fails, TRUE, FALSE) ||
        g_atomic_int_get (&disk.syncs_fail)) {
      errno = EIO;
      return -1;
    }
  }
  return (int)syscall (SYS_fdatasync, fd);
}

ssize_t
pwrite (int fd, const void *bytes, size_t len, off_t offset)
{
  struct iovec piece = {(void *)bytes, len};

  if (disk.at_copy && has_name (fd, ".media.new")) {
    disk.copied++;
    disk.at_copy (disk.data);
  }
  return pwritev (fd, &piece, 1, offset);
}

/* Most bytes in a file that this program writes; 0: no limit. */
static void
limit_files (guint64 bytes)
{
  struct rlimit limit;

  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &limit), ==, 0);
  limit.rlim_cur = bytes ? bytes : limit.rlim_max;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
}

/* --- runs -----------------------------------------------------------------*/

/* As the element does it with fatal-errors=false. */
static void
give_or_record (Owner *owner, const guint8 *bytes, gsize len, gsize piece)
{
  for (gsize done = 0; done < len; done += piece) {
    gsize n = MIN (piece, len - done), taken;
    VodFlow flow = vod_upload_write (owner->upload, bytes + done, n, &taken);

    if (flow == VOD_FLOW_FAILED)
      vod_upload_record (owner->upload, bytes + done + taken, n - taken);
    else
      g_assert_cmpint (flow, ==, VOD_FLOW_OK);
  }
}

/* Only one media, which is that; nothing is left of it. */
static void
assert_only_media (const Runs *runs, const guint8 *bytes, gsize len)
{
  g_assert_cmpuint (emulator_n_media (runs->emulator), ==, 1);
  g_assert_true (emulator_media_is (runs->emulator, 0, bytes, len));
  g_assert_cmpuint (emulator_n_uploads (runs->emulator), ==, 0);
}

static void
assert_no_files (const Runs *runs)
{
  g_autofree gchar *files = runs_list_files (runs);

  g_assert_cmpstr (files, ==, "");
}

static void
assert_file_is (
    const Runs *runs, const gchar *suffix, const guint8 *bytes, gsize len)
{
  g_autofree gchar *path = runs_path (runs, suffix);
  g_autofree gchar *text = NULL;
  g_autoptr (GError) error = NULL;
  gsize size;

  g_file_get_contents (path, &text, &size, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (size, ==, len);
  g_assert_true (memcmp (text, bytes, len) == 0);
}

/* The session says that so many bytes are all. */
static void
assert_recorded (const Runs *runs, guint64 size)
{
  VodSession *session = vod_session_open (runs->dir, RUNS_KEY, NULL);
  const VodSessionState *found = vod_session_found (session);

  g_assert_nonnull (found);
  g_assert_true (found->eos);
  g_assert_cmpuint (found->size, ==, size);
  vod_session_close (session);
}

/* The session says nothing of a whole recording. */
static void
assert_not_recorded (const Runs *runs)
{
  VodSession *session = vod_session_open (runs->dir, RUNS_KEY, NULL);
  const VodSessionState *found = vod_session_found (session);

  g_assert_false (found && found->eos);
  vod_session_close (session);
}

/* How often the owner was warned of the spool. */
static guint
count_spool_warnings (const Owner *owner)
{
  g_auto (GStrv) words = g_strsplit (owner->story->str, " ", -1);
  guint n = 0;

  for (guint i = 0; words[i]; i++)
    n += strcmp (words[i], "spool") == 0;
  return n;
}

/* A recording that got no further than this machine. */
static void
leave_recording (Runs *runs, const guint8 *bytes, gsize len)
{
  Owner *owner = runs_begin (runs);

  emulator_add_faults (
      runs->emulator, "{\"op\":\"ApplyUploadUGC\",\"stall\":true}");
  g_assert_cmpint (runs_give (owner, bytes, len), ==, VOD_FLOW_OK);
  owner_free (owner);
  emulator_clear_faults (runs->emulator);
  assert_file_is (runs, "media", bytes, len);
}

/* A run that is over when @op is reached, which is never answered. */
static void
stop_at (Runs *runs, const gchar *fault, const guint8 *bytes, gsize len)
{
  Owner *owner = runs_begin (runs);
  guint hits = emulator_hits (runs->emulator);

  emulator_add_faults (runs->emulator, fault);
  g_assert_cmpint (runs_give (owner, bytes, len), ==, VOD_FLOW_OK);
  vod_upload_finish (owner->upload);
  g_assert_true (emulator_wait_hits (runs->emulator, hits + 1));
  owner_free (owner);
  emulator_clear_faults (runs->emulator);
}

/* --- recording after a failure --------------------------------------------*/

#define REFUSED                                                                \
  "{\"op\":\"ApplyUploadUGC\",\"json\":{\"code\":10004,"                       \
  "\"message\":\"invalid signature\"}}"

/* The upload fails after the first bytes; the recording goes on to its end. */
static Owner *
record_without_upload (Runs *runs, const guint8 *bytes, gsize len)
{
  Owner *owner = runs_begin (runs);

  emulator_add_faults (runs->emulator, REFUSED);
  give_or_record (owner, bytes, 60000, 5000);
  owner_wait_state (owner, "failed");
  give_or_record (owner, bytes + 60000, len - 60000, 5000);
  g_assert_cmpint (runs_finish (owner), ==, VOD_FLOW_FAILED);
  vod_upload_finish_record (owner->upload);
  g_assert_cmpint (owner->number, ==, 10004);
  emulator_clear_faults (runs->emulator);
  return owner;
}

static void
test_recording_goes_on (void)
{
  gsize len = 5 * MIB + 11;
  g_autofree guint8 *bytes = runs_media (len);
  g_autofree gchar *story = NULL;
  Runs runs;

  runs_init (&runs, NULL);
  runs.spool = TRUE;
  owner_free (record_without_upload (&runs, bytes, len));
  assert_file_is (&runs, "media", bytes, len);
  assert_recorded (&runs, len);
  /* Another run has all of it. */
  story = runs_whole (&runs, bytes, len, NULL);
  g_assert_null (strstr (story, "recovered"));
  assert_no_files (&runs);
  runs_clear (&runs);
}

/* @old: bytes of an older recording, another from @differs on. */
static void
record_over (gsize old, gsize differs, gsize len)
{
  g_autofree guint8 *before = runs_other_media (old, differs);
  g_autofree guint8 *bytes = runs_media (len);
  g_autofree gchar *set_aside = NULL;
  Owner *owner;
  Runs runs;

  runs_init (&runs, NULL);
  runs.spool = TRUE;
  leave_recording (&runs, before, old);
  owner = record_without_upload (&runs, bytes, len);
  set_aside = runs_path (&runs, "1.media");
  g_assert_cmpstr (owner->recovered, ==, set_aside);
  owner_free (owner);
  assert_file_is (&runs, "1.media", before, old);
  assert_file_is (&runs, "media", bytes, len);
  assert_recorded (&runs, len);
  runs_clear (&runs);
}

static void
test_recording_over_an_older_one (void)
{
  record_over (3 * MIB, MIB + 7, 4 * MIB);
  record_over (4 * MIB, MIB + 7, 3 * MIB);
  /* A longer one that begins in the same way. */
  record_over (4 * MIB, 4 * MIB, 3 * MIB);
}

static void
test_recording_that_fails_too (void)
{
  gsize len = 5 * MIB;
  g_autofree guint8 *bytes = runs_media (len);
  g_autofree gchar *path = NULL;
  Owner *owner;
  Runs runs;

  runs_init (&runs, NULL);
  runs.spool = TRUE;
  limit_files (2 * MIB + 333);
  owner = record_without_upload (&runs, bytes, len);
  limit_files (0);
  g_assert_nonnull (strstr (owner->story->str, "spool"));
  owner_free (owner);
  /* What there is has not the name of a whole recording. */
  path = runs_path (&runs, "media");
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  assert_file_is (&runs, "1.media", bytes, 2 * MIB + 333);
  runs_clear (&runs);
}

/* The kernel tells once that it has lost something; later syncs go well. */
static void
test_recording_that_the_disk_loses (void)
{
  gsize first = 60000, len = 20 * MIB;
  g_autofree guint8 *bytes = runs_media (len);
  Owner *owner;
  Runs runs;

  runs_init (&runs, NULL);
  runs.spool = TRUE;
  owner = runs_begin (&runs);
  emulator_add_faults (runs.emulator, REFUSED);
  give_or_record (owner, bytes, first, 5000);
  owner_wait_state (owner, "failed");
  g_atomic_int_set (&disk.sync_fails, TRUE);
  give_or_record (owner, bytes + first, len - first, 60000);
  g_assert_false (g_atomic_int_get (&disk.sync_fails));
  g_assert_cmpint (runs_finish (owner), ==, VOD_FLOW_FAILED);
  vod_upload_finish_record (owner->upload);
  g_assert_cmpuint (count_spool_warnings (owner), ==, 1);
  owner_free (owner);
  g_assert_false (g_file_test (runs.media, G_FILE_TEST_EXISTS));
  assert_not_recorded (&runs);
  runs_clear (&runs);
}

/* … at the end of the stream. */
static void
test_recording_that_the_disk_loses_at_its_end (void)
{
  gsize len = 3 * MIB;
  g_autofree guint8 *bytes = runs_media (len);
  Owner *owner;
  Runs runs;

  runs_init (&runs, NULL);
  runs.spool = TRUE;
  owner = runs_begin (&runs);
  emulator_add_faults (runs.emulator, REFUSED);
  give_or_record (owner, bytes, 60000, 5000);
  owner_wait_state (owner, "failed");
  give_or_record (owner, bytes + 60000, len - 60000, 60000);
  g_assert_cmpint (runs_finish (owner), ==, VOD_FLOW_FAILED);
  g_atomic_int_set (&disk.sync_fails, TRUE);
  vod_upload_finish_record (owner->upload);
  g_assert_false (g_atomic_int_get (&disk.sync_fails));
  vod_upload_finish_record (owner->upload);
  g_assert_cmpuint (count_spool_warnings (owner), ==, 1);
  owner_free (owner);
  assert_not_recorded (&runs);
  runs_clear (&runs);
}

static gboolean
is_quiet (gpointer data)
{
  return vod_upload_is_quiet (data);
}

static gboolean
has_synced (gpointer data)
{
  return g_atomic_int_get (&disk.syncs) >= GPOINTER_TO_INT (data);
}

static void
fail_once (gpointer data)
{
  Owner *owner = *(Owner **)data;
  GError *error = vod_error_new (VOD_ERROR_SERVICE, "It is over");

  vod_error_set_phase (error, VOD_PHASE_APPLY);
  vod_upload_fail (owner->upload, error);
}

/* The upload fails while a sync is under way, which then fails too. */
static Owner *
fail_before_sync (Runs *runs, const guint8 *bytes, gsize len)
{
  Owner *owner = runs_begin (runs);

  emulator_add_faults (runs->emulator, REFUSED);
  hold_syncs (TRUE);
  give_or_record (owner, bytes, len, 5000);
  wait_for_held_sync ();
  owner_wait_state (owner, "failed");
  g_atomic_int_set (&disk.sync_fails, TRUE);
  hold_syncs (FALSE);
  g_assert_true (test_wait_until (is_quiet, owner->upload, 20));
  emulator_clear_faults (runs->emulator);
  return owner;
}

/* The sync fails, and then the upload, before anybody has heard of that. */
static Owner *
fail_after_sync (Runs *runs, const guint8 *bytes, gsize len)
{
  Owner *owner = runs_begin (runs);
  gsize taken;

  emulator_add_faults (
      runs->emulator, "{\"op\":\"ApplyUploadUGC\",\"stall\":true}");
  g_atomic_int_set (&disk.syncs, 0);
  g_atomic_int_set (&disk.sync_fails, TRUE);
  g_assert_cmpint (
      vod_upload_write (owner->upload, bytes, len, &taken), ==, VOD_FLOW_OK);
  g_assert_true (test_wait_until (has_synced, GINT_TO_POINTER (1), 20));
  fail_once (&owner);
  emulator_clear_faults (runs->emulator);
  return owner;
}

typedef Owner *(*FailWithSync) (Runs *runs, const guint8 *bytes, gsize len);

/* @more: it goes on after that, else it comes to its end. */
static void
end_recording (FailWithSync fail, gboolean more)
{
  gsize first = 20000, len = MIB;
  g_autofree guint8 *bytes = runs_media (len);
  g_autofree gchar *left = NULL;
  Owner *owner;
  Runs runs;

  runs_init (&runs, NULL);
  runs.spool = TRUE;
  left = runs_path (&runs, "1.media");
  owner = fail (&runs, bytes, first);
  g_assert_cmpstr (owner->spool_location, ==, runs.media);
  if (more)
    give_or_record (owner, bytes + first, len - first, 60000);
  g_assert_cmpint (runs_finish (owner), ==, VOD_FLOW_FAILED);
  vod_upload_finish_record (owner->upload);
  g_assert_cmpuint (count_spool_warnings (owner), ==, 1);
  g_assert_cmpstr (owner->warned_location, ==, left);
  owner_free (owner);
  g_assert_false (g_file_test (runs.media, G_FILE_TEST_EXISTS));
  assert_file_is (&runs, "1.media", bytes, first);
  assert_not_recorded (&runs);
  runs_clear (&runs);
}

static void
test_recording_that_a_late_sync_ends (void)
{
  end_recording (fail_before_sync, TRUE);
  end_recording (fail_before_sync, FALSE);
}

static void
test_recording_that_an_early_sync_ends (void)
{
  end_recording (fail_after_sync, TRUE);
  end_recording (fail_after_sync, FALSE);
}

/* Nobody goes on with it: what the disk has lost is not taken for certain, though
 * the machine has not gone down. */
static void
test_a_failed_sync_leaves_a_doubt (void)
{
  g_autofree guint8 *bytes = runs_media (20000);
  const VodSessionState *found;
  VodSession *session;
  Owner *owner;
  Runs runs;

  runs_init (&runs, NULL);
  runs.spool = TRUE;
  owner = fail_after_sync (&runs, bytes, 20000);
  g_assert_true (test_wait_until (is_quiet, owner->upload, 20));
  owner_free (owner);
  assert_file_is (&runs, "media", bytes, 20000);
  session = vod_session_open (runs.dir, RUNS_KEY, NULL);
  found = vod_session_found (session);
  g_assert_nonnull (found);
  g_assert_cmpuint (found->synced, ==, 0);
  g_assert_false (found->same_boot);
  vod_session_close (session);
  runs_clear (&runs);
}

/* … of an older recording, as which the stream begins: that stays what it is. */
static void
test_recording_that_a_sync_of_an_older_one_ends (void)
{
  gsize first = 20000, len = 2 * MIB;
  g_autofree guint8 *bytes = runs_media (len);
  VodSession *session;
  Owner *owner;
  Runs runs;

  runs_init (&runs, NULL);
  runs.spool = TRUE;
  leave_recording (&runs, bytes, len);
  owner = fail_before_sync (&runs, bytes, first);
  give_or_record (owner, bytes + first, len - first, 60000);
  g_assert_cmpint (runs_finish (owner), ==, VOD_FLOW_FAILED);
  vod_upload_finish_record (owner->upload);
  g_assert_nonnull (strstr (owner->story->str, "recovered"));
  g_assert_cmpuint (count_spool_warnings (owner), ==, 1);
  owner_free (owner);
  assert_file_is (&runs, "1.media", bytes, len);
  session = vod_session_open (runs.dir, RUNS_KEY ".1", NULL);
  g_assert_nonnull (vod_session_found (session));
  vod_session_close (session);
  runs_clear (&runs);
}

/* Nor is there room for a copy of what both recordings have. */
static void
test_recording_over_an_older_one_fails (void)
{
  g_autofree guint8 *before = runs_other_media (4 * MIB, 3 * MIB);
  g_autofree guint8 *bytes = runs_media (5 * MIB);
  g_autofree gchar *path = NULL;
  Owner *owner;
  Runs runs;

  runs_init (&runs, NULL);
  runs.spool = TRUE;
  leave_recording (&runs, before, 4 * MIB);
  limit_files (2 * MIB);
  owner = record_without_upload (&runs, bytes, 5 * MIB);
  limit_files (0);
  g_assert_nonnull (strstr (owner->story->str, "recovered spool"));
  owner_free (owner);
  path = runs_path (&runs, "media");
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  assert_file_is (&runs, "1.media", before, 4 * MIB);
  runs_clear (&runs);
}

/* --- an older recording stays ---------------------------------------------*/

/* What went up before the streams differed is the older recording's. */
static void
assert_parts_are_known (const Runs *runs)
{
  VodSession *session = vod_session_open (runs->dir, RUNS_KEY ".1", NULL);
  const VodSessionState *found = vod_session_found (session);
  guint n = emulator_n_uploads (runs->emulator);

  g_assert_nonnull (found);
  g_assert_cmpuint (n, <=, found->session_key ? 1 : 0);
  vod_session_close (session);
}

static void
commit_over (gboolean copy, gsize old, gsize differs, gsize len)
{
  g_autofree guint8 *before = runs_other_media (old, differs);
  g_autofree guint8 *bytes = runs_media (len);
  g_autofree gchar *story = NULL, *files = NULL, *obstacle = NULL;
  Runs runs;

  runs_init (&runs, NULL);
  runs.spool = TRUE;
  leave_recording (&runs, before, old);
  obstacle = runs_path (&runs, "media.new");
  if (!copy)
    g_assert_cmpint (g_mkdir (obstacle, 0700), ==, 0);
  story = runs_whole (&runs, bytes, len, NULL);
  g_assert_nonnull (strstr (story, "recovered"));
  g_assert_true ((strstr (story, "spool") == NULL) == copy);
  assert_file_is (&runs, "1.media", before, old);
  assert_parts_are_known (&runs);
  g_assert_cmpuint (emulator_n_media (runs.emulator), ==, 1);
  g_rmdir (obstacle);
  files = runs_list_files (&runs);
  g_assert_null (strstr (files, RUNS_KEY ".media"));
  g_assert_null (strstr (files, RUNS_KEY ".session"));
  runs_clear (&runs);
}

static void
test_older_recording_stays (void)
{
  commit_over (TRUE, 4 * MIB, 2 * MIB + 5, 6 * MIB);
  commit_over (TRUE, 6 * MIB, 6 * MIB, 3 * MIB);
}

static void
test_older_recording_stays_without_a_copy (void)
{
  commit_over (FALSE, 4 * MIB, 2 * MIB + 5, 6 * MIB);
  commit_over (FALSE, 6 * MIB, 2 * MIB + 5, 4 * MIB);
  commit_over (FALSE, 6 * MIB, 6 * MIB, 3 * MIB);
}

/* A sync fails while the stream is still within the older recording. */
static void
test_older_recording_stays_when_a_sync_fails (void)
{
  g_autofree guint8 *before = runs_media (6 * MIB);
  g_autofree guint8 *bytes = runs_other_media (4 * MIB, 3 * MIB);
  Owner *owner;
  VodFlow flow;
  Runs runs;

  runs_init (&runs, NULL);
  runs.spool = TRUE;
  leave_recording (&runs, before, 6 * MIB);
  owner = runs_begin (&runs);
  g_atomic_int_set (&disk.syncs, 0);
  g_atomic_int_set (&disk.syncs_fail, TRUE);
  runs_give (owner, bytes, 2 * MIB);
  g_assert_true (test_wait_until (has_synced, GINT_TO_POINTER (1), 20));
  flow = runs_give (owner, bytes + 2 * MIB, 2 * MIB);
  if (flow == VOD_FLOW_OK)
    flow = runs_finish (owner);
  g_atomic_int_set (&disk.syncs_fail, FALSE);
  if (flow == VOD_FLOW_OK)
    assert_only_media (&runs, bytes, 4 * MIB);
  else
    g_assert_cmpstr (owner->error_phase, ==, "spool");
  owner_free (owner);
  assert_file_is (&runs, "1.media", before, 6 * MIB);
  runs_clear (&runs);
}

/* --- a completed upload is committed for the same object only --------------*/

typedef struct {
  const gchar *name;
  gsize len, differs; /* of the second media */
} Second;

#define FIRST_LEN (6 * MIB + 1000)

static const Second seconds[] = {
    {"same", FIRST_LEN, FIRST_LEN},
    {"prefix", 4 * MIB, 4 * MIB},
    {"prefix-within-a-part", 4 * MIB + 5, 4 * MIB + 5},
    {"longer", FIRST_LEN + 2 * MIB, FIRST_LEN + 2 * MIB},
    {"other-end", FIRST_LEN, 6 * MIB},
    {"other", FIRST_LEN, 0},
};

/* Interrupted between Complete and Commit. */
static void
commit_second (const Second *second, const gchar *look, guint64 memory)
{
  g_autofree guint8 *first = runs_media (FIRST_LEN);
  g_autofree guint8 *bytes = runs_other_media (second->len, second->differs);
  VodFlow flow;
  Owner *owner;
  Runs runs;

  runs_init (&runs, NULL);
  stop_at (
      &runs, "{\"op\":\"CommitUploadUGC\",\"stall\":true}", first, FIRST_LEN);
  g_assert_cmpuint (emulator_n_media (runs.emulator), ==, 0);
  if (look)
    emulator_add_faults (runs.emulator, look);
  runs.memory = memory;
  owner = runs_begin (&runs);
  flow = runs_give (owner, bytes, second->len);
  if (flow == VOD_FLOW_OK)
    flow = runs_finish (owner);
  g_test_message ("%s: %s", second->name,
      owner->error_text ? owner->error_text : owner->story->str);
  if (flow == VOD_FLOW_OK)
    assert_only_media (&runs, bytes, second->len);
  else
    g_assert_cmpuint (emulator_n_media (runs.emulator), ==, 0);
  /* What is known here need not be asked again and again. */
  g_assert_cmpuint (owner->retries, <=, 1);
  /* With the bytes at hand there is no reason to fail. */
  if (memory > second->len)
    g_assert_cmpint (flow, ==, VOD_FLOW_OK);
  owner_free (owner);
  runs_clear (&runs);
}

static void
test_completed_for_another (gconstpointer data)
{
  static const gchar *no_look = "{\"op\":\"HeadObject\",\"status\":403,"
                                "\"code\":\"AccessDenied\"}";

  commit_second (data, no_look, 64 * MIB);
  commit_second (data, no_look, 4 * MIB);
  commit_second (data, NULL, 64 * MIB);
}

/* Committed, but nobody heard of it. */
static void
test_committed_once (void)
{
  gsize len = 5 * MIB;
  g_autofree guint8 *bytes = runs_media (len);
  Owner *owner;
  Runs runs;

  runs_init (&runs, "--commit-once");
  stop_at (&runs,
      "{\"op\":\"CommitUploadUGC\",\"lose-answer\":true,\"delay\":20000}",
      bytes, len);
  assert_only_media (&runs, bytes, len);
  /* It could send all of it again. */
  runs.memory = 64 * MIB;
  owner = runs_begin (&runs);
  if (runs_give (owner, bytes, len) == VOD_FLOW_OK)
    runs_finish (owner);
  if (owner->failed)
    g_assert_cmpint (owner->number, ==, 10015);
  assert_only_media (&runs, bytes, len);
  g_assert_cmpuint (emulator_n_sessions (runs.emulator), ==, 1);
  owner_free (owner);
  runs_clear (&runs);
}

/* --- beginning anew -------------------------------------------------------*/

/* Part 4 tells that the upload is gone while new credentials are on their way;
 * later they are needed once more. */
static void
test_anew_during_a_renewal (void)
{
  gsize len = 8 * MIB;
  g_autofree guint8 *bytes = runs_media (len);
  g_autofree gchar *story = NULL;
  Runs runs;

  runs_init (&runs, NULL);
  runs.spool = TRUE;
  runs.parallel = 6;
  emulator_add_faults (runs.emulator,
      "[{\"op\":\"ApplyUploadUGC\",\"skip\":1,\"times\":1,\"delay\":2000},"
      "{\"op\":\"UploadPart\",\"part\":2,\"times\":1,\"status\":400,"
      "\"code\":\"ExpiredToken\",\"delay\":300},"
      "{\"op\":\"UploadPart\",\"part\":4,\"times\":1,\"status\":404,"
      "\"code\":\"NoSuchUpload\",\"delay\":900},"
      "{\"op\":\"CompleteMultipartUpload\",\"times\":1,\"status\":400,"
      "\"code\":\"ExpiredToken\"}]");
  story = runs_whole (&runs, bytes, len, NULL);
  g_assert_cmpuint (emulator_hits (runs.emulator), ==, 4);
  g_assert_cmpuint (emulator_n_sessions (runs.emulator), ==, 2);
  assert_only_media (&runs, bytes, len);
  assert_no_files (&runs);
  runs_clear (&runs);
}

static void
test_anew_deletes_what_it_gives_up (void)
{
  gsize len = 5 * MIB;
  g_autofree guint8 *bytes = runs_media (len);
  g_autofree gchar *story = NULL;
  Runs runs;

  runs_init (&runs, NULL);
  runs.spool = TRUE;
  emulator_add_faults (runs.emulator,
      "{\"op\":\"CompleteMultipartUpload\",\"status\":400,"
      "\"code\":\"InvalidPart\",\"times\":1}");
  story = runs_whole (&runs, bytes, len, NULL);
  g_assert_cmpuint (
      emulator_count (runs.emulator, "ApplyUploadUGC", -1), ==, 2);
  g_assert_cmpuint (
      emulator_count (runs.emulator, "InitiateMultipartUpload", -1), ==, 2);
  g_assert_cmpuint (
      emulator_count (runs.emulator, "AbortMultipartUpload", 204), ==, 1);
  g_assert_cmpuint (emulator_n_sessions (runs.emulator), ==, 2);
  assert_only_media (&runs, bytes, len);
  assert_no_files (&runs);
  runs_clear (&runs);
}

/* The service put it together wrongly, and does not say so before it is looked
 * at. */
static void
test_a_wrong_object_is_not_committed (void)
{
  gsize len = 4 * MIB;
  g_autofree guint8 *bytes = runs_media (len);
  g_autofree gchar *story = NULL;
  Runs runs;

  runs_init (&runs, NULL);
  runs.spool = TRUE;
  emulator_add_faults (runs.emulator,
      "[{\"op\":\"UploadPart\",\"part\":2,\"corrupt\":true,\"times\":1},"
      "{\"op\":\"CompleteMultipartUpload\",\"no-crc\":true}]");
  story = runs_whole (&runs, bytes, len, NULL);
  g_assert_cmpuint (emulator_count (runs.emulator, "HeadObject", 200), ==, 2);
  assert_only_media (&runs, bytes, len);
  runs_clear (&runs);
}

/* --- which parts are there? -----------------------------------------------*/

#define PARTS 6

/* Interrupted with all parts up but the last. */
static void
leave_parts (Runs *runs, const guint8 *bytes)
{
  g_autofree gchar *fault = g_strdup_printf (
      "{\"op\":\"UploadPart\",\"part\":%d,\"stall\":true}", PARTS);

  runs->parallel = 1;
  stop_at (runs, fault, bytes, PARTS * MIB);
  g_assert_cmpuint (
      emulator_count (runs->emulator, "UploadPart", 200), ==, PARTS - 1);
}

/* @sent: parts that go up, in both runs. */
static void
assert_went_on (Runs *runs, const guint8 *bytes, guint sent)
{
  g_autofree gchar *story = runs_whole (runs, bytes, PARTS * MIB, NULL);

  g_assert_cmpuint (
      emulator_count (runs->emulator, "UploadPart", 200), ==, sent);
  g_assert_cmpuint (
      emulator_count (runs->emulator, "InitiateMultipartUpload", -1), ==, 1);
  g_assert_cmpuint (emulator_n_sessions (runs->emulator), ==, 1);
  assert_only_media (runs, bytes, PARTS * MIB);
  assert_no_files (runs);
}

static void
test_parts_may_not_be_listed (void)
{
  g_autofree guint8 *bytes = runs_media (PARTS * MIB);
  Runs runs;

  runs_init (&runs, NULL);
  leave_parts (&runs, bytes);
  emulator_add_faults (runs.emulator,
      "{\"op\":\"ListParts\",\"status\":403,\"code\":\"AccessDenied\","
      "\"times\":1}");
  assert_went_on (&runs, bytes, 2 * PARTS - 1);
  runs_clear (&runs);
}

static void
test_parts_are_listed_at_last (void)
{
  g_autofree guint8 *bytes = runs_media (PARTS * MIB);
  Runs runs;

  runs_init (&runs, NULL);
  leave_parts (&runs, bytes);
  emulator_add_faults (runs.emulator,
      "[{\"op\":\"ListParts\",\"drop\":true,\"times\":2},"
      "{\"op\":\"ListParts\",\"status\":503,\"times\":1}]");
  assert_went_on (&runs, bytes, PARTS);
  runs_clear (&runs);
}

/* Somebody else's certificate, say a captive portal's. */
static void
test_parts_are_not_listed_by_a_stranger (void)
{
  g_autofree guint8 *bytes = runs_media (PARTS * MIB);
  Owner *owner;
  Runs runs;

  runs_init (&runs, NULL);
  leave_parts (&runs, bytes);
  runs.storage = emulator_new ("--tls", NULL);
  owner = runs_begin (&runs);
  if (runs_give (owner, bytes, PARTS * MIB) == VOD_FLOW_OK)
    runs_finish (owner);
  g_assert_cmpuint (owner->failed, ==, 1);
  g_assert_cmpint (owner->error_code, ==, VOD_ERROR_TLS);
  g_assert_true (owner->resumable);
  owner_free (owner);
  g_clear_pointer (&runs.storage, emulator_free);
  assert_went_on (&runs, bytes, PARTS);
  runs_clear (&runs);
}

/* --- what counts as a failure ---------------------------------------------*/

/* A code that is not known is tried four times; the network's failures are not
 * of these. */
static void
test_no_answer_is_no_answer (void)
{
  g_autofree guint8 *bytes = runs_media (2 * MIB);
  g_autofree gchar *story = NULL;
  Runs runs;

  runs_init (&runs, NULL);
  emulator_add_faults (runs.emulator,
      "[{\"op\":\"CommitUploadUGC\",\"drop\":true,\"times\":3},"
      "{\"op\":\"CommitUploadUGC\",\"json\":{\"code\":777,"
      "\"message\":\"busy\"},\"times\":1}]");
  story = runs_whole (&runs, bytes, 2 * MIB, NULL);
  g_assert_cmpuint (emulator_hits (runs.emulator), ==, 4);
  runs_clear (&runs);
}

/* New credentials end an outage: what fails then is a new one. */
static void
test_new_credentials_are_progress (void)
{
  g_autofree guint8 *bytes = runs_media (2 * MIB);
  Owner *owner;
  Runs runs;

  runs_init (&runs, NULL);
  runs.parallel = 1;
  owner = runs_begin (&runs);
  vod_upload_set_retry_duration (owner->upload, 2);
  emulator_add_faults (runs.emulator,
      "[{\"op\":\"UploadPart\",\"status\":503,\"times\":1},"
      "{\"op\":\"UploadPart\",\"expire-credentials\":true,\"times\":1},"
      "{\"op\":\"ApplyUploadUGC\",\"skip\":1,\"delay\":2500,\"times\":1},"
      "{\"op\":\"UploadPart\",\"status\":503,\"times\":1}]");
  g_assert_cmpint (runs_give (owner, bytes, 2 * MIB), ==, VOD_FLOW_OK);
  if (runs_finish (owner) != VOD_FLOW_OK)
    g_error ("failed: %s (%s)", owner->error_text, owner->story->str);
  g_assert_cmpuint (emulator_hits (runs.emulator), ==, 4);
  owner_free (owner);
  runs_clear (&runs);
}

/* --- a spool that fails ---------------------------------------------------*/

/* @limit: where it does. @late: no part goes up before the end of the stream. */
static void
spool_fails_at (Runs *runs, guint64 limit, gboolean late)
{
  gsize len = 5 * MIB + 321;
  g_autofree guint8 *bytes = runs_media (len);
  guint n = emulator_n_media (runs->emulator);
  Owner *owner = runs_begin (runs);

  g_test_message ("%" G_GUINT64_FORMAT, limit);
  vod_upload_set_paused (owner->upload, late);
  limit_files (limit);
  g_assert_cmpint (runs_give (owner, bytes, len), ==, VOD_FLOW_OK);
  limit_files (0);
  vod_upload_set_paused (owner->upload, FALSE);
  if (runs_finish (owner) != VOD_FLOW_OK)
    g_error ("failed: %s (%s)", owner->error_text, owner->story->str);
  g_assert_true (emulator_media_is (runs->emulator, n, bytes, len));
  g_assert_nonnull (strstr (owner->story->str, "spool"));
  /* That copy is not all there is. */
  g_assert_null (owner->kept_spool);
  owner_free (owner);
  assert_no_files (runs);
}

static const guint limits[] = {20000, 70000, 140001, MIB - 1, MIB, MIB + 1,
    2 * MIB + 12345, 3 * MIB, 4 * MIB - 70000, 5 * MIB + 320};

static void
test_spool_fails (void)
{
  Runs runs;

  runs_init (&runs, NULL);
  runs.spool = TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (limits); i++)
    spool_fails_at (&runs, limits[i], FALSE);
  g_assert_cmpuint (emulator_n_uploads (runs.emulator), ==, 0);
  runs_clear (&runs);
}

static void
test_spool_fails_before_anything_is_up (void)
{
  Runs runs;

  runs_init (&runs, NULL);
  runs.spool = TRUE;
  runs.slice_size = 3 * MIB;
  runs.memory = 12 * MIB;
  for (guint i = 0; i < G_N_ELEMENTS (limits); i++)
    spool_fails_at (&runs, limits[i], TRUE);
  runs_clear (&runs);
}

static void
test_a_spool_that_failed_is_not_kept (void)
{
  Runs runs;

  runs_init (&runs, NULL);
  runs.spool = runs.keep_spool = TRUE;
  spool_fails_at (&runs, 3 * MIB + 5, FALSE);
  runs_clear (&runs);
}

#define LARGE_LEN (20 * MIB)

/* Two parts are up, the third is not. */
static void
leave_large_parts (Runs *runs, const guint8 *bytes)
{
  Owner *owner = runs_begin (runs);

  vod_upload_set_paused (owner->upload, TRUE);
  emulator_add_faults (
      runs->emulator, "{\"op\":\"UploadPart\",\"part\":3,\"stall\":true}");
  g_assert_cmpint (runs_give (owner, bytes, LARGE_LEN), ==, VOD_FLOW_OK);
  vod_upload_finish (owner->upload);
  vod_upload_set_paused (owner->upload, FALSE);
  g_assert_true (emulator_wait_hits (runs->emulator, 1));
  owner_free (owner);
  emulator_clear_faults (runs->emulator);
}

/* Where the second of them begins and ends; the third is large too. */
static void
find_large_part (const Runs *runs, guint64 *begin, guint64 *end)
{
  VodSession *session = vod_session_open (runs->dir, RUNS_KEY, NULL);
  const VodSessionState *found = vod_session_found (session);
  const VodSessionPart *parts[2];

  g_assert_nonnull (found);
  g_assert_cmpuint (found->parts->len, >=, 3);
  for (guint i = 0; i < 2; i++) {
    parts[i] = g_ptr_array_index (found->parts, i + 1);
    g_assert_cmpuint (parts[i]->size, >, runs->memory);
  }
  *begin = parts[0]->offset;
  *end = parts[1]->offset;
  vod_session_close (session);
}

/* Parts as they were cut with a spool are too large for memory alone. */
static void
test_large_parts_of_before (gconstpointer data)
{
  gboolean within = GPOINTER_TO_INT (data);
  g_autofree guint8 *bytes = runs_media (LARGE_LEN);
  g_autofree gchar *path = NULL, *story = NULL;
  guint64 begin, end;
  Runs runs;

  runs_init (&runs, NULL);
  runs.spool = TRUE;
  runs.slice_size = 8 * MIB;
  runs.parallel = 1;
  leave_large_parts (&runs, bytes);
  find_large_part (&runs, &begin, &end);

  /* A crash has cost most of the spool. */
  path = runs_path (&runs, "media");
  g_assert_cmpint (truncate (path, 70000), ==, 0);
  limit_files (within ? begin + 500000 : end);
  story = runs_whole (&runs, bytes, LARGE_LEN, NULL);
  limit_files (0);
  g_assert_nonnull (strstr (story, "spool"));
  assert_only_media (&runs, bytes, LARGE_LEN);
  assert_no_files (&runs);
  runs_clear (&runs);
}

/* What the disk may have lost is not sent. */
static void
test_a_failed_sync_is_not_trusted (void)
{
  g_autofree guint8 *bytes = runs_media (10 * MIB);
  g_autofree gchar *path = NULL;
  VodFlow flow;
  Owner *owner;
  Runs runs;

  runs_init (&runs, NULL);
  runs.spool = TRUE;
  emulator_add_faults (
      runs.emulator, "{\"op\":\"ApplyUploadUGC\",\"stall\":true}");
  owner = runs_begin (&runs);
  g_atomic_int_set (&disk.syncs, 0);
  g_atomic_int_set (&disk.syncs_fail, TRUE);
  flow = runs_give (owner, bytes, 10 * MIB);
  g_assert_true (test_wait_until (has_synced, GINT_TO_POINTER (1), 20));
  if (flow == VOD_FLOW_OK)
    flow = runs_finish (owner);
  g_atomic_int_set (&disk.syncs_fail, FALSE);
  g_assert_cmpint (flow, ==, VOD_FLOW_FAILED);
  g_assert_cmpstr (owner->error_phase, ==, "spool");
  g_assert_cmpint (owner->error_code, ==, VOD_ERROR_LOCAL);
  owner_free (owner);
  path = runs_path (&runs, "media");
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  runs_clear (&runs);
}

static gboolean
has_deleted (gpointer data)
{
  return emulator_count (data, "AbortMultipartUpload", -1) == 1;
}

/* The upload begins anew while a sync is under way: its failure is not news of
 * another attempt only, since the file is still the same. */
static void
test_a_failed_sync_is_not_forgotten (void)
{
  g_autofree guint8 *bytes = runs_media (PARTS * MIB);
  VodFlow flow;
  Owner *owner;
  Runs runs;

  runs_init (&runs, NULL);
  runs.spool = TRUE;
  leave_parts (&runs, bytes);
  /* A crash has cost all of the spool. */
  g_assert_cmpint (g_unlink (runs.media), ==, 0);
  emulator_add_faults (runs.emulator,
      "{\"op\":\"ListParts\",\"status\":404,\"code\":\"NoSuchUpload\","
      "\"times\":1}");
  hold_syncs (TRUE);
  owner = runs_begin (&runs);
  g_assert_cmpint (runs_give (owner, bytes, MIB), ==, VOD_FLOW_OK);
  wait_for_held_sync ();
  g_assert_true (test_wait_until (has_deleted, runs.emulator, 20));
  g_atomic_int_set (&disk.sync_fails, TRUE);
  hold_syncs (FALSE);
  flow = runs_give (owner, bytes + MIB, (PARTS - 1) * MIB);
  if (flow == VOD_FLOW_OK)
    flow = runs_finish (owner);
  g_assert_false (g_atomic_int_get (&disk.sync_fails));
  if (flow == VOD_FLOW_OK)
    g_assert_cmpuint (count_spool_warnings (owner), ==, 1);
  else
    g_assert_cmpstr (owner->error_phase, ==, "spool");
  owner_free (owner);
  g_assert_false (g_file_test (runs.media, G_FILE_TEST_EXISTS));
  assert_not_recorded (&runs);
  runs_clear (&runs);
}

typedef struct {
  Owner *owner;
  guint64 bytes;
} Amount;

static gboolean
is_up (gpointer data)
{
  const Amount *amount = data;
  VodUploadStats stats;

  vod_upload_get_stats (amount->owner->upload, &stats);
  return stats.bytes_uploaded >= amount->bytes;
}

/* … but what is up need not be read again. */
static void
test_a_failed_sync_of_what_is_up (void)
{
  gsize len = 4 * MIB, half = 2 * MIB, taken;
  g_autofree guint8 *bytes = runs_media (len);
  Amount amount;
  Owner *owner;
  Runs runs;

  runs_init (&runs, NULL);
  runs.spool = TRUE;
  owner = runs_begin (&runs);
  amount = (Amount){owner, half};
  g_atomic_int_set (&disk.syncs, 0);
  g_atomic_int_set (&disk.syncs_fail, TRUE);
  /* At once: the next write is told about the sync. */
  g_assert_cmpint (
      vod_upload_write (owner->upload, bytes, half, &taken), ==, VOD_FLOW_OK);
  g_assert_true (test_wait_until (is_up, &amount, 20));
  g_assert_true (test_wait_until (has_synced, GINT_TO_POINTER (1), 20));
  g_assert_cmpint (
      runs_give (owner, bytes + half, len - half), ==, VOD_FLOW_OK);
  if (runs_finish (owner) != VOD_FLOW_OK)
    g_error ("failed: %s (%s)", owner->error_text, owner->story->str);
  g_atomic_int_set (&disk.syncs_fail, FALSE);
  g_assert_nonnull (strstr (owner->story->str, "spool"));
  assert_only_media (&runs, bytes, len);
  owner_free (owner);
  assert_no_files (&runs);
  runs_clear (&runs);
}

/* --- stopping -------------------------------------------------------------*/

/* FLUSH_STOP: the media begins again at byte 0, and there was none before. */
static void
test_a_flush_leaves_nothing (gconstpointer data)
{
  g_autofree guint8 *bytes = runs_media (3 * MIB);
  g_autofree guint8 *second = runs_other_media (3 * MIB, 100);
  g_autofree gchar *story = NULL;
  Owner *owner;
  Runs runs;

  runs_init (&runs, NULL);
  runs.spool = TRUE;
  runs.identity = (VodIdentity)GPOINTER_TO_INT (data);
  owner = runs_begin (&runs);
  g_assert_cmpint (runs_give (owner, bytes, 3 * MIB), ==, VOD_FLOW_OK);
  owner_wait_state (owner, "uploading");
  vod_upload_stop (owner->upload, TRUE);
  owner_free (owner);
  story = runs_whole (&runs, second, 3 * MIB, NULL);
  g_assert_null (strstr (story, "recovered"));
  assert_only_media (&runs, second, 3 * MIB);
  assert_no_files (&runs);
  runs_clear (&runs);
}

typedef struct {
  Owner *owner;
  GMutex lock;
  GCond cond;
  gboolean copying, stopped;
} Stop;

static gpointer
stop_while_copying (gpointer data)
{
  Stop *stop = data;

  g_mutex_lock (&stop->lock);
  while (!stop->copying)
    g_cond_wait (&stop->cond, &stop->lock);
  g_mutex_unlock (&stop->lock);
  vod_upload_stop (stop->owner->upload, FALSE);
  g_mutex_lock (&stop->lock);
  stop->stopped = TRUE;
  g_cond_broadcast (&stop->cond);
  g_mutex_unlock (&stop->lock);
  return NULL;
}

static void
wait_for_stop (gpointer data)
{
  Stop *stop = data;

  g_mutex_lock (&stop->lock);
  stop->copying = TRUE;
  g_cond_broadcast (&stop->cond);
  while (!stop->stopped)
    g_cond_wait (&stop->cond, &stop->lock);
  g_mutex_unlock (&stop->lock);
}

/* An older recording under the same key, which has to be copied nearly whole:
 * it has LONG_LEN bytes and differs from @bytes in the last MiB. */
#define LONG_LEN (16 * MIB)

static void
copy_begins (Runs *runs, const guint8 *bytes, void (*at_copy) (gpointer data),
    gpointer data)
{
  runs_init (runs, NULL);
  runs->spool = TRUE;
  leave_recording (runs, bytes, LONG_LEN);
  disk.copied = 0;
  disk.data = data;
  disk.at_copy = at_copy;
}

static void
assert_copy_given_up (const Runs *runs, const guint8 *before)
{
  g_autofree gchar *files = runs_list_files (runs);

  disk.at_copy = NULL;
  g_assert_cmpint (disk.copied, >=, 1);
  g_assert_cmpint (disk.copied, <=, 2);
  g_assert_null (strstr (files, ".new"));
  assert_file_is (runs, "media", before, LONG_LEN);
}

/* Stopped at the first piece of many. @data: when it records after a failure. */
static void
test_stopped_while_copying (gconstpointer data)
{
  gboolean failed = GPOINTER_TO_INT (data);
  g_autofree guint8 *before = runs_media (LONG_LEN);
  g_autofree guint8 *bytes = runs_other_media (LONG_LEN, 15 * MIB);
  Stop stop = {0};
  GThread *thread;
  Runs runs;

  copy_begins (&runs, before, wait_for_stop, &stop);
  stop.owner = runs_begin (&runs);
  emulator_add_faults (runs.emulator,
      failed ? REFUSED : "{\"op\":\"ApplyUploadUGC\",\"stall\":true}");
  give_or_record (stop.owner, bytes, 60000, 5000);
  if (failed)
    owner_wait_state (stop.owner, "failed");
  thread = g_thread_new ("stop", stop_while_copying, &stop);
  if (failed)
    give_or_record (stop.owner, bytes + 60000, LONG_LEN - 60000, 60000);
  else
    g_assert_cmpint (runs_give (stop.owner, bytes + 60000, LONG_LEN - 60000),
        ==, VOD_FLOW_STOPPED);
  g_thread_join (thread);
  /* That is no trouble with the spool. */
  g_assert_null (strstr (stop.owner->story->str, "spool"));
  owner_free (stop.owner);
  assert_copy_given_up (&runs, before);
  g_mutex_clear (&stop.lock);
  g_cond_clear (&stop.cond);
  runs_clear (&runs);
}

/* … but a failure is none of the recording's business. */
static void
test_failed_while_copying (void)
{
  g_autofree guint8 *before = runs_media (LONG_LEN);
  g_autofree guint8 *bytes = runs_other_media (LONG_LEN, 15 * MIB);
  Owner *owner;
  Runs runs;

  copy_begins (&runs, before, fail_once, &owner);
  emulator_add_faults (
      runs.emulator, "{\"op\":\"ApplyUploadUGC\",\"stall\":true}");
  owner = runs_begin (&runs);
  give_or_record (owner, bytes, LONG_LEN, 60000);
  disk.at_copy = NULL;
  g_assert_cmpint (disk.copied, >, 2);
  g_assert_cmpint (runs_finish (owner), ==, VOD_FLOW_FAILED);
  vod_upload_finish_record (owner->upload);
  owner_free (owner);
  assert_file_is (&runs, "media", bytes, LONG_LEN);
  assert_file_is (&runs, "1.media", before, LONG_LEN);
  assert_recorded (&runs, LONG_LEN);
  runs_clear (&runs);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/anew/recording/goes-on", test_recording_goes_on);
  g_test_add_func (
      "/anew/recording/over-an-older-one", test_recording_over_an_older_one);
  g_test_add_func ("/anew/recording/fails-too", test_recording_that_fails_too);
  g_test_add_func ("/anew/recording/lost", test_recording_that_the_disk_loses);
  g_test_add_func ("/anew/recording/lost-at-its-end",
      test_recording_that_the_disk_loses_at_its_end);
  g_test_add_func (
      "/anew/recording/late-sync", test_recording_that_a_late_sync_ends);
  g_test_add_func (
      "/anew/recording/early-sync", test_recording_that_an_early_sync_ends);
  g_test_add_func ("/anew/recording/sync-of-an-older-one",
      test_recording_that_a_sync_of_an_older_one_ends);
  g_test_add_func ("/anew/recording/over-an-older-one-fails",
      test_recording_over_an_older_one_fails);
  g_test_add_func ("/anew/older/stays", test_older_recording_stays);
  g_test_add_func ("/anew/older/stays-without-a-copy",
      test_older_recording_stays_without_a_copy);
  g_test_add_func ("/anew/older/stays-when-a-sync-fails",
      test_older_recording_stays_when_a_sync_fails);
  for (guint i = 0; i < G_N_ELEMENTS (seconds); i++) {
    g_autofree gchar *path =
        g_strconcat ("/anew/completed/", seconds[i].name, NULL);

    g_test_add_data_func (path, &seconds[i], test_completed_for_another);
  }
  g_test_add_func ("/anew/committed-once", test_committed_once);
  g_test_add_func ("/anew/during-a-renewal", test_anew_during_a_renewal);
  g_test_add_func ("/anew/deletes", test_anew_deletes_what_it_gives_up);
  g_test_add_func ("/anew/wrong-object", test_a_wrong_object_is_not_committed);
  g_test_add_func ("/anew/list/denied", test_parts_may_not_be_listed);
  g_test_add_func ("/anew/list/at-last", test_parts_are_listed_at_last);
  g_test_add_func (
      "/anew/list/stranger", test_parts_are_not_listed_by_a_stranger);
  g_test_add_func ("/anew/counts/no-answer", test_no_answer_is_no_answer);
  g_test_add_func (
      "/anew/counts/credentials", test_new_credentials_are_progress);
  g_test_add_func ("/anew/spool/fails", test_spool_fails);
  g_test_add_func (
      "/anew/spool/fails-first", test_spool_fails_before_anything_is_up);
  g_test_add_func (
      "/anew/spool/not-kept", test_a_spool_that_failed_is_not_kept);
  g_test_add_data_func ("/anew/spool/large-parts/within",
      GINT_TO_POINTER (TRUE), test_large_parts_of_before);
  g_test_add_data_func ("/anew/spool/large-parts/between",
      GINT_TO_POINTER (FALSE), test_large_parts_of_before);
  g_test_add_func ("/anew/sync/not-trusted", test_a_failed_sync_is_not_trusted);
  g_test_add_func ("/anew/sync/doubt", test_a_failed_sync_leaves_a_doubt);
  g_test_add_func (
      "/anew/sync/not-forgotten", test_a_failed_sync_is_not_forgotten);
  g_test_add_func ("/anew/sync/up", test_a_failed_sync_of_what_is_up);
  g_test_add_data_func ("/anew/flush/media",
      GINT_TO_POINTER (VOD_IDENTITY_EXPLICIT), test_a_flush_leaves_nothing);
  g_test_add_data_func ("/anew/flush/recording",
      GINT_TO_POINTER (VOD_IDENTITY_RECORDING), test_a_flush_leaves_nothing);
  g_test_add_data_func ("/anew/copying/stopped", GINT_TO_POINTER (FALSE),
      test_stopped_while_copying);
  g_test_add_data_func ("/anew/copying/stopped-recording",
      GINT_TO_POINTER (TRUE), test_stopped_while_copying);
  g_test_add_func ("/anew/copying/failed", test_failed_while_copying);
  return g_test_run ();
}
