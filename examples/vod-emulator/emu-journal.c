/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The journal. A crash may tear its last line: what doesn't end with a newline
 * is cut off at the next start. Files under ROOT/parts that no line speaks for
 * are deleted then. The file is locked, so that a root has one owner.
 */
#include "emu-journal.h"

#include "emu-util.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

JsonBuilder *
emu_journal_begin (const char *event)
{
  JsonBuilder *builder = json_builder_new ();

  json_builder_begin_object (builder);
  emu_journal_add (builder, "e", event);
  return builder;
}

void
emu_journal_add (JsonBuilder *builder, const char *name, const char *text)
{
  if (text == NULL)
    return;
  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, text);
}

void
emu_journal_add_int (JsonBuilder *builder, const char *name, gint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, value);
}

void
emu_journal_end (EmuState *state, JsonBuilder *builder)
{
  g_autoptr (JsonBuilder) owned = builder;
  g_autoptr (JsonNode) root = NULL;
  g_autofree char *text = NULL;
  g_autofree char *line = NULL;
  gsize len, done = 0;

  if (state->journal < 0)
    return;
  json_builder_end_object (owned);
  root = json_builder_get_root (owned);
  text = emu_json_text (root, FALSE);
  line = g_strconcat (text, "\n", NULL);
  len = strlen (line);
  while (done < len) {
    gssize n = write (state->journal, line + done, len - done);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      g_warning ("cannot write the journal: %s", g_strerror (errno));
      return;
    }
    done += (gsize)n;
  }
}

static guint64
get_uint64 (JsonObject *event, const char *name)
{
  guint64 value = 0;

  emu_parse_number (emu_json_string (event, name), 0, G_MAXUINT64, &value);
  return value;
}

static EmuBlob *
get_blob (EmuState *state, JsonObject *event)
{
  const char *name = emu_json_string (event, "blob");

  return emu_blob_load (state->parts_folder, name != NULL ? name : "",
      (guint64)emu_json_int (event, "size", 0),
      get_uint64 (event, "stored-crc64"));
}

static gboolean
replay_session (EmuState *state, JsonObject *event)
{
  EmuSession *session = g_new0 (EmuSession, 1);

  session->id = g_strdup (emu_json_string (event, "id"));
  session->file_id = g_strdup (emu_json_string (event, "file-id"));
  session->bucket = g_strdup (emu_json_string (event, "bucket"));
  session->region = g_strdup (emu_json_string (event, "region"));
  session->app_id = (guint64)emu_json_int (event, "app-id", 0);
  session->name = g_strdup (emu_json_string (event, "name"));
  session->type = g_strdup (emu_json_string (event, "type"));
  session->key = g_strdup (emu_json_string (event, "key"));
  session->cover_type = g_strdup (emu_json_string (event, "cover-type"));
  session->cover_key = g_strdup (emu_json_string (event, "cover-key"));
  session->created = emu_json_int (event, "created", 0);
  session->declared_size = (guint64)emu_json_int (event, "size", 0);
  session->applies = (guint)emu_json_int (event, "applies", 1);
  if (session->id == NULL || session->file_id == NULL ||
      session->bucket == NULL || session->region == NULL) {
    emu_session_free (session);
    return FALSE;
  }
  emu_state_put_session (state, session);
  return TRUE;
}

static gboolean
replay_part (EmuState *state, JsonObject *event)
{
  EmuUpload *upload =
      g_hash_table_lookup (state->uploads, emu_json_string (event, "upload"));
  gint64 number = emu_json_int (event, "number", 0);
  const char *etag = emu_json_string (event, "etag");
  EmuBlob *blob;

  if (upload == NULL || number < 1 || number > 10000 || etag == NULL)
    return FALSE;
  blob = get_blob (state, event);
  if (blob == NULL) /* replaced later, or lost */
    g_tree_remove (upload->parts, GUINT_TO_POINTER ((guint)number));
  else
    emu_state_put_part (state, upload, (guint)number, blob, etag,
        get_uint64 (event, "crc64"), emu_json_int (event, "when", 0));
  return TRUE;
}

