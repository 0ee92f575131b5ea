/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many workers uploads have, without GStreamer: no more than are of use, one
 * when the network is away, and so many for a whole process.
 */
#include <dlfcn.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/resource.h>

#include "testowner.h"
#include "testrelay.h"
#include "upload/vodbudget.h"

#define S ((gint64)G_USEC_PER_SEC)

typedef struct {
  const gchar *uri; /* NULL: the emulator's */
  guint parallel, worker_idle, outage;
  VodLog log;
  gboolean reported;
  const gchar *spool_dir; /* NULL: nothing is spooled */
} Crew;

/* So many times more no thread of that name can be had, from then on when so
 * many were; atomic. */
static gint workers_denied, reporters_denied, workers_spared;

/* Stands before GLib's. */
GThread *
g_thread_try_new (
    const gchar *name, GThreadFunc func, gpointer data, GError **error)
{
  GThread *(*real) (const gchar *, GThreadFunc, gpointer, GError **) =
      dlsym (RTLD_NEXT, __func__);
  gint *denied = g_strcmp0 (name, "vod-upload") == 0 ? &workers_denied
      : g_strcmp0 (name, "vod-report") == 0          ? &reporters_denied
                                                     : NULL;

  if (denied == &workers_denied && g_atomic_int_add (&workers_spared, -1) > 0)
    denied = NULL;
  if (denied && g_atomic_int_add (denied, -1) > 0) {
    g_set_error (
        error, G_THREAD_ERROR, G_THREAD_ERROR_AGAIN, "Resource unavailable");
    return NULL;
  }
  return real (name, func, data, error);
}

static void
adjust (VodUploadSettings *settings, gpointer data)
{
  const Crew *crew = data;

  if (crew->uri)
    settings->endpoint = (gchar *)crew->uri;
  settings->parallel_uploads = crew->parallel;
  if (crew->worker_idle)
    settings->worker_idle = crew->worker_idle;
  if (crew->outage)
    settings->outage = crew->outage;
  settings->log = crew->log;
  if (crew->reported)
    settings->report_id = settings->report_device = (gchar *)"test";
  settings->report_endpoint = settings->endpoint;
  if (crew->spool_dir) {
    settings->spool = TRUE;
    settings->state_dir = (gchar *)crew->spool_dir;
    settings->identity = VOD_IDENTITY_EXPLICIT;
    settings->resume_key = (gchar *)"key";
    settings->media_key = (gchar *)"0123456789abcdef0123456789abcdef";
  }
  settings->max_size_bytes = 80 * MIB;
}

static guint
n_workers (void)
{
  return test_count_threads ("vod-upload");
}

static VodUploadStats
stats_of (Owner *owner)
{
  VodUploadStats stats;

  vod_upload_get_stats (owner->upload, &stats);
  return stats;
}

static gboolean
is_all_up (gpointer data)
{
  Owner *owner = data;

  return stats_of (owner).bytes_uploaded == owner->size;
}

static void
write_and_wait (Owner *owner, gsize len)
{
  g_assert_cmpint (owner_write (owner, len), ==, VOD_FLOW_OK);
  g_assert_true (test_wait_until (is_all_up, owner, 20));
}

static gboolean
has_one_worker (gpointer data)
{
  return n_workers () == 1;
}

static gboolean
has_more_workers (gpointer data)
{
  return n_workers () >= GPOINTER_TO_UINT (data);
}

static void
finish_and_free (Owner *owner)
{
  owner_assert_finished (owner, 0);
  owner_free (owner);
  g_assert_cmpuint (vod_budget_left (), ==, VOD_BUDGET);
}

/* --- one upload -----------------------------------------------------------*/

static void
test_workers_without_a_job_end (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Crew crew = {.parallel = 4, .worker_idle = 500};
  Owner *owner = owner_new_adjusted (emulator, adjust, &crew);

  for (guint i = 0; i < 3; i++) {
    emulator_add_faults (
        emulator, "{\"op\":\"UploadPart\",\"delay\":300,\"times\":4}");
    g_assert_cmpint (owner_write (owner, 4 * MIB), ==, VOD_FLOW_OK);
    g_assert_true (
        test_wait_until (has_more_workers, GUINT_TO_POINTER (4), 10));
    g_assert_true (test_wait_until (is_all_up, owner, 20));
    g_assert_true (test_wait_until (has_one_worker, NULL, 10));
    g_assert_cmpuint (vod_budget_left (), ==, VOD_BUDGET);
  }
  g_usleep (S);
  /* The last one stays, for whatever there may be to do. */
  g_assert_cmpuint (n_workers (), ==, 1);
  g_assert_cmpuint (owner->retries, ==, 0);
  finish_and_free (owner);
}

