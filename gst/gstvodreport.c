/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstvodreport.h"

#include "gstvodadvice.h"
#include "gstvodmessages.h"

GST_DEBUG_CATEGORY_EXTERN (gst_vod_sink_debug);
#define GST_CAT_DEFAULT gst_vod_sink_debug

/* What PROGRESS messages are about. One may begin before the other has ended: a
 * short stream ends before its upload is open. */
typedef enum {
  STEP_OPEN,
  STEP_CLOSE,
  N_STEPS,
} Step;

static const gchar *const step_codes[N_STEPS] = {"open", "close"};

typedef enum {
  PROGRESS_NONE,
  PROGRESS_TELLING, /* START or CONTINUE is being posted */
  PROGRESS_BEGUN,
} ProgressState;

typedef struct {
  ProgressState state;
  GstProgressType end; /* while TELLING: how it has ended meanwhile … */
  gchar *end_text;     /* … if this is not NULL */
} Progress;

struct _GstVodReport {
  GWeakRef element;
  gchar *name;
  gchar *location;

  /* `lock` guards what follows. */
  GMutex lock;
  gboolean muted;
  Progress steps[N_STEPS];
  gint left_done; /* %, what the last beat said after finish */
  gchar *told;    /* what the last CONTINUE said */
  guint64 loaded; /* what the last progress said */
  gchar *trouble; /* why something is being tried again; NULL: nothing is */
  GstVodOutcome outcome;
  gchar *file_id;
  gchar *video_url;
  gchar *cover_url;
};

/* --- life -----------------------------------------------------------------*/

GstVodReport *
gst_vod_report_new (
    GstElement *element, const gchar *name, const gchar *location)
{
  GstVodReport *report = g_atomic_rc_box_new0 (GstVodReport);

  g_weak_ref_init (&report->element, element);
  report->name = g_strdup (name);
  report->location = g_strdup (location);
  g_mutex_init (&report->lock);
  return report;
}

static void
report_clear (gpointer memory)
{
  GstVodReport *report = memory;

  g_weak_ref_clear (&report->element);
  g_free (report->name);
  g_free (report->location);
  g_free (report->file_id);
  g_free (report->video_url);
  g_free (report->cover_url);
  g_free (report->trouble);
  g_free (report->told);
  for (guint i = 0; i < N_STEPS; i++)
    g_free (report->steps[i].end_text);
  g_mutex_clear (&report->lock);
}

GstVodReport *
gst_vod_report_ref (GstVodReport *report)
{
  return g_atomic_rc_box_acquire (report);
}

void
gst_vod_report_unref (GstVodReport *report)
{
  g_atomic_rc_box_release_full (report, report_clear);
}

/* The element, if it lives and still wants to hear; a reference. */
static GstElement *
hearing_element (GstVodReport *report)
{
  gboolean muted;

  g_mutex_lock (&report->lock);
  muted = report->muted;
  g_mutex_unlock (&report->lock);
  return muted ? NULL : g_weak_ref_get (&report->element);
}

/* --- PROGRESS -------------------------------------------------------------*/

/* Who ends a step while its START or a CONTINUE is on the way leaves word, so
 * that the end never comes before it. This posts it then. */
static void
settle_step (GstVodReport *report, GstElement *element, Step step)
{
  Progress *progress = &report->steps[step];
  g_autofree gchar *end_text = NULL;
  GstProgressType end;

  g_mutex_lock (&report->lock);
  end_text = g_steal_pointer (&progress->end_text);
  end = progress->end;
  progress->state = end_text ? PROGRESS_NONE : PROGRESS_BEGUN;
  g_mutex_unlock (&report->lock);
  if (end_text)
    gst_vod_post_step (element, end, step_codes[step], end_text);
}

static void
begin_step (
    GstVodReport *report, GstElement *element, Step step, const gchar *text)
{
  g_mutex_lock (&report->lock);
  if (report->muted || report->outcome != GST_VOD_UNDER_WAY) {
    g_mutex_unlock (&report->lock);
    return;
  }
  report->steps[step].state = PROGRESS_TELLING;
  g_mutex_unlock (&report->lock);

  gst_vod_post_step (element, GST_PROGRESS_TYPE_START, step_codes[step], text);
  settle_step (report, element, step);
}

/* How @step goes on, to be freed. With the lock. */
static gchar *
describe_step (const GstVodReport *report, Step step)
{
  const gchar *trouble = report->trouble;

  if (step == STEP_CLOSE)
    return g_strdup_printf ("Uploading what is left: %d %%%s%s",
        report->left_done, trouble ? ", trying again: " : "",
        trouble ? trouble : "");
  return trouble
      ? g_strdup_printf ("Opening the upload, trying again: %s", trouble)
      : NULL;
}

