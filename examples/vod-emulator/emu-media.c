/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes of objects, with ranges: GET /media/FILEID/NAME (what video-url points
 * at), /media/FILEID/cover/NAME, and the storage's own GET and HEAD. Read a
 * piece at a time, as the client takes them.
 */
#include "emu-handlers.h"

#include "emu-util.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PIECE (256 * 1024)

typedef struct {
  EmuObject *object;
  guint blob; /* index of the one being read */
  int fd;     /* -1: not open */
  guint64 offset;
  guint64 left;
} Reader;

static void
close_blob (Reader *reader)
{
  if (reader->fd >= 0)
    close (reader->fd);
  reader->fd = -1;
}

static void
reader_free (gpointer data)
{
  Reader *reader = data;

  close_blob (reader);
  emu_object_unref (reader->object);
  g_free (reader);
}

static Reader *
reader_new (EmuObject *object, guint64 start, guint64 length)
{
  Reader *reader = g_new0 (Reader, 1);

  reader->object = emu_object_ref (object);
  reader->fd = -1;
  reader->left = length;
  while (reader->blob < object->blobs->len) {
    guint64 size =
        emu_blob_size (g_ptr_array_index (object->blobs, reader->blob));

    if (start < size)
      break;
    start -= size;
    reader->blob++;
  }
  reader->offset = start;
  return reader;
}

/* NULL: the bytes can't be read. Never called with nothing left. */
static GBytes *
read_piece (Reader *reader)
{
  g_autofree guint8 *data = g_malloc (PIECE);
  gssize n = 0;

  while (reader->blob < reader->object->blobs->len && n == 0) {
    EmuBlob *blob = g_ptr_array_index (reader->object->blobs, reader->blob);

    if (reader->fd < 0)
      reader->fd = emu_blob_open (blob, NULL);
    if (reader->fd < 0)
      return NULL;
    do
      n = pread (
          reader->fd, data, MIN (PIECE, reader->left), (off_t)reader->offset);
    while (n < 0 && errno == EINTR);
    if (n < 0)
      return NULL;
    if (n == 0) {
      close_blob (reader);
      reader->blob++;
      reader->offset = 0;
    }
  }
  if (n == 0)
    return NULL;
  reader->offset += (guint64)n;
  reader->left -= (guint64)n;
  return g_bytes_new_take (g_steal_pointer (&data), (gsize)n);
}

static void
append_piece (SoupServerMessage *message, gpointer user_data)
{
  Reader *reader = user_data;
  SoupMessageBody *body = soup_server_message_get_response_body (message);
  g_autoptr (GBytes) piece = NULL;

  if (reader->left == 0) {
    soup_message_body_complete (body);
    return;
  }
  piece = read_piece (reader);
  if (piece != NULL) {
    soup_message_body_append_bytes (body, piece);
  } else {
    GSocket *socket = soup_server_message_get_socket (message);

    /* less than was promised: only closing can say so */
    g_warning ("a stored object can't be read");
    if (socket != NULL)
      g_socket_shutdown (socket, TRUE, TRUE, NULL);
  }
}

typedef enum { RANGE_NONE, RANGE_OK, RANGE_BAD } RangeResult;

/* One range of bytes; several are answered with the whole. */
static RangeResult
parse_range (const char *text, guint64 size, guint64 *start, guint64 *end)
{
  g_auto (GStrv) halves = NULL;
  guint64 from, to = size - 1;

  if (text == NULL || !g_str_has_prefix (text, "bytes=") ||
      strchr (text, ',') != NULL)
    return RANGE_NONE;
  halves = g_strsplit (text + strlen ("bytes="), "-", 3);
  if (g_strv_length (halves) != 2)
    return RANGE_NONE;
  if (*halves[0] == '\0') {
    if (!emu_parse_number (halves[1], 0, G_MAXUINT64, &to))
      return RANGE_NONE;
    if (to == 0 || size == 0)
      return RANGE_BAD;
    *start = size - MIN (to, size);
    *end = size - 1;
    return RANGE_OK;
  }
  if (!emu_parse_number (halves[0], 0, G_MAXUINT64, &from) ||
      (*halves[1] != '\0' &&
          !emu_parse_number (halves[1], from, G_MAXUINT64, &to)))
    return RANGE_NONE;
  if (from >= size)
    return RANGE_BAD;
  *start = from;
  *end = MIN (to, size - 1);
  return RANGE_OK;
}