static gboolean
replay_complete (EmuState *state, JsonObject *event)
{
  EmuUpload *upload =
      g_hash_table_lookup (state->uploads, emu_json_string (event, "upload"));
  gint64 n_parts = emu_json_int (event, "parts", 0);
  const char *etag = emu_json_string (event, "etag");

  if (upload == NULL || etag == NULL)
    return FALSE;
  for (gint64 i = 1; i <= n_parts; i++)
    if (g_tree_lookup (upload->parts, GUINT_TO_POINTER ((guint)i)) == NULL) {
      /* the object was replaced since, and its bytes are gone */
      emu_state_remove_upload (state, emu_json_string (event, "upload"));
      return TRUE;
    }
  emu_state_complete (
      state, upload, (guint)n_parts, etag, emu_json_int (event, "when", 0));
  return TRUE;
}

static gboolean
replay_object (EmuState *state, JsonObject *event)
{
  const char *bucket = emu_json_string (event, "bucket");
  const char *key = emu_json_string (event, "key");
  const char *md5 = emu_json_string (event, "md5");
  EmuBlob *blob;

  if (bucket == NULL || key == NULL || md5 == NULL)
    return FALSE;
  blob = get_blob (state, event);
  if (blob != NULL)
    emu_state_put_object (state, bucket, key,
        emu_json_string (event, "content-type"), blob, md5,
        emu_json_int (event, "when", 0));
  return TRUE;
}

static gboolean
replay_md5 (EmuState *state, JsonObject *event)
{
  const char *bucket = emu_json_string (event, "bucket");
  const char *key = emu_json_string (event, "key");
  EmuObject *object;

  if (bucket == NULL || key == NULL)
    return FALSE;
  object = emu_state_find_object (state, bucket, key);
  if (object != NULL &&
      g_strcmp0 (object->etag, emu_json_string (event, "etag")) == 0)
    emu_state_set_md5 (state, object, emu_json_string (event, "md5"));
  return TRUE;
}

static gboolean
replay_upload (EmuState *state, JsonObject *event)
{
  const char *id = emu_json_string (event, "id");
  const char *bucket = emu_json_string (event, "bucket");
  const char *key = emu_json_string (event, "key");

  if (id == NULL || bucket == NULL || key == NULL)
    return FALSE;
  emu_state_add_upload (state, id, bucket, key,
      emu_json_string (event, "content-type"), emu_json_int (event, "when", 0));
  return TRUE;
}

static gboolean
replay_cred (EmuState *state, JsonObject *event)
{
  const char *session = emu_json_string (event, "session");
  const char *ak = emu_json_string (event, "ak");
  const char *sk = emu_json_string (event, "sk");
  const char *token = emu_json_string (event, "token");

  if (session == NULL || ak == NULL || sk == NULL || token == NULL)
    return FALSE;
  emu_state_add_cred (
      state, session, ak, sk, token, emu_json_int (event, "expires", 0));
  return TRUE;
}

static gboolean
replay_commit (EmuState *state, JsonObject *event, const char *id)
{
  EmuSession *session = g_hash_table_lookup (state->sessions, id);

  if (session == NULL)
    return FALSE;
  session->failed = (guint)emu_json_int (event, "failed", 0);
  emu_state_commit (state, session, emu_json_int (event, "when", 0));
  return TRUE;
}