/* How the step that is under way goes on, the later one of two, to be freed; from
 * now on that is being told. NULL: as was said last time. Between them, while a
 * stream is recorded, there is none. */
static gchar *
take_news (GstVodReport *report, Step *step)
{
  g_autofree gchar *text = NULL;

  g_mutex_lock (&report->lock);
  *step = report->steps[STEP_CLOSE].state == PROGRESS_BEGUN ? STEP_CLOSE
                                                            : STEP_OPEN;
  if (report->steps[*step].state == PROGRESS_BEGUN)
    text = describe_step (report, *step);
  if (g_strcmp0 (text, report->told) == 0)
    g_clear_pointer (&text, g_free);
  if (text) {
    g_free (report->told);
    report->told = g_strdup (text);
    report->steps[*step].state = PROGRESS_TELLING;
  }
  g_mutex_unlock (&report->lock);
  return g_steal_pointer (&text);
}

/* Says so, and what others would have said meanwhile. */
static void
continue_step (GstVodReport *report, GstElement *element)
{
  gchar *text;
  Step step;

  while ((text = take_news (report, &step))) {
    gst_vod_post_step (
        element, GST_PROGRESS_TYPE_CONTINUE, step_codes[step], text);
    g_free (text);
    settle_step (report, element, step);
  }
}

/* Posts that @step has come to @type, if it was begun. */
static void
end_step (GstVodReport *report, GstElement *element, Step step,
    GstProgressType type, const gchar *text)
{
  Progress *progress = &report->steps[step];
  gboolean begun;

  g_mutex_lock (&report->lock);
  begun = progress->state == PROGRESS_BEGUN;
  if (begun) {
    progress->state = PROGRESS_NONE;
  } else if (progress->state == PROGRESS_TELLING && !progress->end_text) {
    progress->end = type;
    progress->end_text = g_strdup (text);
  }
  g_mutex_unlock (&report->lock);
  if (begun)
    gst_vod_post_step (element, type, step_codes[step], text);
}

static void
end_steps (GstVodReport *report, GstElement *element, GstProgressType type,
    const gchar *text)
{
  end_step (report, element, STEP_OPEN, type, text);
  end_step (report, element, STEP_CLOSE, type, text);
}

/* --- events of the upload -------------------------------------------------*/

static gboolean
on_can_ask (gpointer data)
{
  g_autoptr (GstElement) element = hearing_element (data);

  return element &&
      g_signal_has_handler_pending (element,
          g_signal_lookup ("get-signature", G_OBJECT_TYPE (element)), 0, FALSE);
}

static gchar *
on_ask (gpointer data)
{
  g_autoptr (GstElement) element = hearing_element (data);
  gchar *signature = NULL;

  if (element == NULL)
    return NULL;
  GST_DEBUG_OBJECT (element, "asking the application for a signature");
  g_signal_emit_by_name (element, "get-signature", &signature);
  GST_DEBUG_OBJECT (element, "the application %s",
      signature ? "has answered" : "will answer later");
  return signature;
}

/* That more has been confirmed ends any trouble. */
static void
on_progress (const VodUploadProgress *progress, gpointer data)
{
  GstVodReport *report = data;
  g_autoptr (GstElement) element = hearing_element (report);
  gboolean ending = progress->left_done >= 0;

  if (element == NULL)
    return;
  g_mutex_lock (&report->lock);
  if (progress->loaded > report->loaded)
    g_clear_pointer (&report->trouble, g_free);
  report->loaded = progress->loaded;
  if (ending)
    report->left_done = (gint)(100 * progress->left_done);
  g_mutex_unlock (&report->lock);

  if (progress->wanted) {
    GST_DEBUG_OBJECT (element,
        "%" G_GUINT64_FORMAT " bytes confirmed, %" G_GUINT64_FORMAT " bytes/s",
        progress->loaded, progress->speed);
    gst_vod_post_progress (element, progress);
  }
  if (ending)
    continue_step (report, element);
}

static void
on_retry (VodPhase phase, guint attempt, guint delay_ms, const gchar *message,
    gpointer data)
{
  GstVodReport *report = data;
  g_autoptr (GstElement) element = hearing_element (report);

  if (element == NULL)
    return;
  /* Before it is posted: by the time that was heard it may be over. */
  g_mutex_lock (&report->lock);
  g_free (report->trouble);
  report->trouble = g_strdup (message);
  g_mutex_unlock (&report->lock);
  gst_vod_post_retry (element, phase, attempt, delay_ms, message);
  continue_step (report, element);
}