static void
set_lengths (EmuRequest *request, guint64 length)
{
  SoupMessageHeaders *headers =
      soup_server_message_get_response_headers (request->message);

  soup_message_headers_set_encoding (headers, SOUP_ENCODING_CONTENT_LENGTH);
  soup_message_headers_set_content_length (headers, (goffset)length);
}

void
emu_media_send (
    EmuRequest *request, EmuObject *object, const char *content_type)
{
  guint64 start = 0, end = object->size - 1;
  RangeResult range = parse_range (
      emu_request_header (request, "Range"), object->size, &start, &end);
  g_autofree char *date = emu_http_date (object->mtime);
  g_autofree char *span = NULL;
  Reader *reader;
  guint64 length;

  emu_request_set_header (request, "Accept-Ranges", "bytes");
  if (range == RANGE_BAD) {
    span = g_strdup_printf ("bytes */%" G_GUINT64_FORMAT, object->size);
    emu_request_set_header (request, "Content-Range", span);
    emu_request_error (request, 416, "InvalidRange");
    return;
  }
  length = object->size > 0 ? end - start + 1 : 0;
  emu_request_set_header (request, "Last-Modified", date);
  if (range == RANGE_OK) {
    span = g_strdup_printf ("bytes %" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT
                            "/%" G_GUINT64_FORMAT,
        start, end, object->size);
    emu_request_set_header (request, "Content-Range", span);
  }
  set_lengths (request, length);
  if (request->head_only || length == 0) {
    emu_request_answer (
        request, range == RANGE_OK ? 206 : 200, content_type, NULL);
    return;
  }
  if (*emu_blob_name (g_ptr_array_index (object->blobs, 0)) == '\0') {
    set_lengths (request, 0);
    emu_request_error (request, 410, "NoSuchKey");
    return;
  }
  reader = reader_new (object, start, length);
  g_object_set_data_full (
      G_OBJECT (request->message), "emu-reader", reader, reader_free);
  soup_message_body_set_accumulate (
      soup_server_message_get_response_body (request->message), FALSE);
  g_signal_connect (
      request->message, "wrote-chunk", G_CALLBACK (append_piece), reader);
  append_piece (request->message, reader);
  emu_request_answer_stream (
      request, range == RANGE_OK ? 206 : 200, content_type);
}

/* ---- /media ---- */

static void
get_media (EmuRequest *request)
{
  g_auto (GStrv) parts = g_strsplit (request->path + 1, "/", 5);
  guint n = g_strv_length (parts);
  EmuMedia *media = n >= 2
      ? g_hash_table_lookup (request->emu->state->media, parts[1])
      : NULL;
  gboolean cover = n >= 3 && strcmp (parts[2], "cover") == 0 && n == 4;
  EmuObject *object = NULL;

  if (media != NULL)
    object = cover ? media->cover : media->object;
  if (object == NULL) {
    emu_request_error (request, 404, NULL);
    return;
  }
  emu_request_set_header (request, "X-Content-Type-Options", "nosniff");
  emu_media_send (request, object,
      emu_content_type (cover ? media->cover_type : media->type));
}

gboolean
emu_media_route (EmuRequest *request)
{
  if (request->path == NULL || !g_str_has_prefix (request->path, "/media/") ||
      (request->method != SOUP_METHOD_GET &&
          request->method != SOUP_METHOD_HEAD))
    return FALSE;
  request->op = "media";
  request->style = EMU_STYLE_TEXT;
  request->handler = get_media;
  return TRUE;
}
