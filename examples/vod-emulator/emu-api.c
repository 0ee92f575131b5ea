/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GET /api/state: everything that tests ask about. No authorization, token,
 * signature or session key is in it.
 */
#include "emu-handlers.h"

#include "emu-util.h"

#include <string.h>

static void
add_text (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_set_member_name (builder, name);
  if (value != NULL)
    json_builder_add_string_value (builder, value);
  else
    json_builder_add_null_value (builder);
}

static void
add_int (JsonBuilder *builder, const char *name, guint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, (gint64)value);
}

static void
add_flag (JsonBuilder *builder, const char *name, gboolean value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_boolean_value (builder, value);
}

/* part number -> times sent */
static void
add_sent (JsonBuilder *builder, GHashTable *sent)
{
  GHashTableIter iter;
  gpointer number, times;

  json_builder_set_member_name (builder, "sent");
  json_builder_begin_object (builder);
  if (sent != NULL) {
    g_hash_table_iter_init (&iter, sent);
    while (g_hash_table_iter_next (&iter, &number, &times)) {
      g_autofree char *name = g_strdup_printf ("%u", GPOINTER_TO_UINT (number));

      add_int (builder, name, GPOINTER_TO_UINT (times));
    }
  }
  json_builder_end_object (builder);
}

static void
add_object (JsonBuilder *builder, EmuObject *object)
{
  add_int (builder, "size", object->size);
  add_text (builder, "md5", object->md5);
  emu_json_add_uint64 (builder, "crc64", object->crc64);
  add_text (builder, "etag", object->etag);
  add_int (builder, "parts", object->blobs->len);
  add_text (builder, "bucket", object->bucket);
  add_text (builder, "key", object->key);
  add_text (builder, "uploadId", object->upload_id);
  add_sent (builder, object->sent);
}

static void
describe_media (Emu *emu, EmuMedia *media, JsonBuilder *builder)
{
  g_autofree char *url = emu_media_url (emu, media, FALSE);
  g_autofree char *cover_url = emu_media_url (emu, media, TRUE);

  json_builder_begin_object (builder);
  add_text (builder, "fileId", media->file_id);
  add_text (builder, "name", media->name);
  add_text (builder, "type", media->type);
  add_text (builder, "region", media->region);
  add_text (builder, "url", url);
  if (media->object != NULL)
    add_object (builder, media->object);
  add_int (builder, "applies", media->applies);
  add_flag (builder, "resumed", media->applies > 1);
  add_int (builder, "failed-requests", media->failed);
  json_builder_set_member_name (builder, "duration");
  json_builder_add_double_value (
      builder, (double)(media->committed - media->applied) / G_USEC_PER_SEC);
  json_builder_set_member_name (builder, "committed");
  json_builder_add_double_value (
      builder, (double)media->committed / G_USEC_PER_SEC);
  if (media->cover != NULL) {
    json_builder_set_member_name (builder, "cover");
    json_builder_begin_object (builder);
    add_text (builder, "url", cover_url);
    add_text (builder, "type", media->cover_type);
    add_object (builder, media->cover);
    json_builder_end_object (builder);
  }
  json_builder_end_object (builder);
}

static gboolean
describe_part (gpointer number, gpointer value, gpointer builder)
{
  EmuPart *part = value;

  json_builder_begin_object (builder);
  add_int (builder, "number", part->number);
  add_int (builder, "size", emu_blob_size (part->blob));
  add_text (builder, "etag", part->etag);
  emu_json_add_uint64 (builder, "crc64", part->crc64);
  json_builder_end_object (builder);
  return FALSE;
}

