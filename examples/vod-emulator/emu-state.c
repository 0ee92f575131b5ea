/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the service remembers; see the header. Each public function changes the
 * tables and writes one line of the journal.
 */
#include "emu-state.h"

#include "emu-crc64.h"
#include "emu-journal.h"
#include "emu-util.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

void
emu_session_free (EmuSession *session)
{
  g_free (session->id);
  g_free (session->file_id);
  g_free (session->bucket);
  g_free (session->region);
  g_free (session->name);
  g_free (session->type);
  g_free (session->key);
  g_free (session->cover_type);
  g_free (session->cover_key);
  g_free (session);
}

static void
cred_free (EmuCred *cred)
{
  g_free (cred->ak);
  g_free (cred->sk);
  g_free (cred->token);
  g_free (cred->session);
  g_free (cred);
}

static void
part_free (EmuPart *part)
{
  emu_blob_unref (part->blob);
  g_free (part->etag);
  g_free (part);
}

static void
upload_free (EmuUpload *upload)
{
  g_free (upload->id);
  g_free (upload->bucket);
  g_free (upload->key);
  g_free (upload->content_type);
  g_tree_unref (upload->parts);
  g_hash_table_unref (upload->sent);
  g_hash_table_unref (upload->failed);
  g_free (upload);
}

EmuObject *
emu_object_ref (EmuObject *object)
{
  g_atomic_ref_count_inc (&object->refs);
  return object;
}

void
emu_object_unref (EmuObject *object)
{
  if (!g_atomic_ref_count_dec (&object->refs))
    return;
  g_free (object->bucket);
  g_free (object->key);
  g_free (object->upload_id);
  g_free (object->etag);
  g_free (object->md5);
  g_free (object->content_type);
  g_ptr_array_unref (object->blobs);
  g_clear_pointer (&object->sent, g_hash_table_unref);
  g_clear_pointer (&object->failed, g_hash_table_unref);
  g_free (object);
}

static void
media_free (EmuMedia *media)
{
  g_free (media->file_id);
  g_free (media->name);
  g_free (media->type);
  g_free (media->region);
  g_free (media->cover_type);
  g_clear_pointer (&media->object, emu_object_unref);
  g_clear_pointer (&media->cover, emu_object_unref);
  g_free (media);
}

static GHashTable *
string_table (GDestroyNotify free_value)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, free_value);
}

EmuState *
emu_state_open (const char *root, gboolean discard, GError **error)
{
  EmuState *state = g_new0 (EmuState, 1);

  state->journal = -1;
  state->discard = discard;
  state->root = g_strdup (root);
  state->parts_folder = g_build_filename (root, "parts", NULL);
  state->sessions = string_table ((GDestroyNotify)emu_session_free);
  state->creds = string_table ((GDestroyNotify)cred_free);
  state->uploads = string_table ((GDestroyNotify)upload_free);
  state->objects = string_table ((GDestroyNotify)emu_object_unref);
  state->completed = string_table ((GDestroyNotify)emu_object_unref);
  state->media = string_table ((GDestroyNotify)media_free);
  state->signatures = string_table (NULL);
  if (g_mkdir_with_parents (state->parts_folder, 0700) < 0) {
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
        "cannot make the folder %s", state->parts_folder);
  } else if (emu_journal_open (state, error)) {
    return state;
  }
  emu_blob_keep_files ();
  emu_state_free (state);
  return NULL;
}

void
emu_state_free (EmuState *state)
{
  g_hash_table_unref (state->media);
  g_hash_table_unref (state->completed);
  g_hash_table_unref (state->objects);
  g_hash_table_unref (state->uploads);
  g_hash_table_unref (state->creds);
  g_hash_table_unref (state->sessions);
  g_hash_table_unref (state->signatures);
  if (state->journal >= 0)
    close (state->journal);
  g_free (state->parts_folder);
  g_free (state->root);
  g_free (state);
}

/* ---- sessions and credentials ---- */