/* A part now and then, as of a live stream: whoever sends it keeps its
 * connection. */
static void
test_who_has_something_to_do_stays (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autoptr (TestRelay) relay =
      test_relay_new (emulator_uri (emulator), TEST_RELAY_OPEN);
  Crew crew = {
      .uri = test_relay_uri (relay), .parallel = 6, .worker_idle = 1000};
  Owner *owner = owner_new_adjusted (emulator, adjust, &crew);
  guint before;

  write_and_wait (owner, 3 * MIB);
  g_assert_true (test_wait_until (has_one_worker, NULL, 10));
  before = test_relay_accepted (relay);
  for (guint i = 0; i < 20; i++) {
    write_and_wait (owner, MIB);
    g_usleep (200000);
  }
  /* It may be found busy with telling what it has done, and get help once. */
  g_assert_cmpuint (test_relay_accepted (relay), <=, before + 1);
  finish_and_free (owner);
}

static void
test_a_connection_for_each_worker (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autoptr (TestRelay) relay =
      test_relay_new (emulator_uri (emulator), TEST_RELAY_OPEN);
  Crew crew = {.uri = test_relay_uri (relay), .parallel = 6};
  Owner *owner = owner_new_adjusted (emulator, adjust, &crew);

  for (guint i = 0; i < 60; i++)
    g_assert_cmpint (owner_write (owner, MIB), ==, VOD_FLOW_OK);
  owner_assert_finished (owner, 0);
  g_assert_cmpuint (test_relay_accepted (relay), <=, 7);
  finish_and_free (owner);
}

/* --- no thread ------------------------------------------------------------*/

/* Warnings that tell of it. As an application's handler may look at what it hears
 * of: none comes under a lock. */
typedef struct {
  Owner *owner;
  const gchar *what; /* they are about */
  gint lines;        /* atomic */
} Listener;

static void
on_log (VodLogLevel level, const gchar *file, const gchar *function, gint line,
    const gchar *message, gpointer data)
{
  Listener *listener = data;

  if (level != VOD_LOG_WARNING || !strstr (message, listener->what))
    return;
  stats_of (listener->owner);
  g_atomic_int_inc (&listener->lines);
}

static gboolean
on_wants (VodLogLevel level, gpointer data)
{
  return level == VOD_LOG_WARNING;
}

static VodLog
listen (Listener *listener)
{
  return (VodLog){on_wants, on_log, listener};
}

static void
deny (gint workers, gint reporters)
{
  g_atomic_int_set (&workers_denied, workers);
  g_atomic_int_set (&reporters_denied, reporters);
}

static void
test_without_a_thread_it_fails_in_time (void)
{
  Listener listener = {NULL, "thread"};
  Crew crew = {.parallel = 6, .uri = "http://127.0.0.1:1"};
  Owner *owner;

  crew.log = listen (&listener);
  owner = listener.owner = owner_new_adjusted (NULL, adjust, &crew);
  vod_upload_set_retry_duration (owner->upload, 1);
  deny (G_MAXINT, 0);
  g_assert_cmpint (owner_write (owner, 1000), ==, VOD_FLOW_OK);
  owner_assert_state (owner, "retrying");
  vod_upload_finish (owner->upload);
  g_assert_cmpint (vod_upload_wait (owner->upload), ==, VOD_FLOW_FAILED);
  deny (0, 0);
  g_assert_cmpuint (owner->failed, ==, 1);
  g_assert_cmpint (owner->error_code, ==, VOD_ERROR_LOCAL);
  g_assert_nonnull (strstr (owner->error_text, "ulimit -u"));
  g_assert_cmpint (g_atomic_int_get (&listener.lines), ==, 1);
  owner_free (owner);
}

/* A recording goes on for longer than it takes to fill the memory. */
static void
test_without_a_thread_writing_ends (void)
{
  Crew crew = {.parallel = 6, .uri = "http://127.0.0.1:1"};
  Owner *owner = owner_new_adjusted (NULL, adjust, &crew);
  gint64 end = g_get_monotonic_time () + 10 * S;
  VodFlow flow = VOD_FLOW_OK;

  vod_upload_set_retry_duration (owner->upload, 1);
  deny (G_MAXINT, 0);
  while (flow == VOD_FLOW_OK && g_get_monotonic_time () < end) {
    flow = owner_write (owner, 100);
    g_usleep (1000);
  }
  deny (0, 0);
  g_assert_cmpint (flow, ==, VOD_FLOW_FAILED);
  g_assert_cmpint (owner->error_code, ==, VOD_ERROR_LOCAL);
  owner_free (owner);
}