static void
describe_upload (EmuUpload *upload, JsonBuilder *builder)
{
  json_builder_begin_object (builder);
  add_text (builder, "uploadId", upload->id);
  add_text (builder, "bucket", upload->bucket);
  add_text (builder, "key", upload->key);
  add_int (builder, "initiated", (guint64)upload->initiated);
  add_int (builder, "bytes", upload->bytes);
  json_builder_set_member_name (builder, "parts");
  json_builder_begin_array (builder);
  g_tree_foreach (upload->parts, describe_part, builder);
  json_builder_end_array (builder);
  add_sent (builder, upload->sent);
  json_builder_end_object (builder);
}

static void
describe_session (EmuSession *session, JsonBuilder *builder)
{
  json_builder_begin_object (builder);
  add_text (builder, "fileId", session->file_id);
  add_text (builder, "name", session->name);
  add_text (builder, "type", session->type);
  add_text (builder, "bucket", session->bucket);
  add_text (builder, "region", session->region);
  add_text (builder, "key", session->key);
  add_text (builder, "coverKey", session->cover_key);
  add_int (builder, "appId", session->app_id);
  add_int (builder, "videoSize", session->declared_size);
  add_int (builder, "applies", session->applies);
  add_int (builder, "failed-requests", session->failed);
  add_flag (builder, "committed", session->committed);
  add_flag (builder, "forgotten", session->forgotten);
  json_builder_end_object (builder);
}

static int
compare_media (gconstpointer a, gconstpointer b)
{
  const EmuMedia *x = a, *y = b;

  return x->committed < y->committed ? -1 : x->committed > y->committed;
}

GList *
emu_media_sorted (Emu *emu)
{
  return g_list_sort (
      g_hash_table_get_values (emu->state->media), compare_media);
}

static void
describe_all (Emu *emu, JsonBuilder *builder)
{
  g_autoptr (GList) media = emu_media_sorted (emu);
  GHashTableIter iter;
  gpointer value;

  json_builder_set_member_name (builder, "media");
  json_builder_begin_array (builder);
  for (GList *l = media; l != NULL; l = l->next)
    describe_media (emu, l->data, builder);
  json_builder_end_array (builder);
  json_builder_set_member_name (builder, "uploads");
  json_builder_begin_array (builder);
  g_hash_table_iter_init (&iter, emu->state->uploads);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    describe_upload (value, builder);
  json_builder_end_array (builder);
  json_builder_set_member_name (builder, "sessions");
  json_builder_begin_array (builder);
  g_hash_table_iter_init (&iter, emu->state->sessions);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    describe_session (value, builder);
  json_builder_end_array (builder);
}

static void
get_state (EmuRequest *request)
{
  Emu *emu = request->emu;
  g_autoptr (JsonBuilder) builder = NULL;

  if (emu->md5_jobs > 0) {
    emu_request_hold (request);
    emu->waiting = g_list_append (emu->waiting, request);
    return;
  }
  builder = json_builder_new ();
  json_builder_begin_object (builder);
  describe_all (emu, builder);
  emu_stats_describe (emu->stats, builder,
      g_strcmp0 (emu_query_get (request->query, "log"), "0") != 0);
  json_builder_end_object (builder);
  emu_request_answer_json (request, builder);
}

char *
emu_media_url (Emu *emu, EmuMedia *media, gboolean cover)
{
  EmuObject *object = cover ? media->cover : media->object;
  g_autofree char *base = NULL;
  g_autofree char *name = NULL;

  if (object == NULL)
    return NULL;
  base = emu_base_url (emu);
  name =
      emu_percent_encode (media->name != NULL ? media->name : "media", FALSE);
  return g_strdup_printf ("%s/media/%s/%s%s.%s", base, media->file_id,
      cover ? "cover/" : "", name, cover ? media->cover_type : media->type);
}

gboolean
emu_api_route (EmuRequest *request)
{
  if (g_strcmp0 (request->path, "/api/state") != 0 ||
      request->method != SOUP_METHOD_GET)
    return FALSE;
  request->op = NULL;
  request->style = EMU_STYLE_TEXT;
  request->handler = get_state;
  return TRUE;
}
