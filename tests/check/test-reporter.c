/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodreporter: events in the background, to servers that take them, do not, or
 * never answer.
 */
#include "upload/vodreporter.h"

#include <string.h>

#include "emulator.h"
#include "testserver.h"
#include "teststopwatch.h"
#include "voderror.h"

/* --- an owner -------------------------------------------------------------*/

typedef struct {
  VodReporter *reporter;
  gint references; /* of the reporter's thread */

  GMutex lock; /* what follows */
  guint mishaps;
  gchar *message;
  gint number;
  gboolean joins, joined; /* from the mishap */
} Owner;

static void
on_mishap (GError *error, gpointer data)
{
  Owner *owner = data;

  g_assert_cmpint (vod_error_details (error)->phase, ==, VOD_PHASE_REPORT);
  g_mutex_lock (&owner->lock);
  if (owner->joins)
    owner->joined = vod_reporter_join (owner->reporter);
  owner->mishaps++;
  g_free (owner->message);
  owner->message = g_strdup (error->message);
  owner->number = vod_error_number (error);
  g_mutex_unlock (&owner->lock);
}

static gpointer
hold (gpointer data)
{
  Owner *owner = data;

  g_atomic_int_inc (&owner->references);
  return data;
}

static void
release (gpointer data)
{
  Owner *owner = data;

  g_atomic_int_add (&owner->references, -1);
}

static Owner *
owner_new (const gchar *endpoint, guint timeout)
{
  Owner *owner = g_new0 (Owner, 1);
  VodReporterSettings settings = {.endpoint = endpoint,
      .http = {.user_agent = "test", .timeout = timeout},
      .mishap = on_mishap,
      .owner = owner,
      .hold = hold,
      .release = release};

  g_mutex_init (&owner->lock);
  owner->reporter = vod_reporter_new (&settings);
  return owner;
}

static void
owner_free (Owner *owner)
{
  g_assert_true (vod_reporter_join (owner->reporter));
  g_assert_true (vod_reporter_is_quiet (owner->reporter));
  g_assert_true (test_no_threads ("vod-report"));
  g_assert_cmpint (g_atomic_int_get (&owner->references), ==, 0);
  vod_reporter_free (owner->reporter);
  g_mutex_clear (&owner->lock);
  g_free (owner->message);
  g_free (owner);
}

static guint
mishaps (Owner *owner)
{
  guint n;

  g_mutex_lock (&owner->lock);
  n = owner->mishaps;
  g_mutex_unlock (&owner->lock);
  return n;
}

static gboolean
has_mishap (gpointer data)
{
  return mishaps (data) > 0;
}

/* Event number @n. */
static void
push (Owner *owner, guint n)
{
  gchar *text = g_strdup_printf ("{\"n\":%u}", n);

  vod_reporter_push (owner->reporter, g_bytes_new_take (text, strlen (text)));
}

static gboolean
is_quiet (gpointer data)
{
  Owner *owner = data;

  return vod_reporter_is_quiet (owner->reporter);
}

/* The grace, and that there was no more. */
static void
join_in_time (Owner *owner)
{
  g_autoptr (TestStopwatch) watch = test_stopwatch_new ();

  vod_reporter_stop (owner->reporter);
  g_assert_true (vod_reporter_join (owner->reporter));
  g_assert_cmpint (test_stopwatch_ms (watch), <, 100);
}

/* --- a server that takes them ---------------------------------------------*/

static void
assert_request (TestSoup *soup, guint at, guint n)
{
  g_autofree gchar *text = test_request_text (test_soup_request (soup, at));
  g_autofree gchar *expected = g_strdup_printf ("{\"n\":%u}", n);

  g_assert_cmpstr (text, ==, expected);
}

static void
test_in_order_over_one_connection (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  Owner *owner = owner_new (test_soup_uri (soup), 5);

  g_assert_true (vod_reporter_is_quiet (owner->reporter));
  for (guint i = 0; i < 50; i++) {
    test_soup_answer (soup, 200, NULL, "ok");
    push (owner, i);
  }
  vod_reporter_finish (owner->reporter);
  /* Its thread ends by itself. */
  g_assert_true (test_wait_until (is_quiet, owner, 10));
  g_assert_true (test_no_threads ("vod-report"));
  g_assert_cmpuint (test_soup_n_requests (soup), ==, 50);
  for (guint i = 0; i < 50; i++) {
    assert_request (soup, i, i);
    g_assert_cmpuint (test_soup_request (soup, i)->connection, ==, 0);
  }
  /* Nothing comes after the end. */
  push (owner, 50);
  g_assert_true (vod_reporter_is_quiet (owner->reporter));
  g_assert_cmpuint (mishaps (owner), ==, 0);
  owner_free (owner);
}