static void
on_milestone (VodUploadMilestone milestone, gpointer data)
{
  GstVodReport *report = data;
  g_autoptr (GstElement) element = hearing_element (report);

  if (element == NULL)
    return;
  switch (milestone) {
    case VOD_UPLOAD_OPENING:
      GST_INFO_OBJECT (element, "asking the service for an upload");
      begin_step (report, element, STEP_OPEN, "Opening the upload");
      break;
    case VOD_UPLOAD_OPENED:
      GST_INFO_OBJECT (element, "the upload is open: parts are sent");
      g_mutex_lock (&report->lock);
      g_clear_pointer (&report->trouble, g_free);
      g_mutex_unlock (&report->lock);
      end_step (report, element, STEP_OPEN, GST_PROGRESS_TYPE_COMPLETE,
          "The upload is open");
      break;
    case VOD_UPLOAD_CLOSING:
      begin_step (report, element, STEP_CLOSE, "Uploading what is left");
      break;
    case VOD_UPLOAD_CLOSED:
      end_step (report, element, STEP_CLOSE, GST_PROGRESS_TYPE_COMPLETE,
          "The media is committed");
      break;
  }
}

static const gchar *
phase_of_warning (VodUploadWarning warning)
{
  switch (warning) {
    case VOD_UPLOAD_BLOCKED:
      return "blocked";
    case VOD_UPLOAD_SPOOL:
      return "spool";
    case VOD_UPLOAD_SESSION:
      return "session";
    case VOD_UPLOAD_NEAR_LIMIT:
      break;
  }
  return NULL;
}

static void
on_warning (VodUploadWarning warning, const gchar *message,
    const gchar *spool_location, gpointer data)
{
  GstVodReport *report = data;
  g_autoptr (GstElement) element = hearing_element (report);

  if (element == NULL)
    return;
  GST_WARNING_OBJECT (element, "%s%s%s", message,
      spool_location ? "; what there is of it is kept in " : "",
      spool_location ? spool_location : "");
  gst_vod_post_warning (element, phase_of_warning (warning), message,
      report->location, spool_location);
}

static void
on_recovered (
    const gchar *spool_location, const gchar *resume_key, gpointer data)
{
  g_autoptr (GstElement) element = hearing_element (data);

  if (element == NULL)
    return;
  GST_WARNING_OBJECT (element,
      "an unfinished recording was found and set aside as %s; vod-resume "
      "finishes it",
      spool_location);
  gst_vod_post_recovered (element, spool_location, resume_key);
}

static void
on_notice (const gchar *message, gpointer data)
{
  g_autoptr (GstElement) element = hearing_element (data);

  if (element == NULL)
    return;
  GST_INFO_OBJECT (element, "%s", message);
  /* gst-launch shows the debug text only. */
  GST_ELEMENT_INFO (
      element, RESOURCE, SETTINGS, ("%s", message), ("%s", message));
}

static void
on_finished (const VodUploadResult *result, gpointer data)
{
  GstVodReport *report = data;
  g_autoptr (GstElement) element = hearing_element (report);

  if (element == NULL)
    return;
  g_mutex_lock (&report->lock);
  report->file_id = g_strdup (result->file_id);
  report->video_url = g_strdup (result->video_url);
  report->cover_url = g_strdup (result->cover_url);
  report->outcome = GST_VOD_FINISHED;
  g_mutex_unlock (&report->lock);

  GST_INFO_OBJECT (element,
      "finished: file id %s, %" G_GUINT64_FORMAT " bytes in %u parts",
      result->file_id, result->size, result->parts);
  g_object_notify (G_OBJECT (element), "file-id");
  g_object_notify (G_OBJECT (element), "video-url");
  g_object_notify (G_OBJECT (element), "cover-url");
  gst_vod_post_finish (element, result, report->name, report->location);
}

static void
log_failure (
    GstElement *element, GstDebugLevel level, GError *error, const gchar *next)
{
  const VodErrorDetails *details = vod_error_details (error);

  GST_CAT_LEVEL_LOG (gst_vod_sink_debug, level, element,
      "failed for good (phase %s, code %d%s%s%s%s): %s; %s",
      vod_phase_name (details->phase), vod_error_number (error),
      details->error_code ? " " : "",
      details->error_code ? details->error_code : "",
      details->request_id ? ", request id " : "",
      details->request_id ? details->request_id : "", error->message, next);
}

static void
on_mishap (GError *error, gpointer data)
{
  GstVodReport *report = data;
  g_autoptr (GstElement) element = hearing_element (report);
  g_autoptr (GError) advised = NULL;

  if (element == NULL)
    return;
  advised = gst_vod_advise (error);
  log_failure (element, GST_LEVEL_WARNING, advised, "the media does without");
  gst_vod_post_mishap (element, advised, report->location);
}

