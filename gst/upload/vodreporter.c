/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodreporter: see vodreporter.h.
 *
 * `lock` guards everything below "state"; what is above it does not change. It
 * may be taken while an upload's is held; while it is held nothing is called
 * that takes another, but for cancelling, which the pace hears. It is not held
 * during a request, while the owner is told, or while a reference to it is
 * given back that may be the last one, which frees the reporter. `cond` wakes
 * the thread (an event, the end, the end of a pause) and who joins it (it has
 * left).
 *
 * The thread alone creates, uses and frees the VodHttp; others, with the lock,
 * ask it whether it is overdue as long as `http` is set.
 */
#include "vodreporter.h"

#include "../cloud/voderror.h"
#include "../cloud/vodreport.h"

#define FIRST_PAUSE 250 /* ms; the next is four times as long */

struct _VodReporter {
  VodReporterSettings settings;

  GMutex lock;
  GCond cond;

  /* state */
  GQueue events;     /* of GBytes, but for the one that is being sent */
  gboolean finished; /* no more will come */
  gint64 deadline; /* monotonic µs: stopped, the grace ends; 0: not stopped */
  gboolean cancelled; /* it has ended */
  gboolean dropped;   /* an event that had no room */
  gboolean told;      /* the owner knows */
  GThread *thread;    /* NULL: not started, or joined */
  gboolean left;      /* the thread touches nothing any more but its reference
                       * to the owner */
  VodHttp *http;      /* of the thread, once it has one */
  GCancellable *request; /* under way; NULL: none */
};

/* --- life -----------------------------------------------------------------*/

VodReporter *
vod_reporter_new (const VodReporterSettings *settings)
{
  VodReporter *reporter = g_new0 (VodReporter, 1);
  VodReporterSettings *copy = &reporter->settings;

  *copy = *settings;
  copy->endpoint = g_strdup (settings->endpoint);
  copy->http.user_agent = g_strdup (settings->http.user_agent);
  copy->http.proxy = g_strdup (settings->http.proxy);
  copy->http.tls_ca_file = g_strdup (settings->http.tls_ca_file);
  if (copy->http.pace)
    vod_pace_ref (copy->http.pace);
  g_mutex_init (&reporter->lock);
  g_cond_init (&reporter->cond);
  g_queue_init (&reporter->events);
  return reporter;
}

static void
drop_events (VodReporter *reporter)
{
  g_queue_clear_full (&reporter->events, (GDestroyNotify)g_bytes_unref);
}

void
vod_reporter_free (VodReporter *reporter)
{
  if (!reporter)
    return;
  drop_events (reporter);
  g_clear_pointer (&reporter->thread, g_thread_unref);
  g_free ((gchar *)reporter->settings.endpoint);
  g_free ((gchar *)reporter->settings.http.user_agent);
  g_free ((gchar *)reporter->settings.http.proxy);
  g_free ((gchar *)reporter->settings.http.tls_ca_file);
  g_clear_pointer (&reporter->settings.http.pace, vod_pace_unref);
  g_cond_clear (&reporter->cond);
  g_mutex_clear (&reporter->lock);
  g_free (reporter);
}

/* --- the thread; with the lock unless said otherwise ----------------------*/

/* Has the grace ended, if it has begun? */
static gboolean
is_over (VodReporter *reporter)
{
  if (reporter->deadline != 0 && g_get_monotonic_time () >= reporter->deadline)
    reporter->cancelled = TRUE;
  return reporter->cancelled;
}

/* Waits for the next event. NULL: there is none any more. */
static GBytes *
next_event (VodReporter *reporter)
{
  while (g_queue_is_empty (&reporter->events) && !reporter->finished &&
      reporter->deadline == 0)
    g_cond_wait (&reporter->cond, &reporter->lock);
  return is_over (reporter) ? NULL : g_queue_pop_head (&reporter->events);
}