static void
test_without_events_there_is_no_thread (void)
{
  Owner *owner = owner_new ("http://127.0.0.1:1", 5);

  vod_reporter_check_overdue (owner->reporter);
  g_assert_cmpuint (test_count_threads ("vod-report"), ==, 0);
  join_in_time (owner);
  push (owner, 0);
  g_assert_cmpuint (test_count_threads ("vod-report"), ==, 0);
  owner_free (owner);
  vod_reporter_push (NULL, g_bytes_new_static ("x", 1));
  vod_reporter_finish (NULL);
  vod_reporter_stop (NULL);
  vod_reporter_check_overdue (NULL);
  g_assert_true (vod_reporter_join (NULL));
  g_assert_true (vod_reporter_is_quiet (NULL));
  vod_reporter_free (NULL);
}

static gboolean
has_request (gpointer soup)
{
  return test_soup_n_requests (soup) > 0;
}

/* Four events, the last ones just before the end. FALSE: that has taken the whole
 * grace, because the machine has other things to do. */
static gboolean
all_arrive_in_time (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  Owner *owner = owner_new (test_soup_uri (soup), 5);
  g_autoptr (TestStopwatch) watch = NULL;
  gboolean in_time;

  for (guint i = 0; i < 4; i++)
    test_soup_answer (soup, 200, NULL, "ok");
  push (owner, 0);
  g_assert_true (test_wait_until (has_request, soup, 10));
  for (guint i = 1; i < 4; i++)
    push (owner, i);
  vod_reporter_finish (owner->reporter);
  watch = test_stopwatch_new ();
  join_in_time (owner);
  in_time = test_stopwatch_all_ms (watch) < VOD_REPORTER_GRACE;
  if (in_time)
    g_assert_cmpuint (test_soup_n_requests (soup), ==, 4);
  owner_free (owner);
  return in_time;
}

static void
test_grace_is_enough_for_a_kept_connection (void)
{
  guint attempts = 1;

  while (!all_arrive_in_time ())
    g_assert_cmpuint (attempts++, <, 200);
}

/* --- servers that do not --------------------------------------------------*/

static void
test_three_tries_and_one_mishap (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  Owner *owner = owner_new (test_soup_uri (soup), 5);

  /* 0 at the third try; 1 and 2 not at all; 3 at once. */
  for (guint i = 0; i < 2; i++)
    test_soup_answer (soup, 503, NULL, NULL);
  test_soup_answer (soup, 200, NULL, "ok");
  for (guint i = 0; i < 2 * VOD_REPORTER_TRIES; i++)
    test_soup_answer (soup, 500, NULL, NULL);
  test_soup_answer (soup, 200, NULL, "ok");
  for (guint i = 0; i < 4; i++)
    push (owner, i);
  vod_reporter_finish (owner->reporter);
  g_assert_true (test_wait_until (is_quiet, owner, 30));
  g_assert_cmpuint (test_soup_n_requests (soup), ==, 10);
  for (guint i = 0; i < 10; i++)
    assert_request (soup, i, i / 3);
  g_assert_cmpuint (mishaps (owner), ==, 1);
  g_assert_cmpint (owner->number, ==, 500);
  g_assert_nonnull (strstr (owner->message, "HTTP status 500"));
  owner_free (owner);
}

static void
test_nobody_listens (void)
{
  g_autofree gchar *uri = NULL;
  TestRaw *raw = test_raw_new (NULL, NULL);
  Owner *owner;

  uri = g_strdup (test_raw_uri (raw));
  test_raw_free (raw);
  owner = owner_new (uri, 5);
  for (guint i = 0; i < 3; i++)
    push (owner, i);
  g_assert_true (test_wait_until (has_mishap, owner, 10));
  vod_reporter_finish (owner->reporter);
  g_assert_true (test_wait_until (is_quiet, owner, 10));
  g_assert_cmpuint (mishaps (owner), ==, 1);
  g_assert_cmpint (owner->number, ==, -2);
  g_test_message ("%s", owner->message);
  owner_free (owner);
}

static void
test_settings_that_cannot_be_used (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  Owner *owner = g_new0 (Owner, 1);
  VodReporterSettings settings = {.endpoint = test_soup_uri (soup),
      .http = {.user_agent = "test",
          .timeout = 5,
          .tls_ca_file = "/nonexistent"},
      .mishap = on_mishap,
      .owner = owner,
      .hold = hold,
      .release = release};

  g_mutex_init (&owner->lock);
  owner->reporter = vod_reporter_new (&settings);
  push (owner, 0);
  g_assert_true (test_wait_until (has_mishap, owner, 10));
  g_assert_true (test_wait_until (is_quiet, owner, 10));
  push (owner, 1);
  g_assert_cmpuint (vod_reporter_queued (owner->reporter), ==, 0);
  g_assert_nonnull (strstr (owner->message, "tls-ca-file"));
  owner_free (owner);
}