EmuSession *
emu_state_put_session (EmuState *state, EmuSession *session)
{
  JsonBuilder *line = emu_journal_begin ("session");
  EmuSession *old = g_hash_table_lookup (state->sessions, session->id);

  emu_journal_add (line, "id", session->id);
  emu_journal_add (line, "file-id", session->file_id);
  emu_journal_add (line, "bucket", session->bucket);
  emu_journal_add (line, "region", session->region);
  emu_journal_add_int (line, "app-id", (gint64)session->app_id);
  emu_journal_add (line, "name", session->name);
  emu_journal_add (line, "type", session->type);
  emu_journal_add (line, "key", session->key);
  emu_journal_add (line, "cover-type", session->cover_type);
  emu_journal_add (line, "cover-key", session->cover_key);
  emu_journal_add_int (line, "created", session->created);
  emu_journal_add_int (line, "size", (gint64)session->declared_size);
  emu_journal_add_int (line, "applies", session->applies);
  emu_journal_end (state, line);
  if (old == session)
    return session;
  if (old != NULL) {
    session->failed = old->failed;
    session->committed = old->committed;
    session->forgotten = old->forgotten;
  }
  g_hash_table_replace (state->sessions, g_strdup (session->id), session);
  return session;
}

void
emu_state_forget_session (EmuState *state, const char *id)
{
  JsonBuilder *line = emu_journal_begin ("forget-session");
  EmuSession *session = g_hash_table_lookup (state->sessions, id);

  emu_journal_add (line, "id", id);
  emu_journal_end (state, line);
  if (session != NULL)
    session->forgotten = TRUE;
}

EmuCred *
emu_state_add_cred (EmuState *state, const char *session, const char *ak,
    const char *sk, const char *token, gint64 expires)
{
  JsonBuilder *line = emu_journal_begin ("cred");
  EmuCred *cred = g_new0 (EmuCred, 1);

  cred->session = g_strdup (session);
  cred->ak = g_strdup (ak);
  cred->sk = g_strdup (sk);
  cred->token = g_strdup (token);
  cred->expires = expires;
  emu_journal_add (line, "session", session);
  emu_journal_add (line, "ak", ak);
  emu_journal_add (line, "sk", sk);
  emu_journal_add (line, "token", token);
  emu_journal_add_int (line, "expires", expires);
  emu_journal_end (state, line);
  g_hash_table_replace (state->creds, g_strdup (ak), cred);
  return cred;
}

void
emu_state_expire_creds (
    EmuState *state, const char *session, gboolean as_message, guint status)
{
  JsonBuilder *line = emu_journal_begin ("expire");
  GHashTableIter iter;
  gpointer value;

  emu_journal_add (line, "session", session);
  emu_journal_add_int (line, "as-message", as_message);
  emu_journal_add_int (line, "status", status);
  emu_journal_end (state, line);
  g_hash_table_iter_init (&iter, state->creds);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    EmuCred *cred = value;

    if (strcmp (cred->session, session) == 0) {
      cred->expired_by_fault = TRUE;
      cred->expired_as_message = as_message;
      cred->expired_status = status;
    }
  }
}

/* ---- uploads ---- */

static int
compare_numbers (gconstpointer a, gconstpointer b, gpointer unused)
{
  guint x = GPOINTER_TO_UINT (a), y = GPOINTER_TO_UINT (b);

  return x < y ? -1 : x > y;
}

EmuUpload *
emu_state_add_upload (EmuState *state, const char *id, const char *bucket,
    const char *key, const char *content_type, gint64 when)
{
  JsonBuilder *line = emu_journal_begin ("upload");
  EmuUpload *upload = g_new0 (EmuUpload, 1);

  upload->id = g_strdup (id);
  upload->bucket = g_strdup (bucket);
  upload->key = g_strdup (key);
  upload->content_type = g_strdup (content_type);
  upload->initiated = when;
  upload->parts =
      g_tree_new_full (compare_numbers, NULL, NULL, (GDestroyNotify)part_free);
  upload->sent = g_hash_table_new (NULL, NULL);
  upload->failed = g_hash_table_new (NULL, NULL);
  emu_journal_add (line, "id", id);
  emu_journal_add (line, "bucket", bucket);
  emu_journal_add (line, "key", key);
  emu_journal_add (line, "content-type", content_type);
  emu_journal_add_int (line, "when", when);
  emu_journal_end (state, line);
  g_hash_table_replace (state->uploads, g_strdup (id), upload);
  return upload;
}