static gboolean
replay (EmuState *state, JsonObject *event)
{
  const char *name = emu_json_string (event, "e");
  const char *id = emu_json_string (event, "id");
  const char *session = emu_json_string (event, "session");
  const char *hash = emu_json_string (event, "hash");

  if (g_strcmp0 (name, "session") == 0)
    return replay_session (state, event);
  if (g_strcmp0 (name, "cred") == 0)
    return replay_cred (state, event);
  if (g_strcmp0 (name, "upload") == 0)
    return replay_upload (state, event);
  if (g_strcmp0 (name, "part") == 0 &&
      emu_json_string (event, "upload") != NULL)
    return replay_part (state, event);
  if (g_strcmp0 (name, "complete") == 0 &&
      emu_json_string (event, "upload") != NULL)
    return replay_complete (state, event);
  if (g_strcmp0 (name, "object") == 0)
    return replay_object (state, event);
  if (g_strcmp0 (name, "md5") == 0)
    return replay_md5 (state, event);
  if (g_strcmp0 (name, "remove-upload") == 0 && id != NULL)
    emu_state_remove_upload (state, id);
  else if (g_strcmp0 (name, "forget-session") == 0 && id != NULL)
    emu_state_forget_session (state, id);
  else if (g_strcmp0 (name, "expire") == 0 && session != NULL)
    emu_state_expire_creds (state, session,
        emu_json_int (event, "as-message", 0) != 0,
        (guint)emu_json_int (event, "status", 0));
  else if (g_strcmp0 (name, "commit") == 0 && session != NULL)
    return replay_commit (state, event, session);
  else if (g_strcmp0 (name, "signature") == 0 && hash != NULL)
    emu_state_use_signature (state, hash);
  else
    return FALSE;
  return TRUE;
}

static void
replay_lines (EmuState *state, const char *text, gsize len)
{
  guint number = 0;

  while (len > 0) {
    const char *end = memchr (text, '\n', len);
    gsize line_len = (gsize)(end - text);
    g_autoptr (JsonNode) node = emu_json_parse (text, line_len, NULL);

    number++;
    if (node == NULL || !JSON_NODE_HOLDS_OBJECT (node) ||
        !replay (state, json_node_get_object (node)))
      g_warning ("journal: line %u is not understood", number);
    text = end + 1;
    len -= line_len + 1;
  }
}

static void
note_blob (GHashTable *names, EmuBlob *blob)
{
  g_hash_table_add (names, (gpointer)emu_blob_name (blob));
}

static gboolean
note_part (gpointer number, gpointer part, gpointer names)
{
  note_blob (names, ((EmuPart *)part)->blob);
  return FALSE;
}

static void
note_object (GHashTable *names, EmuObject *object)
{
  for (guint i = 0; object != NULL && i < object->blobs->len; i++)
    note_blob (names, g_ptr_array_index (object->blobs, i));
}

static void
delete_orphans (EmuState *state)
{
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GDir) dir = g_dir_open (state->parts_folder, 0, NULL);
  GHashTableIter iter;
  gpointer value;
  const char *name;

  g_hash_table_iter_init (&iter, state->uploads);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    g_tree_foreach (((EmuUpload *)value)->parts, note_part, names);
  g_hash_table_iter_init (&iter, state->objects);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    note_object (names, value);
  g_hash_table_iter_init (&iter, state->completed);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    note_object (names, value);
  g_hash_table_iter_init (&iter, state->media);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    note_object (names, ((EmuMedia *)value)->object);
    note_object (names, ((EmuMedia *)value)->cover);
  }
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (!g_hash_table_contains (names, name)) {
      g_autofree char *path =
          g_build_filename (state->parts_folder, name, NULL);

      g_unlink (path);
    }
}

gboolean
emu_journal_open (EmuState *state, GError **error)
{
  g_autofree char *path = g_build_filename (state->root, "journal", NULL);
  g_autofree char *text = NULL;
  gsize len;
  int fd = g_open (path, O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600);

  if (fd < 0 || flock (fd, LOCK_EX | LOCK_NB) < 0) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "cannot %s %s: %s",
        fd < 0 ? "open" : "lock (is another vod-emulator using it?)", path,
        g_strerror (errno));
    if (fd >= 0)
      close (fd);
    return FALSE;
  }
  if (!g_file_get_contents (path, &text, &len, error)) {
    close (fd);
    return FALSE;
  }
  while (len > 0 && text[len - 1] != '\n')
    len--;
  if (ftruncate (fd, (off_t)len) < 0)
    g_warning ("cannot cut %s: %s", path, g_strerror (errno));
  replay_lines (state, text, len);
  delete_orphans (state);
  state->journal = fd;
  return TRUE;
}