/* The owner's handler ends everything. */
static void
test_joining_from_the_mishap (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  Owner *owner = owner_new (test_soup_uri (soup), 5);

  owner->joins = TRUE;
  owner->joined = TRUE;
  push (owner, 0);
  g_assert_true (test_wait_until (has_mishap, owner, 10));
  g_assert_false (owner->joined);
  owner_free (owner);
}

/* --- servers that never answer --------------------------------------------*/

typedef struct {
  GMutex lock;
  gboolean open;     /* answers from now on */
  GPtrArray *bodies; /* what was answered */
} Gate;

static gboolean
is_open (Gate *gate, GBytes *body)
{
  gboolean open;

  g_mutex_lock (&gate->lock);
  open = gate->open;
  if (open)
    g_ptr_array_add (gate->bodies, g_bytes_ref (body));
  g_mutex_unlock (&gate->lock);
  return open;
}

static void
serve_gate (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  for (;;) {
    g_autofree gchar *head = NULL;
    g_autoptr (GBytes) body = NULL;

    if (!test_raw_read_request (stream, &head, &body))
      return;
    while (!is_open (data, body)) {
      if (test_raw_stopping (raw))
        return;
      test_raw_wait (raw, 5);
    }
    if (!test_raw_write (
            stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
      return;
  }
}

static gboolean
was_accepted (gpointer raw)
{
  return test_raw_accepted (raw) > 0;
}

static gboolean
is_in_flight (gpointer data)
{
  Owner *owner = data;

  return vod_reporter_queued (owner->reporter) == 0;
}

static void
test_the_queue_is_bounded (void)
{
  Gate gate = {
      .bodies = g_ptr_array_new_with_free_func ((GDestroyNotify)g_bytes_unref)};
  TestRaw *raw;
  Owner *owner;

  g_mutex_init (&gate.lock);
  raw = test_raw_new (serve_gate, &gate);
  owner = owner_new (test_raw_uri (raw), 30);
  push (owner, 0);
  g_assert_true (test_wait_until (is_in_flight, owner, 10));
  for (guint i = 1; i <= 5000; i++) {
    push (owner, i);
    g_assert_cmpuint (
        vod_reporter_queued (owner->reporter), <=, VOD_REPORTER_MAX_EVENTS);
  }
  g_assert_cmpuint (
      vod_reporter_queued (owner->reporter), ==, VOD_REPORTER_MAX_EVENTS);
  vod_reporter_finish (owner->reporter);
  g_mutex_lock (&gate.lock);
  gate.open = TRUE;
  g_mutex_unlock (&gate.lock);
  g_assert_true (test_wait_until (is_quiet, owner, 20));

  /* The one under way, then the youngest; and the owner knows. */
  g_assert_cmpuint (gate.bodies->len, ==, 1 + VOD_REPORTER_MAX_EVENTS);
  for (guint i = 0; i < gate.bodies->len; i++) {
    gsize len;
    const gchar *text =
        g_bytes_get_data (g_ptr_array_index (gate.bodies, i), &len);
    g_autofree gchar *got = g_strndup (text, len);
    g_autofree gchar *expected = g_strdup_printf (
        "{\"n\":%u}", i == 0 ? 0 : 5000 - VOD_REPORTER_MAX_EVENTS + i);

    g_assert_cmpstr (got, ==, expected);
  }
  g_assert_cmpuint (mishaps (owner), ==, 1);
  g_assert_nonnull (strstr (owner->message, "more slowly"));
  owner_free (owner);
  test_raw_free (raw);
  g_ptr_array_unref (gate.bodies);
  g_mutex_clear (&gate.lock);
}

/* Accepts, reads, and says nothing (@data: or a byte of a header now and then).
 */
static void
serve_silence (TestRaw *raw, GIOStream *stream, guint n, gpointer data)
{
  if (!test_raw_read_request (stream, NULL, NULL))
    return;
  if (data && !test_raw_write (stream, "HTTP/1.1 200 OK\r\nX: "))
    return;
  while (!test_raw_stopping (raw)) {
    if (data && !test_raw_write (stream, "x"))
      return;
    test_raw_wait (raw, 50);
  }
}

static void
test_stopped_while_it_stalls (gconstpointer trickle)
{
  g_autoptr (TestRaw) raw = test_raw_new (serve_silence, (gpointer)trickle);
  Owner *owner = owner_new (test_raw_uri (raw), 5);

  for (guint i = 0; i < 10; i++)
    push (owner, i);
  g_assert_true (test_wait_until (was_accepted, raw, 10));
  g_assert_false (vod_reporter_is_quiet (owner->reporter));
  join_in_time (owner);
  g_assert_cmpuint (mishaps (owner), ==, 0);
  owner_free (owner);
}

/* Between two tries. */
static void
test_stopped_while_it_pauses (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();
  Owner *owner = owner_new (test_soup_uri (soup), 5);

  push (owner, 0);
  g_assert_true (test_wait_until (has_request, soup, 10));
  join_in_time (owner);
  owner_free (owner);
}

/* Nobody joins: who looks now and then ends it. */
static gboolean
is_quiet_after_a_look (gpointer data)
{
  Owner *owner = data;

  vod_reporter_check_overdue (owner->reporter);
  return vod_reporter_is_quiet (owner->reporter);
}

static void
test_stopped_but_not_joined (void)
{
  g_autoptr (TestRaw) raw =
      test_raw_new (serve_silence, GINT_TO_POINTER (TRUE));
  Owner *owner = owner_new (test_raw_uri (raw), 600);

  push (owner, 0);
  g_assert_true (test_wait_until (was_accepted, raw, 10));
  vod_reporter_stop (owner->reporter);
  g_assert_true (test_wait_until (is_quiet_after_a_look, owner, 10));
  g_assert_true (test_no_threads ("vod-report"));
  owner_free (owner);
}

static gboolean
has_mishap_after_a_look (gpointer data)
{
  Owner *owner = data;

  vod_reporter_check_overdue (owner->reporter);
  return has_mishap (owner);
}

/* Bytes move, so that no time-out of a socket sees it. */
static void
test_a_trickling_server_is_given_up (void)
{
  g_autoptr (TestRaw) raw =
      test_raw_new (serve_silence, GINT_TO_POINTER (TRUE));
  Owner *owner = owner_new (test_raw_uri (raw), 1);

  push (owner, 0);
  g_assert_true (test_wait_until (has_mishap_after_a_look, owner, 20));
  g_assert_cmpint (owner->number, ==, -2);
  g_assert_nonnull (strstr (owner->message, "took too long"));
  g_assert_cmpuint (test_raw_accepted (raw), ==, VOD_REPORTER_TRIES);
  owner_free (owner);
}

/* Stopped at a random moment, over and over. */
static void
test_stopped_at_any_moment (void)
{
  g_autoptr (TestSoup) soup = test_soup_new ();

  for (guint i = 0; i < 200; i++) {
    Owner *owner = owner_new (test_soup_uri (soup), 5);

    for (gint k = g_test_rand_int_range (0, 4); k > 0; k--) {
      if (g_test_rand_bit ())
        test_soup_answer (soup, 200, NULL, "ok");
      push (owner, (guint)k);
    }
    if (g_test_rand_bit ())
      vod_reporter_finish (owner->reporter);
    g_usleep ((gulong)g_test_rand_int_range (0, 3000));
    owner_free (owner);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/reporter/in-order-over-one-connection",
      test_in_order_over_one_connection);
  g_test_add_func ("/reporter/without-events-there-is-no-thread",
      test_without_events_there_is_no_thread);
  g_test_add_func ("/reporter/grace-is-enough-for-a-kept-connection",
      test_grace_is_enough_for_a_kept_connection);
  g_test_add_func (
      "/reporter/three-tries-and-one-mishap", test_three_tries_and_one_mishap);
  g_test_add_func ("/reporter/nobody-listens", test_nobody_listens);
  g_test_add_func ("/reporter/settings-that-cannot-be-used",
      test_settings_that_cannot_be_used);
  g_test_add_func (
      "/reporter/joining-from-the-mishap", test_joining_from_the_mishap);
  g_test_add_func ("/reporter/queue-is-bounded", test_the_queue_is_bounded);
  g_test_add_data_func (
      "/reporter/stopped/while-it-stalls", NULL, test_stopped_while_it_stalls);
  g_test_add_data_func ("/reporter/stopped/while-it-trickles",
      GINT_TO_POINTER (TRUE), test_stopped_while_it_stalls);
  g_test_add_func (
      "/reporter/stopped/while-it-pauses", test_stopped_while_it_pauses);
  g_test_add_func (
      "/reporter/stopped/but-not-joined", test_stopped_but_not_joined);
  g_test_add_func (
      "/reporter/stopped/at-any-moment", test_stopped_at_any_moment);
  g_test_add_func (
      "/reporter/trickling-server", test_a_trickling_server_is_given_up);
  return g_test_run ();
}