/* What becomes of the media now, and who goes on. */
static const gchar *
next_of (GError *error, gboolean fatal)
{
  const VodErrorDetails *details = vod_error_details (error);

  if (details->spool_location)
    return "the recording is in the spool: vod-resume sends it";
  if (details->resumable)
    return "what is up is kept: the same media again goes on from there";
  return fatal ? "nothing of it is kept"
               : "nothing of it is kept, and the rest of the stream is dropped";
}

void
gst_vod_report_fail (GstVodReport *report, GError *error)
{
  g_autoptr (GstElement) element = hearing_element (report);
  g_autoptr (GError) advised = NULL;
  gboolean fatal, first;

  if (element == NULL)
    return;
  g_object_get (element, "fatal-errors", &fatal, NULL);
  /* Who cancels wants an end, not to go on without. */
  fatal = fatal || error->code == VOD_ERROR_CANCELLED;
  g_mutex_lock (&report->lock);
  first = report->outcome == GST_VOD_UNDER_WAY;
  if (first)
    report->outcome = fatal ? GST_VOD_FAILED : GST_VOD_DISCARDING;
  g_mutex_unlock (&report->lock);
  if (!first)
    return;

  advised = gst_vod_advise (error);
  log_failure (element, GST_LEVEL_ERROR, advised, next_of (error, fatal));
  gst_vod_post_failure (element, advised, report->location, fatal);
  end_steps (report, element, GST_PROGRESS_TYPE_ERROR, error->message);
}

static void
on_failed (GError *error, gpointer data)
{
  gst_vod_report_fail (data, error);
}

const VodUploadEvents gst_vod_report_events = {
    .can_ask = on_can_ask,
    .ask = on_ask,
    .progress = on_progress,
    .retry = on_retry,
    .milestone = on_milestone,
    .warning = on_warning,
    .mishap = on_mishap,
    .recovered = on_recovered,
    .notice = on_notice,
    .finished = on_finished,
    .failed = on_failed,
};

/* --- the log --------------------------------------------------------------*/

static GstDebugLevel
level_of (VodLogLevel level)
{
  switch (level) {
    case VOD_LOG_WARNING:
      return GST_LEVEL_WARNING;
    case VOD_LOG_INFO:
      return GST_LEVEL_INFO;
    case VOD_LOG_DEBUG:
      return GST_LEVEL_DEBUG;
    case VOD_LOG_TRACE:
      break;
  }
  return GST_LEVEL_LOG;
}

static gboolean
on_log_wanted (VodLogLevel level, gpointer data)
{
  return level_of (level) <=
      gst_debug_category_get_threshold (gst_vod_sink_debug);
}

/* Also of an upload that is muted: what it deletes is worth a line. */
static void
on_log (VodLogLevel level, const gchar *file, const gchar *function, gint line,
    const gchar *text, gpointer data)
{
  GstVodReport *report = data;
  g_autoptr (GstElement) element = g_weak_ref_get (&report->element);

  gst_debug_log (gst_vod_sink_debug, level_of (level), file, function, line,
      G_OBJECT (element), "%s", text);
}

VodLog
gst_vod_report_log (GstVodReport *report)
{
  return (VodLog){.wants = on_log_wanted, .write = on_log, .data = report};
}

/* --- the element ----------------------------------------------------------*/

void
gst_vod_report_mute (GstVodReport *report)
{
  g_autoptr (GstElement) element = g_weak_ref_get (&report->element);

  g_mutex_lock (&report->lock);
  report->muted = TRUE;
  g_mutex_unlock (&report->lock);
  if (element)
    end_steps (
        report, element, GST_PROGRESS_TYPE_CANCELED, "The upload was stopped");
}

GstVodOutcome
gst_vod_report_outcome (GstVodReport *report)
{
  GstVodOutcome outcome;

  g_mutex_lock (&report->lock);
  outcome = report->outcome;
  g_mutex_unlock (&report->lock);
  return outcome;
}

/* A copy of one of the report's strings. */
static gchar *
copy_string (GstVodReport *report, gchar *const *string)
{
  gchar *copy;

  g_mutex_lock (&report->lock);
  copy = g_strdup (*string);
  g_mutex_unlock (&report->lock);
  return copy;
}

gchar *
gst_vod_report_file_id (GstVodReport *report)
{
  return copy_string (report, &report->file_id);
}

gchar *
gst_vod_report_video_url (GstVodReport *report)
{
  return copy_string (report, &report->video_url);
}

gchar *
gst_vod_report_cover_url (GstVodReport *report)
{
  return copy_string (report, &report->cover_url);
}
