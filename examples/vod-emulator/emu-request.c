/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One request; see the header. The order: emu_request_new(), the router fills
 * in op, handler and limits, emu_request_match_faults(), emu_request_begin(),
 * emu_request_take() for each chunk, emu_request_run(). Then either the handler
 * answers, or it holds the request and answers from a later callback.
 */
#include "emu-request.h"

#include "emu-connection.h"
#include "emu-origin.h"
#include "emu-raw.h"
#include "emu-util.h"

#include <string.h>

#define QDATA "emu-request"
#define HUGE_CHUNKS 1024
#define HUGE_CHUNK_SIZE 65536

static void send_answer (EmuRequest *request);

static EmuConnection *
get_connection (EmuRequest *request)
{
  return emu_connection_get (request->emu->stats, request->message);
}

void
emu_request_begin_part (EmuRequest *request, EmuUpload *upload)
{
  request->upload = g_strdup (upload->id);
  emu_state_part_begun (upload, request->part);
  g_ptr_array_add (request->emu->incoming, request);
}

/* Will the client have to send the part again? */
static gboolean
is_spoilt (const EmuEffects *fault, guint status)
{
  return status == 0 || status >= 400 || fault->json != NULL ||
      fault->garbage != EMU_GARBAGE_NONE || fault->truncate ||
      fault->wrong_etag || fault->wrong_crc;
}

static void
end_part (EmuRequest *request, guint status)
{
  g_ptr_array_remove_fast (request->emu->incoming, request);
  emu_state_part_ended (request->emu->state, request->upload, request->part,
      request->received, is_spoilt (&request->fault, status));
}

static void
add_to_log (EmuRequest *request, guint status)
{
  EmuConnection *connection = get_connection (request);
  g_autofree char *faults = emu_effects_names (&request->fault);
  EmuLogEntry entry = {.op = request->op,
      .part = request->part,
      .status = status,
      .received = request->received,
      .start = request->start,
      .duration = g_get_real_time () - request->start,
      .connection = emu_connection_number (connection),
      .request = emu_connection_requests (connection),
      .key = request->style == EMU_STYLE_COS ? request->path : NULL,
      .host = request->host,
      .code = request->code,
      .faults = faults};
  EmuSession *session = NULL;

  if (request->logged || request->op == NULL)
    return;
  request->logged = TRUE;
  emu_stats_add (request->emu->stats, &entry);
  if (request->session_id != NULL)
    session = g_hash_table_lookup (
        request->emu->state->sessions, request->session_id);
  if (session != NULL && (status >= 400 || status == 0))
    session->failed++;
  if (request->upload != NULL)
    end_part (request, status);
}

static void
on_finished (SoupServerMessage *message, gpointer user_data)
{
  EmuRequest *request = user_data;

  /* a timer that is still set holds the message and sees this */
  request->gone = TRUE;
  add_to_log (request, request->status);
}

static void
request_free (gpointer data)
{
  EmuRequest *request = data;

  g_clear_handle_id (&request->timer, g_source_remove);
  g_free (request->path);
  g_clear_pointer (&request->query, g_ptr_array_unref);
  emu_effects_clear (&request->fault);
  g_free (request->bucket);
  g_free (request->region);
  g_free (request->session_id);
  g_free (request->upload);
  g_clear_pointer (&request->body, g_byte_array_unref);
  g_clear_pointer (&request->writer, emu_blob_writer_free);
  g_clear_error (&request->write_error);
  g_free (request->code);
  g_free (request->request_id);
  g_clear_pointer (&request->answer, g_bytes_unref);
  g_free (request);
}

static char *
make_request_id (gint64 now)
{
  g_autofree char *a = emu_random_hex (4);
  g_autofree char *b = emu_random_hex (4);
  g_autofree char *plain =
      g_strdup_printf ("%08" G_GINT64_MODIFIER "x_%s_%.5s_%s", now, a, b, b);

  return g_base64_encode ((const guint8 *)plain, strlen (plain));
}

EmuRequest *
emu_request_new (Emu *emu, SoupServerMessage *message)
{
  EmuRequest *request = g_new0 (EmuRequest, 1);
  GUri *uri = soup_server_message_get_uri (message);
  const char *path = g_uri_get_path (uri);

  request->emu = emu;
  request->message = message;
  request->op = "other";
  request->start = g_get_real_time ();
  request->method = soup_server_message_get_method (message);
  request->head_only = request->method == SOUP_METHOD_HEAD;
  request->path =
      emu_percent_decode (path != NULL && *path != '\0' ? path : "/", FALSE);
  request->query = emu_query_parse (g_uri_get_query (uri), FALSE);
  request->host = emu_request_header (request, "Host");
  request->request_id = make_request_id (request->start / G_USEC_PER_SEC);
  request->fault.after_bytes = -1;
  emu_connection_begin (get_connection (request));
  g_object_set_data_full (G_OBJECT (message), QDATA, request, request_free);
  g_signal_connect (message, "finished", G_CALLBACK (on_finished), request);
  return request;
}