static void
test_a_thread_that_comes_late_will_do (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Listener listener = {NULL, "thread"};
  Crew crew = {.parallel = 6};
  Owner *owner;

  crew.log = listen (&listener);
  owner = listener.owner = owner_new_adjusted (emulator, adjust, &crew);
  deny (2, 0);
  g_assert_cmpint (owner_write (owner, 5 * MIB), ==, VOD_FLOW_OK);
  owner_assert_finished (owner, 0);
  g_assert_cmpint (g_atomic_int_get (&workers_denied), <=, 0);
  finish_and_free (owner);
  g_assert_cmpint (g_atomic_int_get (&listener.lines), ==, 1);
}

/* One that works is enough, and no report is worth a word more than one. */
static void
test_one_thread_is_enough (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Listener listener = {NULL, "thread"};
  Crew crew = {.parallel = 6, .reported = TRUE};
  Owner *owner;

  crew.log = listen (&listener);
  owner = listener.owner = owner_new_adjusted (emulator, adjust, &crew);
  emulator_add_faults (emulator, "{\"op\":\"UploadPart\",\"delay\":100}");
  deny (0, G_MAXINT);
  g_assert_cmpint (owner_write (owner, 1), ==, VOD_FLOW_OK);
  deny (G_MAXINT, G_MAXINT);
  g_assert_cmpint (owner_write (owner, 5 * MIB), ==, VOD_FLOW_OK);
  owner_assert_finished (owner, 0);
  deny (0, 0);
  finish_and_free (owner);
  g_assert_cmpint (g_atomic_int_get (&listener.lines), ==, 2);
}

/* --- no connection --------------------------------------------------------*/

static gint asked, answered; /* atomic */

static gchar *
answer_late (gpointer data)
{
  g_atomic_int_set (&asked, 1);
  while (!g_atomic_int_get (&answered))
    g_usleep (1000);
  return emulator_signature (FALSE);
}

static gboolean
was_asked (gpointer data)
{
  return g_atomic_int_get (&asked);
}

/* The stream goes on meanwhile. */
static gboolean
is_done_without (gpointer data)
{
  Listener *listener = data;
  gboolean failed;

  owner_write (listener->owner, 1000);
  g_mutex_lock (&listener->owner->lock);
  failed = listener->owner->failed > 0;
  g_mutex_unlock (&listener->owner->lock);
  return failed || g_atomic_int_get (&listener->lines) > 0;
}

/* It has its connection, and goes on with it once the application has answered;
 * another that was to sync the spool gets none. */
static void
test_who_asks_the_application_counts (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autofree gchar *dir = g_dir_make_tmp ("vodcrew-XXXXXX", NULL);
  Listener listener = {NULL, "connection"};
  Crew crew = {.parallel = 6, .spool_dir = dir};
  struct rlimit before, few;
  Owner *owner;

  crew.log = listen (&listener);
  owner = listener.owner = owner_new_adjusted (emulator, adjust, &crew);
  owner->at_ask = answer_late;
  g_atomic_int_set (&workers_spared, 1);
  deny (G_MAXINT, 0);
  g_assert_cmpint (owner_write (owner, 1), ==, VOD_FLOW_OK);
  g_assert_true (test_wait_until (was_asked, NULL, 10));

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  few = (struct rlimit){20, before.rlim_max};
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &few), ==, 0);
  deny (0, 0);
  g_assert_true (test_wait_until (is_done_without, &listener, 10));
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
  g_assert_cmpuint (owner->failed, ==, 0);

  g_atomic_int_set (&answered, 1);
  finish_and_free (owner);
  g_assert_cmpint (g_rmdir (dir), ==, 0);
}

/* --- an outage ------------------------------------------------------------*/

