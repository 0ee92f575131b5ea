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
  GOutputStream *direct; /* NULL: libsoup writes */
  guint8 *buffer;        /* for what cannot be peeked at, once needed */
};

/* What is written at a time, and the least body that is worth it. */
#define PIECE (256 * 1024)
/* The same of what has to be read first: a buffer for each request under way. */
#define READ_PIECE (64 * 1024)
#define LEAST_DIRECT (32 * 1024)

G_DEFINE_FINAL_TYPE (
    VodHttpBodyStream, vod_http_body_stream, G_TYPE_INPUT_STREAM)

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

static gboolean
is_late (VodHttpBodyStream *self, GError **error)
{
  if (!vod_http_deadline_passed (self->deadline))
    return FALSE;
  g_set_error_literal (
      error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "the request is too slow");
  return TRUE;
}

/* How many of @count bytes may go next. 0: none, with @error. */
static gsize
begin_piece (VodHttpBodyStream *self, gsize count, GCancellable *cancellable,
    GError **error)
{
  if (is_late (self, error))
    return 0;
  count = take_turn (self, count, cancellable);
  if (count == 0)
    g_cancellable_set_error_if_cancelled (cancellable, error);
  return count;
}

static gboolean
read_piece (
    VodHttpBodyStream *self, gpointer buffer, gsize *count, GError **error)
{
  const VodHttpBody *body = self->request->body;
  gsize n = body->read (body->data, self->offset, buffer, *count);

  if (n == 0 || n > *count) {
    g_set_error_literal (
        error, G_IO_ERROR, G_IO_ERROR_FAILED, "the body cannot be read");
    return FALSE;
  }
  *count = n;
  return TRUE;
}

/* The next piece, of *@count bytes at most, as many as may go. NULL: there is
 * none, with @error. A turn is taken for no more than there is: what is not used
 * is lost. */
static const guint8 *
find_piece (VodHttpBodyStream *self, gsize *count, GCancellable *cancellable,
    GError **error)
{
  const VodHttpBody *body = self->request->body;
  const guint8 *bytes = NULL;
  gsize len = *count;

  if (body->peek)
    bytes = body->peek (body->data, self->offset, &len);
  *count = MIN (*count, bytes ? len : READ_PIECE);
  *count = begin_piece (self, *count, cancellable, error);
  if (*count == 0)
    return NULL;
  if (bytes)
    return bytes;
  if (self->buffer == NULL)
    self->buffer = g_malloc (READ_PIECE);
  return read_piece (self, self->buffer, count, error) ? self->buffer : NULL;
}

/* As much at a time as the socket takes, so that a slow line shows what goes, and
 * that it goes too slowly. */
static gboolean
write_piece (VodHttpBodyStream *self, const guint8 *bytes, gsize count,
    GCancellable *cancellable, GError **error)
{
  while (count > 0) {
    gssize n =
        g_output_stream_write (self->direct, bytes, count, cancellable, error);

    if (n < 0)
      return FALSE;
    bytes += n;
    count -= n;
    self->offset += n;
    self->handed = n;
    count_sent (self);
    if (count > 0 && is_late (self, error))
      return FALSE;
  }
  return TRUE;
}

/* All of it. */
static gboolean
write_directly (
    VodHttpBodyStream *self, GCancellable *cancellable, GError **error)
{
  const VodHttpBody *body = self->request->body;

  while (self->offset < body->length) {
    gsize count = MIN (PIECE, body->length - self->offset);
    const guint8 *bytes = find_piece (self, &count, cancellable, error);

    if (bytes == NULL || !write_piece (self, bytes, count, cancellable, error))
      return FALSE;
  }
  return TRUE;
}

static gssize
vod_http_body_stream_read (GInputStream *stream, void *buffer, gsize count,
    GCancellable *cancellable, GError **error)
{
  VodHttpBodyStream *self = VOD_HTTP_BODY_STREAM (stream);
  const VodHttpBody *body = self->request->body;

  /* Being asked for more means that the piece before went out. */
  count_sent (self);
  if (self->direct && !write_directly (self, cancellable, error))
    return -1;
  if (self->offset == body->length) {
    self->sent = TRUE;
    return 0;
  }
  count = begin_piece (
      self, MIN (count, body->length - self->offset), cancellable, error);
  if (count == 0 || !read_piece (self, buffer, &count, error))
    return -1;
  self->offset += count;
  self->handed = count;
  return (gssize)count;
}

void
vod_http_body_stream_set_direct (
    VodHttpBodyStream *stream, GOutputStream *connection)
{
  if (stream->offset == 0 && stream->request->body->length >= LEAST_DIRECT)
    g_set_object (&stream->direct, connection);
}

static void
vod_http_body_stream_finalize (GObject *object)
{
  VodHttpBodyStream *self = VOD_HTTP_BODY_STREAM (object);

  g_clear_object (&self->direct);
  g_free (self->buffer);
  G_OBJECT_CLASS (vod_http_body_stream_parent_class)->finalize (object);
}

static void
vod_http_body_stream_class_init (VodHttpBodyStreamClass *klass)
{
  GInputStreamClass *stream_class = G_INPUT_STREAM_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = vod_http_body_stream_finalize;
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