EmuUpload *
emu_state_find_upload (
    EmuState *state, const char *bucket, const char *key, const char *id)
{
  EmuUpload *upload;

  if (id == NULL)
    return NULL;
  upload = g_hash_table_lookup (state->uploads, id);
  if (upload == NULL || strcmp (upload->bucket, bucket) != 0 ||
      strcmp (upload->key, key) != 0)
    return NULL;
  return upload;
}

void
emu_state_remove_upload (EmuState *state, const char *id)
{
  JsonBuilder *line = emu_journal_begin ("remove-upload");

  emu_journal_add (line, "id", id);
  emu_journal_end (state, line);
  g_hash_table_remove (state->uploads, id);
}

void
emu_state_put_part (EmuState *state, EmuUpload *upload, guint number,
    EmuBlob *blob, const char *etag, guint64 crc64, gint64 when)
{
  JsonBuilder *line = emu_journal_begin ("part");
  EmuPart *old = g_tree_lookup (upload->parts, GUINT_TO_POINTER (number));
  EmuPart *part = g_new0 (EmuPart, 1);

  part->number = number;
  part->blob = blob;
  part->etag = g_strdup (etag);
  part->crc64 = crc64;
  part->mtime = when;
  emu_journal_add (line, "upload", upload->id);
  emu_journal_add_int (line, "number", number);
  emu_journal_add (line, "blob", emu_blob_name (blob));
  emu_journal_add_int (line, "size", (gint64)emu_blob_size (blob));
  emu_json_add_uint64 (line, "stored-crc64", emu_blob_crc64 (blob));
  emu_journal_add (line, "etag", etag);
  emu_json_add_uint64 (line, "crc64", crc64);
  emu_journal_add_int (line, "when", when);
  emu_journal_end (state, line);
  if (old != NULL)
    upload->bytes -= emu_blob_size (old->blob);
  upload->bytes += emu_blob_size (blob);
  g_tree_replace (upload->parts, GUINT_TO_POINTER (number), part);
}

guint
emu_times (GHashTable *by_part, guint number)
{
  return by_part == NULL ? 0
                         : GPOINTER_TO_UINT (g_hash_table_lookup (
                               by_part, GUINT_TO_POINTER (number)));
}

static void
count_one_more (GHashTable *by_part, guint number)
{
  g_hash_table_insert (by_part, GUINT_TO_POINTER (number),
      GUINT_TO_POINTER (emu_times (by_part, number) + 1));
}

void
emu_state_part_begun (EmuUpload *upload, guint number)
{
  count_one_more (upload->sent, number);
}

void
emu_state_part_ended (EmuState *state, const char *upload, guint number,
    guint64 received, gboolean failed)
{
  EmuUpload *found = g_hash_table_lookup (state->uploads, upload);

  if (found == NULL)
    return;
  found->received += received;
  if (failed)
    count_one_more (found->failed, number);
}

/* ---- objects ---- */

static char *
object_id (const char *bucket, const char *key)
{
  return g_strdup_printf ("%s\n%s", bucket, key);
}

static EmuObject *
object_new (
    const char *bucket, const char *key, const char *content_type, gint64 when)
{
  EmuObject *object = g_new0 (EmuObject, 1);

  g_atomic_ref_count_init (&object->refs);
  object->bucket = g_strdup (bucket);
  object->key = g_strdup (key);
  object->content_type = g_strdup (content_type);
  object->mtime = when;
  object->blobs =
      g_ptr_array_new_with_free_func ((GDestroyNotify)emu_blob_unref);
  return object;
}

static void
object_append (EmuObject *object, EmuBlob *blob)
{
  object->crc64 = emu_crc64_combine (
      object->crc64, emu_blob_crc64 (blob), emu_blob_size (blob));
  object->size += emu_blob_size (blob);
  g_ptr_array_add (object->blobs, blob);
}

static void
store_object (EmuState *state, EmuObject *object)
{
  g_hash_table_replace (
      state->objects, object_id (object->bucket, object->key), object);
}

