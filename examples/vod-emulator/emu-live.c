/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GET /api/live: what the page (page/main.js) asks for again and again while
 * somebody looks at it. What has not changed since its last question is left
 * out, and everything is bounded; nothing here costs anything between two
 * questions. Its form is the page's own affair: tests ask /api/state.
 *
 * The query tells what the page has: `run`, the run of the emulator that it
 * speaks of; `log`, how many entries of the log were written so far; `media`,
 * how many changes of the media; and `count`, how many media it wants.
 */
#include "emu-handlers.h"

#include "emu-util.h"

#include <string.h>

#define MAX_UPLOADS 100
#define MAX_MEDIA 1000
#define MAX_ENTRIES 500

static void
add_text (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, value != NULL ? value : "");
}

static void
add_int (JsonBuilder *builder, const char *name, guint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, (gint64)value);
}

static void
add_seconds (JsonBuilder *builder, const char *name, gint64 us)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_double_value (builder, (double)us / G_USEC_PER_SEC);
}

/* ---- parts, a letter for each; page/parts.js has the list ---- */

static char
letter_of (gboolean stored, guint sent, guint failed)
{
  if (failed > 0)
    return stored && sent > failed ? 'r' : 'x';
  if (!stored)
    return '.';
  return sent > 1 ? 'a' : 's';
}

static void
put_letter (GString *letters, guint number, char letter)
{
  while (letters->len < number)
    g_string_append_c (letters, '.');
  letters->str[number - 1] = letter;
}

static gboolean
put_stored (gpointer key, gpointer value, gpointer user_data)
{
  gpointer *pair = user_data;
  EmuUpload *upload = pair[0];
  guint number = GPOINTER_TO_UINT (key);

  put_letter (pair[1], number,
      letter_of (TRUE, emu_times (upload->sent, number),
          emu_times (upload->failed, number)));
  return FALSE;
}

/* What is only on its way, or was and has failed. */
static guint64
add_incoming (Emu *emu, EmuUpload *upload, GString *letters, guint64 *received)
{
  GHashTableIter iter;
  gpointer number;
  guint64 loaded = upload->bytes;

  g_hash_table_iter_init (&iter, upload->failed);
  while (g_hash_table_iter_next (&iter, &number, NULL))
    if (g_tree_lookup (upload->parts, number) == NULL)
      put_letter (letters, GPOINTER_TO_UINT (number), 'x');
  *received = upload->received;
  for (guint i = 0; i < emu->incoming->len; i++) {
    EmuRequest *request = g_ptr_array_index (emu->incoming, i);
    guint part = request->part;

    if (strcmp (request->upload, upload->id) != 0)
      continue;
    *received += request->received;
    if (g_tree_lookup (upload->parts, GUINT_TO_POINTER (part)) == NULL)
      loaded += request->received;
    put_letter (
        letters, part, emu_times (upload->failed, part) > 0 ? 'O' : 'o');
  }
  return loaded;
}

static char *
letters_of_object (EmuObject *object)
{
  GString *letters = g_string_new (NULL);

  for (guint i = 1; i <= object->blobs->len; i++) {
    guint sent = emu_times (object->sent, i);
    guint failed = emu_times (object->failed, i);

    /* a part whose answer was lost is there all the same */
    g_string_append_c (letters, failed > 0 ? 'r' : letter_of (TRUE, sent, 0));
  }
  return g_string_free (letters, FALSE);
}

/* ---- uploads ---- */

static void
begin_item (JsonBuilder *builder, const char *id, const char *phase,
    const char *name, const char *type)
{
  json_builder_begin_object (builder);
  add_text (builder, "id", id);
  add_text (builder, "phase", phase);
  add_text (builder, "name", name);
  add_text (builder, "type", type);
}

static void
add_session (JsonBuilder *builder, const EmuSession *session)
{
  add_text (builder, "fileId", session->file_id);
  add_text (builder, "region", session->region);
  add_int (builder, "total", session->declared_size);
  add_int (builder, "applies", session->applies);
  add_int (builder, "failed", session->failed);
  add_seconds (builder, "applied", session->created);
}

static void
describe_upload (
    Emu *emu, EmuUpload *upload, EmuSession *session, JsonBuilder *builder)
{
  g_autoptr (GString) letters = g_string_new (NULL);
  gpointer pair[] = {upload, letters};
  guint64 received;

  begin_item (builder, upload->id,
      upload->job != NULL ? "completing" : "uploading",
      session->name != NULL ? session->name : upload->key, session->type);
  add_session (builder, session);
  g_tree_foreach (upload->parts, put_stored, pair);
  add_int (builder, "size", add_incoming (emu, upload, letters, &received));
  add_int (builder, "received", received);
  add_text (builder, "parts", letters->str);
  json_builder_end_object (builder);
}

/* Complete, and not committed yet. */
static void
describe_object (EmuSession *session, EmuObject *object, JsonBuilder *builder)
{
  g_autofree char *letters = letters_of_object (object);

  begin_item (builder,
      object->upload_id != NULL ? object->upload_id : session->file_id,
      "complete", session->name, session->type);
  add_session (builder, session);
  add_int (builder, "size", object->size);
  add_int (builder, "received", 0);
  add_text (builder, "parts", letters);
  json_builder_end_object (builder);
}

static int
compare_uploads (gconstpointer a, gconstpointer b)
{
  const EmuUpload *x = a, *y = b;

  return x->initiated != y->initiated ? (x->initiated < y->initiated ? 1 : -1)
                                      : strcmp (y->id, x->id);
}

