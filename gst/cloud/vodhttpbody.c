/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodhttpbody: see vodhttpbody.h. Used in one thread.
 */
#include "vodhttpbody.h"

struct _VodHttpBodyStream {
  GInputStream parent;
  const VodHttpRequest *request;
  VodHttpDeadline *deadline;
  VodPace *pace;
  guint64 offset; /* of the next byte to be read */
  gsize handed;   /* bytes of the last piece, not yet known to be written */
  gboolean sent;
};

G_DEFINE_FINAL_TYPE (
    VodHttpBodyStream, vod_http_body_stream, G_TYPE_INPUT_STREAM)

/* Being asked for more means that the piece before went out. */
static void
count_sent (VodHttpBodyStream *self)
{
  gsize bytes = self->handed;
  GMainContext *context;

  self->handed = 0;
  if (bytes == 0 || !self->request->sent)
    return;
  /* The callback is the caller's: our context, which never runs, is not for
   * sources of theirs. */
  context = g_main_context_ref_thread_default ();
  g_main_context_pop_thread_default (context);
  self->request->sent (bytes, self->request->sent_data);
  g_main_context_push_thread_default (context);
  g_main_context_unref (context);
}

/* How many of @count bytes may go now; waits for it. 0: cancelled. */
static gsize
take_turn (VodHttpBodyStream *self, gsize count, GCancellable *cancellable)
{
  gsize taken;

  if (self->pace == NULL || vod_pace_get_rate (self->pace) == 0)
    return count;
  vod_http_deadline_hold (self->deadline);
  taken = vod_pace_take (self->pace, count, cancellable);
  vod_http_deadline_go_on (self->deadline);
  return taken;
}

static gssize
vod_http_body_stream_read (GInputStream *stream, void *buffer, gsize count,
    GCancellable *cancellable, GError **error)
{
  VodHttpBodyStream *self = VOD_HTTP_BODY_STREAM (stream);
  const VodHttpBody *body = self->request->body;
  guint64 left = body->length - self->offset;
  gsize n;

  count_sent (self);
  if (left == 0) {
    self->sent = TRUE;
    return 0;
  }
  if (vod_http_deadline_passed (self->deadline)) {
    g_set_error_literal (
        error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "the request is too slow");
    return -1;
  }
  count = take_turn (self, MIN (count, left), cancellable);
  if (count == 0) {
    g_cancellable_set_error_if_cancelled (cancellable, error);
    return -1;
  }
  n = body->read (body->data, self->offset, buffer, count);
  if (n == 0 || n > count) {
    g_set_error_literal (
        error, G_IO_ERROR, G_IO_ERROR_FAILED, "the body cannot be read");
    return -1;
  }
  self->offset += n;
  self->handed = n;
  return (gssize)n;
}

static void
vod_http_body_stream_class_init (VodHttpBodyStreamClass *klass)
{
  GInputStreamClass *stream_class = G_INPUT_STREAM_CLASS (klass);

  stream_class->read_fn = vod_http_body_stream_read;
}

static void
vod_http_body_stream_init (VodHttpBodyStream *self)
{
}

GInputStream *
vod_http_body_stream_new (
    const VodHttpRequest *request, VodHttpDeadline *deadline, VodPace *pace)
{
  VodHttpBodyStream *self = g_object_new (VOD_TYPE_HTTP_BODY_STREAM, NULL);

  self->request = request;
  self->deadline = deadline;
  self->pace = pace;
  return G_INPUT_STREAM (self);
}

gboolean
vod_http_body_stream_is_sent (VodHttpBodyStream *stream)
{
  return stream->sent;
}