static void
test_an_outage_leaves_one (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autoptr (TestRelay) relay =
      test_relay_new (emulator_uri (emulator), TEST_RELAY_OPEN);
  Crew crew = {.uri = test_relay_uri (relay),
      .parallel = 6,
      .worker_idle = 500,
      .outage = 1000};
  Owner *owner = owner_new_adjusted (emulator, adjust, &crew);
  guint before;

  write_and_wait (owner, MIB);
  emulator_add_faults (emulator, "{\"op\":\"UploadPart\",\"stall\":true}");
  g_assert_cmpint (owner_write (owner, 40 * MIB), ==, VOD_FLOW_OK);
  vod_upload_finish (owner->upload);
  g_assert_true (test_wait_until (has_more_workers, GUINT_TO_POINTER (6), 10));
  test_relay_set_mode (relay, TEST_RELAY_CUT);
  g_assert_true (test_wait_until (has_one_worker, NULL, 10));
  g_assert_cmpuint (vod_budget_left (), ==, VOD_BUDGET);

  /* There are 40 parts to try, and 2 s at least between two tries. */
  before = test_relay_accepted (relay);
  g_usleep (6 * S);
  g_assert_cmpuint (test_relay_accepted (relay), >, before);
  g_assert_cmpuint (test_relay_accepted (relay), <=, before + 4);
  g_assert_cmpuint (n_workers (), ==, 1);

  emulator_clear_faults (emulator);
  emulator_add_faults (emulator,
      "{\"op\":\"UploadPart\",\"delay\":300,\"skip\":1,\"times\":12}");
  test_relay_set_mode (relay, TEST_RELAY_OPEN);
  /* One gets through, and all go again. */
  g_assert_true (test_wait_until (has_more_workers, GUINT_TO_POINTER (6), 10));
  finish_and_free (owner);
}

/* Nothing but part 1 fails, for longer than an outage takes: what comes later is
 * not kept waiting by it. */
static void
test_one_bad_part_is_no_outage (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Crew crew = {.parallel = 2, .outage = 500};
  Owner *owner = owner_new_adjusted (emulator, adjust, &crew);

  emulator_add_faults (
      emulator, "{\"op\":\"UploadPart\",\"part\":1,\"status\":503}");
  g_assert_cmpint (owner_write (owner, MIB), ==, VOD_FLOW_OK);
  g_assert_true (emulator_wait_count (emulator, "UploadPart", 503, 4));
  g_assert_cmpint (owner_write (owner, MIB), ==, VOD_FLOW_OK);
  g_assert_cmpint (owner_write (owner, MIB), ==, VOD_FLOW_OK);
  vod_upload_finish (owner->upload);
  g_assert_true (emulator_wait_upload_bytes (emulator, 2 * MIB));
  emulator_clear_faults (emulator);
  finish_and_free (owner);
}

/* --- many uploads ---------------------------------------------------------*/

#define MANY 24
#define EACH (8 * MIB)

static void
free_all (Owner *owners[], guint n)
{
  for (guint i = 0; i < n; i++) {
    vod_upload_stop (owners[i]->upload, FALSE);
    g_assert_true (vod_upload_join (owners[i]->upload));
  }
  for (guint i = 0; i < n; i++)
    owner_free (owners[i]);
  g_assert_cmpuint (vod_budget_left (), ==, VOD_BUDGET);
}

static gboolean
has_finished (gpointer data)
{
  Owner *owner = data;
  gboolean finished;

  g_mutex_lock (&owner->lock);
  finished = owner->finished > 0;
  g_mutex_unlock (&owner->lock);
  return finished;
}

/* 24 would have 144 workers. All are waiting for the service most of the time, so
 * that more would be started if they might. */
static void
test_many_uploads_share_the_budget (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Crew crew = {.parallel = 6};
  Owner *owners[MANY];
  guint most = 0, left = MANY;

  emulator_add_faults (emulator, "{\"op\":\"UploadPart\",\"delay\":300}");
  for (guint i = 0; i < MANY; i++) {
    owners[i] = owner_new_adjusted (emulator, adjust, &crew);
    g_assert_cmpint (owner_write (owners[i], EACH), ==, VOD_FLOW_OK);
    vod_upload_finish (owners[i]->upload);
  }
  for (gint64 end = g_get_monotonic_time () + 60 * S; left > 0;) {
    left = 0;
    for (guint i = 0; i < MANY; i++)
      left += !has_finished (owners[i]);
    most = MAX (most, n_workers ());
    g_assert_cmpint (g_get_monotonic_time (), <, end);
    g_usleep (10000);
  }
  /* A thread that has given its slot to another is seen for a moment more. */
  g_test_message ("at most %u workers", most);
  g_assert_cmpuint (most, <=, MANY + VOD_BUDGET + 8);
  /* Each has one anyway; how many more there are at once, the machine decides. */
  g_assert_cmpuint (most, >, MANY + VOD_BUDGET / 4);
  g_assert_cmpuint (emulator_n_media (emulator), ==, MANY);
  free_all (owners, MANY);
}

static gboolean
has_connections (gpointer data)
{
  g_autoptr (JsonNode) state = emulator_state (data);

  /* With the one that asks. */
  return json_object_get_int_member (
             json_node_get_object (state), "open-connections") >= 6 + 1;
}