/* Sessions whose media is not there yet, by bucket and key. */
static GHashTable *
open_sessions (Emu *emu)
{
  GHashTable *found =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, emu->state->sessions);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    EmuSession *session = value;

    if (!session->committed && session->key != NULL)
      g_hash_table_replace (found,
          g_strdup_printf ("%s\n%s", session->bucket, session->key), session);
  }
  return found;
}

static void
describe_uploads (Emu *emu, JsonBuilder *builder)
{
  g_autoptr (GHashTable) sessions = open_sessions (emu);
  g_autoptr (GList) uploads = g_list_sort (
      g_hash_table_get_values (emu->state->uploads), compare_uploads);
  GHashTableIter iter;
  gpointer key, value;
  guint n = 0;

  json_builder_set_member_name (builder, "uploads");
  json_builder_begin_array (builder);
  for (GList *l = uploads; l != NULL && n < MAX_UPLOADS; l = l->next) {
    EmuUpload *upload = l->data;
    g_autofree char *id =
        g_strdup_printf ("%s\n%s", upload->bucket, upload->key);
    EmuSession *session = g_hash_table_lookup (sessions, id);

    if (session == NULL)
      continue;
    describe_upload (emu, upload, session, builder);
    n++;
  }
  g_hash_table_iter_init (&iter, sessions);
  while (n < MAX_UPLOADS && g_hash_table_iter_next (&iter, &key, &value)) {
    EmuObject *object = g_hash_table_lookup (emu->state->objects, key);

    if (object == NULL)
      continue;
    describe_object (value, object, builder);
    n++;
  }
  json_builder_end_array (builder);
}

/* ---- media ---- */

static void
add_media_text (JsonBuilder *builder, EmuMedia *media, EmuObject *object)
{
  g_autofree char *letters = letters_of_object (object);

  add_int (builder, "size", object->size);
  add_text (builder, "parts", letters);
  if (*emu_blob_name (g_ptr_array_index (object->blobs, 0)) == '\0')
    add_text (builder, "kind", "discarded");
  else
    add_text (builder, "kind", emu_content_type (media->type));
}

static void
describe_media (Emu *emu, EmuMedia *media, JsonBuilder *builder)
{
  g_autofree char *url = emu_media_url (emu, media, FALSE);
  g_autofree char *cover = emu_media_url (emu, media, TRUE);
  EmuObject *object = media->object;

  begin_item (builder,
      object != NULL && object->upload_id != NULL ? object->upload_id
                                                  : media->file_id,
      "ready", media->name, media->type);
  add_text (builder, "fileId", media->file_id);
  add_text (builder, "region", media->region);
  add_text (builder, "url", url);
  add_text (builder, "cover", cover);
  add_int (builder, "applies", media->applies);
  add_int (builder, "failed", media->failed);
  add_seconds (builder, "applied", media->applied);
  add_seconds (builder, "committed", media->committed);
  if (object != NULL && object->blobs->len > 0)
    add_media_text (builder, media, object);
  json_builder_end_object (builder);
}

static int
compare_media (gconstpointer a, gconstpointer b)
{
  const EmuMedia *x = a, *y = b;

  return x->applied != y->applied ? (x->applied < y->applied ? 1 : -1)
                                  : strcmp (x->file_id, y->file_id);
}

static void
describe_newest_media (Emu *emu, guint64 count, JsonBuilder *builder)
{
  g_autoptr (GList) media =
      g_list_sort (g_hash_table_get_values (emu->state->media), compare_media);

  json_builder_set_member_name (builder, "media");
  json_builder_begin_array (builder);
  for (GList *l = media; l != NULL && count-- > 0; l = l->next)
    describe_media (emu, l->data, builder);
  json_builder_end_array (builder);
}

/* ---- all of it ---- */

static guint64
number_in_query (EmuRequest *request, const char *name, guint64 max)
{
  guint64 number = 0;

  emu_parse_number (emu_query_get (request->query, name), 0, max, &number);
  return number;
}

static void
describe_all (EmuRequest *request, JsonBuilder *builder)
{
  Emu *emu = request->emu;
  gboolean same =
      g_strcmp0 (emu_query_get (request->query, "run"), emu->run) == 0;
  guint64 log = same ? number_in_query (request, "log", G_MAXINT64) : 0;

  add_text (builder, "run", emu->run);
  add_seconds (builder, "now", g_get_real_time ());
  add_int (builder, "received", emu->stats->bytes_received);
  add_int (builder, "requests", emu->stats->logged);
  emu_stats_describe_log (emu->stats, builder, log, MAX_ENTRIES);
  json_builder_set_member_name (builder, "faults");
  json_builder_add_value (builder, emu_faults_list (emu->faults));
  describe_uploads (emu, builder);
  add_int (builder, "mediaCount", g_hash_table_size (emu->state->media));
  add_int (builder, "mediaChanges", emu->state->media_changes);
  if (!same ||
      number_in_query (request, "media", G_MAXINT64) !=
          emu->state->media_changes)
    describe_newest_media (
        emu, number_in_query (request, "count", MAX_MEDIA), builder);
}

static void
get_live (EmuRequest *request)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  describe_all (request, builder);
  json_builder_end_object (builder);
  emu_request_set_header (request, "Cache-Control", "no-store");
  emu_request_answer_json (request, builder);
}

gboolean
emu_live_route (EmuRequest *request)
{
  if (g_strcmp0 (request->path, "/api/live") != 0 ||
      request->method != SOUP_METHOD_GET)
    return FALSE;
  request->op = NULL;
  request->style = EMU_STYLE_TEXT;
  request->handler = get_live;
  return TRUE;
}