EmuRequest *
emu_request_get (SoupServerMessage *message)
{
  return g_object_get_data (G_OBJECT (message), QDATA);
}

gint64
emu_request_now (EmuRequest *request)
{
  return g_get_real_time () / G_USEC_PER_SEC + request->fault.clock_skew;
}

const char *
emu_request_header (EmuRequest *request, const char *name)
{
  return soup_message_headers_get_one (
      soup_server_message_get_request_headers (request->message), name);
}

void
emu_request_set_header (
    EmuRequest *request, const char *name, const char *value)
{
  soup_message_headers_replace (
      soup_server_message_get_response_headers (request->message), name, value);
}

void
emu_request_match_faults (EmuRequest *request)
{
  if (request->op == NULL) /* the emulator's own pages */
    return;
  emu_faults_match (request->emu->faults, request->op, request->part,
      request->host, &request->fault);
}

/* ---- holding ---- */

void
emu_request_hold (EmuRequest *request)
{
  g_object_ref (request->message);
  if (!request->paused && !request->gone) {
    request->paused = TRUE;
    soup_server_pause_message (request->emu->server, request->message);
  }
}

void
emu_request_release (EmuRequest *request)
{
  g_object_unref (request->message);
}

static void
kill_connection (EmuRequest *request)
{
  if (request->gone)
    return;
  request->gone = TRUE;
  add_to_log (request, 0);
  emu_raw_kill (request->message, request->fault.reset);
}

/* A stalled client that goes away is noticed, so that nothing piles up. */
static gboolean
check_stalled (gpointer user_data)
{
  EmuRequest *request = user_data;
  GSocket *socket = soup_server_message_get_socket (request->message);
  GIOCondition condition =
      g_socket_condition_check (socket, G_IO_IN | G_IO_HUP | G_IO_ERR);
  GInputVector vector;
  char byte;
  int flags = 2; /* MSG_PEEK */

  vector.buffer = &byte;
  vector.size = 1;
  if (request->gone) {
    request->timer = 0;
    emu_request_release (request);
    return G_SOURCE_REMOVE;
  }
  if (condition == 0 ||
      ((condition & G_IO_IN) != 0 &&
          g_socket_receive_message (
              socket, NULL, &vector, 1, NULL, NULL, &flags, NULL, NULL) > 0))
    return G_SOURCE_CONTINUE;
  request->timer = 0;
  kill_connection (request);
  emu_request_release (request);
  return G_SOURCE_REMOVE;
}

static void
stall (EmuRequest *request)
{
  emu_request_hold (request);
  request->timer = g_timeout_add (100, check_stalled, request);
}

/* ---- faults before and instead of the work ---- */

gboolean
emu_request_begin (EmuRequest *request)
{
  EmuEffects *fault = &request->fault;

  if (fault->drop && fault->after_bytes == 0) {
    kill_connection (request);
    return TRUE;
  }
  if (fault->status != 0 && fault->early) {
    emu_request_error (request, fault->status, fault->code);
    return TRUE;
  }
  return FALSE;
}

void
emu_request_take (EmuRequest *request, GBytes *chunk)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (chunk, &size);

  request->received += size;
  request->emu->stats->bytes_received += size;
  if (request->gone)
    return;
  if (request->fault.drop && request->fault.after_bytes >= 0 &&
      request->received >= (guint64)request->fault.after_bytes) {
    kill_connection (request);
    return;
  }
  if (request->doomed)
    return;
  if (request->received > request->body_limit) {
    request->too_large = TRUE;
    request->doomed = TRUE;
    g_clear_pointer (&request->writer, emu_blob_writer_free);
  } else if (request->writer != NULL) {
    if (request->write_error == NULL)
      emu_blob_writer_write (
          request->writer, data, size, &request->write_error);
  } else {
    if (request->body == NULL)
      request->body = g_byte_array_new ();
    g_byte_array_append (request->body, data, (guint)size);
  }
}