EmuObject *
emu_state_complete (EmuState *state, EmuUpload *upload, guint n_parts,
    const char *etag, gint64 when)
{
  JsonBuilder *line = emu_journal_begin ("complete");
  EmuObject *object =
      object_new (upload->bucket, upload->key, upload->content_type, when);

  emu_journal_add (line, "upload", upload->id);
  emu_journal_add_int (line, "parts", n_parts);
  emu_journal_add (line, "etag", etag);
  emu_journal_add_int (line, "when", when);
  emu_journal_end (state, line);
  for (guint i = 1; i <= n_parts; i++) {
    EmuPart *part = g_tree_lookup (upload->parts, GUINT_TO_POINTER (i));

    object_append (object, emu_blob_ref (part->blob));
  }
  object->etag = g_strdup (etag);
  object->upload_id = g_strdup (upload->id);
  object->sent = g_hash_table_ref (upload->sent);
  object->failed = g_hash_table_ref (upload->failed);
  store_object (state, object);
  g_hash_table_replace (
      state->completed, g_strdup (upload->id), emu_object_ref (object));
  g_hash_table_remove (state->uploads, object->upload_id);
  return object;
}

EmuObject *
emu_state_put_object (EmuState *state, const char *bucket, const char *key,
    const char *content_type, EmuBlob *blob, const char *md5, gint64 when)
{
  JsonBuilder *line = emu_journal_begin ("object");
  EmuObject *object = object_new (bucket, key, content_type, when);

  emu_journal_add (line, "bucket", bucket);
  emu_journal_add (line, "key", key);
  emu_journal_add (line, "content-type", content_type);
  emu_journal_add (line, "blob", emu_blob_name (blob));
  emu_journal_add_int (line, "size", (gint64)emu_blob_size (blob));
  emu_json_add_uint64 (line, "stored-crc64", emu_blob_crc64 (blob));
  emu_journal_add (line, "md5", md5);
  emu_journal_add_int (line, "when", when);
  emu_journal_end (state, line);
  object_append (object, blob);
  object->etag = g_strdup (md5);
  if (*emu_blob_name (blob) != '\0')
    object->md5 = g_strdup (md5);
  store_object (state, object);
  return object;
}

EmuObject *
emu_state_find_object (EmuState *state, const char *bucket, const char *key)
{
  g_autofree char *id = object_id (bucket, key);

  return g_hash_table_lookup (state->objects, id);
}

void
emu_state_set_md5 (EmuState *state, EmuObject *object, const char *md5)
{
  JsonBuilder *line = emu_journal_begin ("md5");

  emu_journal_add (line, "bucket", object->bucket);
  emu_journal_add (line, "key", object->key);
  emu_journal_add (line, "etag", object->etag);
  emu_journal_add (line, "md5", md5);
  emu_journal_end (state, line);
  g_free (object->md5);
  object->md5 = g_strdup (md5);
}

/* ---- media ---- */

static void
set_object (EmuObject **place, EmuObject *object)
{
  if (object == NULL)
    return;
  g_clear_pointer (place, emu_object_unref);
  *place = emu_object_ref (object);
}

EmuMedia *
emu_state_commit (EmuState *state, EmuSession *session, gint64 when_us)
{
  JsonBuilder *line = emu_journal_begin ("commit");
  EmuMedia *media = g_hash_table_lookup (state->media, session->file_id);

  emu_journal_add (line, "session", session->id);
  emu_journal_add_int (line, "when", when_us);
  emu_journal_add_int (line, "failed", session->failed);
  emu_journal_end (state, line);
  if (media == NULL) {
    media = g_new0 (EmuMedia, 1);
    media->file_id = g_strdup (session->file_id);
    media->name = g_strdup (session->name);
    media->type = g_strdup (session->type);
    media->region = g_strdup (session->region);
    media->applied = session->created;
    media->committed = when_us;
    g_hash_table_replace (state->media, g_strdup (session->file_id), media);
  }
  if (session->key != NULL)
    set_object (&media->object,
        emu_state_find_object (state, session->bucket, session->key));
  if (session->cover_key != NULL) {
    g_free (media->cover_type);
    media->cover_type = g_strdup (session->cover_type);
    set_object (&media->cover,
        emu_state_find_object (state, session->bucket, session->cover_key));
  }
  state->media_changes++;
  media->applies = session->applies;
  media->failed = session->failed;
  session->committed = TRUE;
  return media;
}

gboolean
emu_state_use_signature (EmuState *state, const char *hash)
{
  JsonBuilder *line;

  if (!g_hash_table_add (state->signatures, g_strdup (hash)))
    return FALSE;
  line = emu_journal_begin ("signature");
  emu_journal_add (line, "hash", hash);
  emu_journal_end (state, line);
  return TRUE;
}
