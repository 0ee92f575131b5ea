/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The HTTP server: one early handler that sees every request's headers and one
 * handler that sees its end. Everything runs in the main context.
 */
#include "emu-handlers.h"

#include "emu-connection.h"

#include <string.h>

#define MAX_CONNECTIONS 400 /* below half of any limit of open files */

static void
not_found (EmuRequest *request)
{
  emu_request_error (request, 404, NULL);
}

static void
forbidden (EmuRequest *request)
{
  emu_request_answer (request, 403, "text/plain",
      g_strdup ("Only pages of this machine may ask.\n"));
}

/* A browser asks before it sends what a page of another origin wants sent. */
static void
preflight (EmuRequest *request)
{
  const char *headers =
      emu_request_header (request, "Access-Control-Request-Headers");

  emu_request_set_header (
      request, "Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, DELETE");
  if (headers != NULL)
    emu_request_set_header (request, "Access-Control-Allow-Headers", headers);
  emu_request_set_header (request, "Access-Control-Max-Age", "600");
  emu_request_answer (request, 200, "text/plain", NULL);
}

static void
route (EmuRequest *request)
{
  request->style = EMU_STYLE_TEXT;
  request->handler = not_found;
  if (request->method == SOUP_METHOD_OPTIONS) {
    request->op = "preflight";
    request->handler = preflight;
    return;
  }
  if (emu_vod_route (request))
    return;
  if (emu_service_route (request) || emu_api_route (request) ||
      emu_live_route (request) || emu_page_route (request)) {
    if (emu_request_is_foreign (request))
      request->handler = forbidden;
    return;
  }
  if (!emu_media_route (request))
    emu_cos_route (request);
}

static void
on_chunk (SoupServerMessage *message, GBytes *chunk, gpointer user_data)
{
  emu_request_take (user_data, chunk);
}

static gboolean
expects_continue (SoupServerMessage *message)
{
  return (soup_message_headers_get_expectations (
              soup_server_message_get_request_headers (message)) &
             SOUP_EXPECTATION_CONTINUE) != 0;
}

static void
on_headers (SoupServer *server, SoupServerMessage *message, const char *path,
    GHashTable *query, gpointer user_data)
{
  EmuRequest *request = emu_request_new (user_data, message);
  const EmuEffects *fault = &request->fault;

  soup_message_body_set_accumulate (
      soup_server_message_get_request_body (message), FALSE);
  route (request);
  emu_request_match_faults (request);
  if (emu_request_begin (request))
    return;
  request->doomed = (fault->status != 0 && !fault->expire_credentials) ||
      fault->json != NULL || fault->drop || fault->stall ||
      fault->garbage != EMU_GARBAGE_NONE;
  g_signal_connect (message, "got-chunk", G_CALLBACK (on_chunk), request);
  if (request->style == EMU_STYLE_COS)
    emu_cos_begin (request);
  if (request->status == 0 && request->doomed && expects_continue (message)) {
    soup_message_headers_append (
        soup_server_message_get_response_headers (message), "Connection",
        "close");
    emu_request_run (request);
  }
}

static void
on_request (SoupServer *server, SoupServerMessage *message, const char *path,
    GHashTable *query, gpointer user_data)
{
  EmuRequest *request = emu_request_get (message);

  if (request != NULL)
    emu_request_run (request);
}

static void
on_message_finished (SoupServerMessage *message, gpointer user_data)
{
  Emu *emu = user_data;

  emu_connection_idle (emu_connection_get (emu->stats, message), message);
}

/* Once when a connection is accepted, and at each further request. */
static void
on_started (SoupServer *server, SoupServerMessage *message, gpointer user_data)
{
  Emu *emu = user_data;
  GSocket *socket = soup_server_message_get_socket (message);

  emu_connection_get (emu->stats, message);
  /* libsoup remembers it, and would complain if asked after the end */
  soup_server_message_get_remote_address (message);
  g_signal_connect (message, "finished", G_CALLBACK (on_message_finished), emu);
  if (socket != NULL &&
      emu_stats_open_connections (emu->stats) > MAX_CONNECTIONS)
    g_socket_shutdown (socket, TRUE, TRUE, NULL);
}

SoupServer *
emu_server_new (Emu *emu)
{
  SoupServer *server =
      soup_server_new ("server-header", "tencent-cos", "raw-paths", TRUE, NULL);

  g_signal_connect (server, "request-started", G_CALLBACK (on_started), emu);
  soup_server_add_early_handler (server, NULL, on_headers, emu, NULL);
  soup_server_add_handler (server, NULL, on_request, emu, NULL);
  return server;
}