static void
answer_garbage (EmuRequest *request)
{
  static const char page[] =
      "<!DOCTYPE html><html><body><h1>Welcome to the hotel network</h1>"
      "<form action=\"/login\"></form></body></html>";
  EmuGarbage kind = request->fault.garbage;
  gboolean xml = request->style == EMU_STYLE_COS;

  if (kind == EMU_GARBAGE_ANY)
    kind = xml ? EMU_GARBAGE_XML : EMU_GARBAGE_JSON;
  switch (kind) {
    case EMU_GARBAGE_XML:
      emu_request_answer (request, 200, "application/xml",
          g_strdup ("<?xml version=\"1.0\"?><Result><Key>a</Result>&\x01<"));
      break;
    case EMU_GARBAGE_TYPES:
      if (xml)
        emu_request_answer (request, 200, "application/xml",
            g_strdup ("<Result><UploadId><UploadId/></UploadId><ETag/>"
                      "<PartNumber>many</PartNumber><Size>-1</Size>"
                      "<IsTruncated>perhaps</IsTruncated></Result>"));
      else
        emu_request_answer (request, 200, "application/json",
            g_strdup ("{\"code\":0,\"message\":[],\"data\":{\"video\":7,"
                      "\"cover\":true,\"storageBucket\":{},"
                      "\"storageAppId\":\"x\",\"vodSessionKey\":[1],"
                      "\"tempCertificate\":\"none\",\"timestamp\":{},"
                      "\"fileId\":12}}"));
      break;
    case EMU_GARBAGE_HTML:
      emu_request_answer (request, 200, "text/html", g_strdup (page));
      break;
    case EMU_GARBAGE_HUGE:
    case EMU_GARBAGE_EMPTY:
      emu_request_answer (
          request, 200, xml ? "application/xml" : "application/json", NULL);
      break;
    default:
      emu_request_answer (request, 200, "application/json",
          g_strdup ("{\"code\":0,\"message\":\"ok\",\"data\":{\"video\":"));
  }
}

/* TRUE: the fault has answered, or will. */
static gboolean
answer_by_fault (EmuRequest *request)
{
  EmuEffects *fault = &request->fault;

  if (fault->stall)
    stall (request);
  else if (fault->drop)
    kill_connection (request);
  else if (fault->status != 0 && !fault->expire_credentials)
    emu_request_error (request, fault->status, fault->code);
  else if (fault->json != NULL)
    emu_request_answer (
        request, 200, "application/json", emu_json_text (fault->json, FALSE));
  else if (fault->garbage != EMU_GARBAGE_NONE)
    answer_garbage (request);
  else
    return FALSE;
  return TRUE;
}

void
emu_request_run (EmuRequest *request)
{
  if (request->gone || request->status != 0 || answer_by_fault (request))
    return;
  if (request->too_large)
    emu_request_error (
        request, request->style == EMU_STYLE_COS ? 400 : 413, "EntityTooLarge");
  else if (request->path == NULL || request->query == NULL)
    emu_request_error (request, 400, "InvalidURI");
  else
    request->handler (request);
}

/* ---- answers ---- */

static gboolean
on_delayed (gpointer user_data)
{
  EmuRequest *request = user_data;

  request->timer = 0;
  if (!request->gone)
    send_answer (request);
  emu_request_release (request);
  return G_SOURCE_REMOVE;
}

static void
after_delay (EmuRequest *request)
{
  gint64 delay = request->fault.delay;

  request->fault.delay = 0;
  if (delay > 0) {
    emu_request_hold (request);
    request->timer = g_timeout_add ((guint)delay, on_delayed, request);
  } else {
    send_answer (request);
  }
}

gboolean
emu_request_is_foreign (EmuRequest *request)
{
  const char *origin = emu_request_header (request, "Origin");

  return (origin != NULL && !emu_origin_is_local (origin)) ||
      !emu_host_is_ours (request->host);
}

/* Web pages of this machine may use the emulator, those of others not. */
static void
add_cors_headers (EmuRequest *request)
{
  const char *origin = emu_request_header (request, "Origin");

  if (origin == NULL || !emu_origin_is_local (origin))
    return;
  emu_request_set_header (request, "Access-Control-Allow-Origin", origin);
  emu_request_set_header (request, "Vary", "Origin");
  emu_request_set_header (request, "Access-Control-Expose-Headers",
      "ETag, Date, Content-Length, x-cos-request-id, x-cos-hash-crc64ecma");
}

static void
add_usual_headers (EmuRequest *request)
{
  if (request->style == EMU_STYLE_COS && !request->fault.no_request_id)
    emu_request_set_header (request, "x-cos-request-id", request->request_id);
  if (request->fault.clock_skew != 0) {
    g_autofree char *date = emu_http_date (emu_request_now (request));

    emu_request_set_header (request, "Date", date);
  }
  if (request->fault.no_etag)
    soup_message_headers_remove (
        soup_server_message_get_response_headers (request->message), "ETag");
  add_cors_headers (request);
}