static gint stop_writing;

static gpointer
write_all_the_time (gpointer data)
{
  while (!g_atomic_int_get (&stop_writing))
    g_assert_cmpint (owner_write (data, MIB), ==, VOD_FLOW_OK);
  return NULL;
}

/* One upload has all there are, and always more to do; another that comes later
 * gets as many as it can use. */
static void
test_the_greedy_share_too (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  g_autoptr (Emulator) other = emulator_new (NULL);
  Crew greedy = {.parallel = 64}, modest = {.parallel = 6};
  Owner *owners[2] = {owner_new_adjusted (emulator, adjust, &greedy)};
  GThread *thread;

  emulator_add_faults (emulator, "{\"op\":\"UploadPart\",\"delay\":1000}");
  emulator_add_faults (other, "{\"op\":\"UploadPart\",\"delay\":1000}");
  g_atomic_int_set (&stop_writing, 0);
  thread = g_thread_new ("write", write_all_the_time, owners[0]);
  g_assert_true (test_wait_until (has_more_workers, GUINT_TO_POINTER (64), 20));
  owners[1] = owner_new_adjusted (other, adjust, &modest);
  g_assert_cmpint (owner_write (owners[1], 30 * MIB), ==, VOD_FLOW_OK);
  g_assert_true (test_wait_until (has_connections, other, 20));
  g_assert_cmpuint (n_workers (), <=, 2 + VOD_BUDGET + 8);
  emulator_clear_faults (other);
  vod_upload_finish (owners[1]->upload);
  g_assert_true (test_wait_until (has_finished, owners[1], 20));
  emulator_clear_faults (emulator);
  g_atomic_int_set (&stop_writing, 1);
  g_thread_join (thread);
  vod_upload_finish (owners[0]->upload);
  g_assert_true (test_wait_until (has_finished, owners[0], 20));
  free_all (owners, 2);
}

/* In line, and stopped; or freed while it is about to be woken. */
static void
test_stopping_in_line (void)
{
  g_autoptr (Emulator) emulator = emulator_new (NULL);
  Crew greedy = {.parallel = 64}, modest = {.parallel = 6};
  Owner *owners[8];

  emulator_add_faults (emulator, "{\"op\":\"UploadPart\",\"delay\":200}");
  owners[0] = owner_new_adjusted (emulator, adjust, &greedy);
  g_assert_cmpint (owner_write (owners[0], 78 * MIB), ==, VOD_FLOW_OK);
  g_assert_true (test_wait_until (has_more_workers, GUINT_TO_POINTER (64), 20));
  for (guint i = 1; i < G_N_ELEMENTS (owners); i++) {
    owners[i] = owner_new_adjusted (emulator, adjust, &modest);
    g_assert_cmpint (owner_write (owners[i], 8 * MIB), ==, VOD_FLOW_OK);
  }
  g_usleep ((gulong)g_test_rand_int_range (0, 500000));
  free_all (owners, G_N_ELEMENTS (owners));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func (
      "/upload/crew/workers-without-a-job-end", test_workers_without_a_job_end);
  g_test_add_func ("/upload/crew/who-has-something-to-do-stays",
      test_who_has_something_to_do_stays);
  g_test_add_func ("/upload/crew/a-connection-for-each-worker",
      test_a_connection_for_each_worker);
  g_test_add_func ("/upload/crew/without-a-thread-it-fails-in-time",
      test_without_a_thread_it_fails_in_time);
  g_test_add_func ("/upload/crew/without-a-thread-writing-ends",
      test_without_a_thread_writing_ends);
  g_test_add_func ("/upload/crew/a-thread-that-comes-late-will-do",
      test_a_thread_that_comes_late_will_do);
  g_test_add_func (
      "/upload/crew/one-thread-is-enough", test_one_thread_is_enough);
  g_test_add_func ("/upload/crew/who-asks-the-application-counts",
      test_who_asks_the_application_counts);
  g_test_add_func (
      "/upload/crew/an-outage-leaves-one", test_an_outage_leaves_one);
  g_test_add_func (
      "/upload/crew/one-bad-part-is-no-outage", test_one_bad_part_is_no_outage);
  g_test_add_func ("/upload/crew/many-uploads-share-the-budget",
      test_many_uploads_share_the_budget);
  g_test_add_func (
      "/upload/crew/the-greedy-share-too", test_the_greedy_share_too);
  g_test_add_func ("/upload/crew/stopping-in-line", test_stopping_in_line);
  return g_test_run ();
}