/* Gives up the lock. */
static gboolean
try_once (VodReporter *reporter, VodHttp *http, GBytes *event, GError **error)
{
  gboolean sent;

  reporter->request = g_cancellable_new ();
  g_mutex_unlock (&reporter->lock);
  sent = vod_report_send (
      http, reporter->settings.endpoint, event, reporter->request, error);
  g_mutex_lock (&reporter->lock);
  g_clear_object (&reporter->request);
  return sent;
}

static void
pause_for (VodReporter *reporter, guint ms)
{
  gint64 end = g_get_monotonic_time () + ms * (gint64)1000;

  while (reporter->deadline == 0 &&
      g_cond_wait_until (&reporter->cond, &reporter->lock, end))
    continue;
}

/* Gives up the lock. */
static void
log_failure (VodReporter *reporter, GError *failure, guint tries, guint pause)
{
  g_mutex_unlock (&reporter->lock);
  vod_log (&reporter->settings.http.log, VOD_LOG_WARNING,
      "report (phase report, try %u) has failed, code %d: %s; again in %u ms",
      tries, vod_error_number (failure), failure->message, pause);
  g_mutex_lock (&reporter->lock);
}

/* FALSE without @error: there is no time any more. Gives up the lock. */
static gboolean
send_event (VodReporter *reporter, VodHttp *http, GBytes *event, GError **error)
{
  guint pause = FIRST_PAUSE;

  for (guint tries = 1; !is_over (reporter); tries++) {
    g_autoptr (GError) failure = NULL;

    if (try_once (reporter, http, event, &failure))
      return TRUE;
    if (tries == VOD_REPORTER_TRIES && !is_over (reporter)) {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
    if (!is_over (reporter))
      log_failure (reporter, failure, tries, pause);
    pause_for (reporter, pause);
    pause *= 4;
  }
  return FALSE;
}

/* Takes @error. Gives up the lock. */
static void
tell_owner (VodReporter *reporter, GError *error)
{
  if (!reporter->told && !reporter->cancelled) {
    reporter->told = TRUE;
    g_mutex_unlock (&reporter->lock);
    g_prefix_error (&error,
        "Events of the upload could not be reported, which does not affect "
        "it: ");
    vod_error_set_phase (error, VOD_PHASE_REPORT);
    reporter->settings.mishap (error, reporter->settings.owner);
    g_mutex_lock (&reporter->lock);
  }
  g_error_free (error);
}

static GError *
overrun_error (VodReporter *reporter)
{
  return vod_error_new (VOD_ERROR_NETWORK,
      "%s takes the events more slowly than they come",
      reporter->settings.endpoint);
}

static void
send_events (VodReporter *reporter, VodHttp *http)
{
  GBytes *event;

  while ((event = next_event (reporter))) {
    GError *error = NULL;

    if (send_event (reporter, http, event, &error) && reporter->dropped) {
      reporter->dropped = FALSE;
      error = overrun_error (reporter);
    }
    g_bytes_unref (event);
    if (error)
      tell_owner (reporter, error);
  }
}

/* Without the lock. */
static gpointer
reporter_main (gpointer data)
{
  VodReporter *reporter = data;
  void (*release) (gpointer owner) = reporter->settings.release;
  gpointer owner = reporter->settings.owner;
  GError *error = NULL;
  VodHttp *http = vod_http_new (&reporter->settings.http, &error);

  if (http)
    vod_http_set_purpose (http, "report");
  g_mutex_lock (&reporter->lock);
  reporter->http = http;
  if (http)
    send_events (reporter, http);
  else
    tell_owner (reporter, error);
  reporter->http = NULL;
  reporter->finished = TRUE;
  drop_events (reporter);
  g_mutex_unlock (&reporter->lock);
  vod_http_free (http);

  g_mutex_lock (&reporter->lock);
  reporter->left = TRUE;
  g_cond_broadcast (&reporter->cond);
  g_mutex_unlock (&reporter->lock);
  release (owner);
  return NULL;
}

/* Without another reference the owner could go while the thread works for it.
 */
static gboolean
ensure_thread (VodReporter *reporter)
{
  if (reporter->thread)
    return TRUE;
  reporter->settings.hold (reporter->settings.owner);
  reporter->thread =
      g_thread_try_new ("vod-report", reporter_main, reporter, NULL);
  if (reporter->thread)
    return TRUE;
  /* Not the last one: the caller has one. */
  reporter->settings.release (reporter->settings.owner);
  return FALSE;
}

/* --- from outside ---------------------------------------------------------*/

gboolean
vod_reporter_push (VodReporter *reporter, GBytes *event)
{
  gboolean result = TRUE;

  if (!reporter) {
    g_bytes_unref (event);
    return TRUE;
  }
  g_mutex_lock (&reporter->lock);
  if (reporter->finished || reporter->deadline != 0) {
    g_bytes_unref (event);
  } else {
    if (g_queue_get_length (&reporter->events) == VOD_REPORTER_MAX_EVENTS) {
      g_bytes_unref (g_queue_pop_head (&reporter->events));
      reporter->dropped = TRUE;
    }
    g_queue_push_tail (&reporter->events, event);
    result = ensure_thread (reporter);
    g_cond_broadcast (&reporter->cond);
  }
  g_mutex_unlock (&reporter->lock);
  return result;
}

void
vod_reporter_finish (VodReporter *reporter)
{
  if (!reporter)
    return;
  g_mutex_lock (&reporter->lock);
  reporter->finished = TRUE;
  g_cond_broadcast (&reporter->cond);
  g_mutex_unlock (&reporter->lock);
}

/* With the lock. */
static void
begin_grace (VodReporter *reporter)
{
  if (reporter->deadline != 0)
    return;
  reporter->deadline =
      g_get_monotonic_time () + VOD_REPORTER_GRACE * (gint64)1000;
  g_cond_broadcast (&reporter->cond);
}

void
vod_reporter_stop (VodReporter *reporter)
{
  if (!reporter)
    return;
  g_mutex_lock (&reporter->lock);
  begin_grace (reporter);
  g_mutex_unlock (&reporter->lock);
}

/* Cancels what is under way if its time is over. With the lock. */
static void
check_request (VodReporter *reporter)
{
  gboolean over = is_over (reporter) ||
      (reporter->http && vod_http_overdue (reporter->http));

  if (over && reporter->request)
    g_cancellable_cancel (reporter->request);
}

gboolean
vod_reporter_join (VodReporter *reporter)
{
  GThread *thread;

  if (!reporter)
    return TRUE;
  g_mutex_lock (&reporter->lock);
  begin_grace (reporter);
  if (reporter->thread == g_thread_self ()) {
    g_mutex_unlock (&reporter->lock);
    return FALSE;
  }
  while (reporter->thread && !reporter->left) {
    if (reporter->cancelled)
      g_cond_wait (&reporter->cond, &reporter->lock);
    else if (!g_cond_wait_until (
                 &reporter->cond, &reporter->lock, reporter->deadline))
      check_request (reporter);
  }
  thread = g_steal_pointer (&reporter->thread);
  g_mutex_unlock (&reporter->lock);
  if (thread)
    g_thread_join (thread);
  return TRUE;
}

gboolean
vod_reporter_is_quiet (VodReporter *reporter)
{
  gboolean quiet;

  if (!reporter)
    return TRUE;
  g_mutex_lock (&reporter->lock);
  quiet = !reporter->thread || reporter->left;
  g_mutex_unlock (&reporter->lock);
  return quiet;
}

void
vod_reporter_check_overdue (VodReporter *reporter)
{
  if (!reporter)
    return;
  g_mutex_lock (&reporter->lock);
  check_request (reporter);
  g_mutex_unlock (&reporter->lock);
}

guint
vod_reporter_queued (VodReporter *reporter)
{
  guint queued;

  g_mutex_lock (&reporter->lock);
  queued = g_queue_get_length (&reporter->events);
  g_mutex_unlock (&reporter->lock);
  return queued;
}