static void
on_wrote_body (SoupServerMessage *message, gpointer user_data)
{
  GSocket *socket = soup_server_message_get_socket (message);

  if (socket != NULL)
    g_socket_shutdown (socket, TRUE, TRUE, NULL);
}

/* SoupServer takes a 204 for one that ends with the connection, and closes. */
static void
on_wrote_headers (SoupServerMessage *message, gpointer user_data)
{
  if (soup_server_message_get_status (message) == SOUP_STATUS_NO_CONTENT)
    soup_message_headers_set_encoding (
        soup_server_message_get_response_headers (message), SOUP_ENCODING_NONE);
}

static void
resume (EmuRequest *request)
{
  if (request->paused) {
    request->paused = FALSE;
    soup_server_unpause_message (request->emu->server, request->message);
  }
}

/* By `truncate`: never all of the body is left; of an answer without one, the
 * headers but their end. */
static gsize
bytes_cut_off (EmuRequest *request)
{
  gsize body = request->answer != NULL && !request->head_only
      ? g_bytes_get_size (request->answer)
      : 0;
  gint64 after = request->fault.truncate_after;

  if (body <= 1)
    return 4;
  return body - (after < 0 ? body / 2 : MIN ((gsize)after, body - 1));
}

/* An answer that takes the connection from SoupServer; the request is gone. */
static void
send_raw (EmuRequest *request)
{
  g_autoptr (GBytes) all = emu_raw_format (
      request->message, request->head_only ? NULL : request->answer);
  g_autoptr (GBytes) data = NULL;
  gsize size = g_bytes_get_size (all);

  if (request->fault.truncate)
    size -= bytes_cut_off (request);
  data = g_bytes_new_from_bytes (all, 0, size);
  request->gone = TRUE;
  add_to_log (request, request->status);
  emu_raw_send (request->message, data, (guint)request->fault.trickle,
      request->fault.linger);
}

static void
append_body (EmuRequest *request)
{
  SoupMessageBody *body =
      soup_server_message_get_response_body (request->message);
  g_autoptr (GBytes) junk = NULL;

  if (request->fault.garbage == EMU_GARBAGE_HUGE) {
    junk = g_bytes_new_take (g_malloc0 (HUGE_CHUNK_SIZE), HUGE_CHUNK_SIZE);
    for (guint i = 0; i < HUGE_CHUNKS; i++)
      soup_message_body_append_bytes (body, junk);
  } else if (request->answer != NULL && !request->head_only) {
    soup_message_body_append_bytes (body, request->answer);
  }
  soup_message_body_complete (body);
}

static void
send_answer (EmuRequest *request)
{
  EmuEffects *fault = &request->fault;
  gboolean early = fault->early && fault->status != 0;

  if (request->gone)
    return;
  if (fault->lose_answer) {
    kill_connection (request);
    return;
  }
  soup_server_message_set_status (request->message, request->status, NULL);
  if (fault->truncate || fault->trickle > 0 || early) {
    send_raw (request);
    return;
  }
  append_body (request);
  g_signal_connect (
      request->message, "wrote-headers", G_CALLBACK (on_wrote_headers), NULL);
  if (fault->close_idle)
    g_signal_connect (
        request->message, "wrote-body", G_CALLBACK (on_wrote_body), NULL);
  resume (request);
}

void
emu_request_answer (
    EmuRequest *request, guint status, const char *content_type, char *body)
{
  g_return_if_fail (request->status == 0);
  request->status = status;
  if (body != NULL)
    request->answer = g_bytes_new_take (body, strlen (body));
  if (content_type != NULL)
    emu_request_set_header (request, "Content-Type", content_type);
  add_usual_headers (request);
  after_delay (request);
}

void
emu_request_answer_root (EmuRequest *request, JsonNode *root)
{
  emu_request_answer (request, 200, "application/json; charset=utf-8",
      emu_json_text (root, FALSE));
}

void
emu_request_answer_json (EmuRequest *request, JsonBuilder *builder)
{
  g_autoptr (JsonNode) root = json_builder_get_root (builder);

  emu_request_answer_root (request, root);
}

void
emu_request_answer_stream (
    EmuRequest *request, guint status, const char *content_type)
{
  request->status = status;
  emu_request_set_header (request, "Content-Type", content_type);
  add_usual_headers (request);
  if (request->fault.lose_answer) {
    kill_connection (request);
    return;
  }
  soup_server_message_set_status (request->message, status, NULL);
  if (request->fault.close_idle)
    g_signal_connect (
        request->message, "wrote-body", G_CALLBACK (on_wrote_body), NULL);
  resume (request);
}
