/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What stands beside the service: the user's own signature server, the
 * collector of upload reports, and the switchboard of faults.
 */
#include "emu-handlers.h"

#include "emu-auth.h"
#include "emu-util.h"

#include <string.h>

/* ---- /signature ---- */

static char *
make_original (EmuRequest *request, guint64 lifetime)
{
  static const char *const optional[] = {"classId", "procedure", "taskPriority",
      "taskNotifyMode", "sourceContext", "oneTimeValid", "vodSubAppId",
      "sessionContext", "storageRegion"};
  gint64 now = emu_request_now (request);
  GString *text = g_string_new (NULL);
  g_autofree char *random = emu_random_digits (9);
  g_autofree char *id =
      emu_percent_encode (request->emu->options.secret_id, FALSE);

  g_string_append_printf (text,
      "secretId=%s&currentTimeStamp=%" G_GINT64_FORMAT
      "&expireTime=%" G_GINT64_FORMAT "&random=%s",
      id, now, now + (gint64)lifetime, random);
  for (guint i = 0; i < G_N_ELEMENTS (optional); i++) {
    const char *value = emu_query_get (request->query, optional[i]);
    g_autofree char *encoded = NULL;

    if (value == NULL)
      continue;
    encoded = emu_percent_encode (value, FALSE);
    g_string_append_printf (text, "&%s=%s", optional[i], encoded);
  }
  return g_string_free (text, FALSE);
}

static void
give_signature (EmuRequest *request)
{
  const char *expire = emu_query_get (request->query, "expire");
  guint64 lifetime = 86400;
  g_autofree char *original = NULL;
  g_autofree char *signature = NULL;
  g_autoptr (JsonBuilder) builder = NULL;

  if (expire != NULL && !emu_parse_number (expire, 1, 7776000, &lifetime)) {
    emu_request_error (request, 400, NULL);
    return;
  }
  original = make_original (request, lifetime);
  signature = emu_signature_make (original, request->emu->options.secret_key);
  if (g_strcmp0 (emu_query_get (request->query, "format"), "text") == 0) {
    emu_request_answer (
        request, 200, "text/plain", g_strconcat (signature, "\n", NULL));
    return;
  }
  builder = json_builder_new ();
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "code");
  json_builder_add_int_value (builder, 0);
  json_builder_set_member_name (builder, "data");
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "sign");
  json_builder_add_string_value (builder, signature);
  json_builder_end_object (builder);
  json_builder_set_member_name (builder, "signature");
  json_builder_add_string_value (builder, signature);
  json_builder_end_object (builder);
  emu_request_answer_json (request, builder);
}

/* ---- /ugcupload_new ---- */

static void
take_report (EmuRequest *request)
{
  JsonNode *node = NULL;

  if (request->body != NULL)
    node = emu_json_parse (
        (const char *)request->body->data, request->body->len, NULL);
  if (node == NULL) {
    emu_request_error (request, 400, NULL);
    return;
  }
  emu_stats_add_report (request->emu->stats, node);
  emu_request_answer (request, 200, "application/json",
      g_strdup ("{\"code\":0,\"msg\":\"OK\"}"));
}

/* ---- /api/faults ---- */

static void
list_faults (EmuRequest *request)
{
  g_autoptr (JsonNode) list = emu_faults_list (request->emu->faults);

  emu_request_answer (
      request, 200, "application/json", emu_json_text (list, TRUE));
}

static void
clear_faults (EmuRequest *request)
{
  emu_faults_clear (request->emu->faults);
  list_faults (request);
}

/* DELETE /api/faults/ID */
static void
remove_fault (EmuRequest *request)
{
  const char *id = request->path + strlen ("/api/faults/");
  guint64 number = 0;

  if (emu_parse_number (id, 1, G_MAXUINT64, &number) &&
      emu_faults_remove (request->emu->faults, number))
    list_faults (request);
  else
    emu_request_error (request, 404, NULL);
}

static void
add_faults (EmuRequest *request)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) node = NULL;

  if (request->body != NULL)
    node = emu_json_parse (
        (const char *)request->body->data, request->body->len, &error);
  if (node != NULL && emu_faults_add (request->emu->faults, node, &error)) {
    list_faults (request);
    return;
  }
  emu_request_answer (request, 400, "text/plain; charset=utf-8",
      g_strdup_printf (
          "%s\n", error != NULL ? error->message : "no JSON in the request"));
}

/* ---- routing ---- */

gboolean
emu_service_route (EmuRequest *request)
{
  static const struct {
    const char *method;
    const char *path;
    const char *op;
    EmuHandler handler;
    gsize limit;
  } routes[] = {
      {"GET", "/signature", "signature", give_signature, 0},
      {"POST", "/signature", "signature", give_signature, EMU_JSON_LIMIT},
      {"POST", "/ugcupload_new", "report", take_report, 65536},
      {"POST", "/ugcupload", "report", take_report, 65536},
      {"GET", "/api/faults", NULL, list_faults, 0},
      {"POST", "/api/faults", NULL, add_faults, EMU_JSON_LIMIT},
      {"DELETE", "/api/faults", NULL, clear_faults, 0},
  };

  for (guint i = 0; i < G_N_ELEMENTS (routes); i++)
    if (g_strcmp0 (request->path, routes[i].path) == 0 &&
        strcmp (request->method, routes[i].method) == 0) {
      request->op = routes[i].op;
      request->style = EMU_STYLE_TEXT;
      request->handler = routes[i].handler;
      request->body_limit = routes[i].limit;
      return TRUE;
    }
  if (request->path != NULL &&
      g_str_has_prefix (request->path, "/api/faults/") &&
      strcmp (request->method, "DELETE") == 0) {
    request->op = NULL;
    request->style = EMU_STYLE_TEXT;
    request->handler = remove_fault;
    return TRUE;
  }
  return FALSE;
}
