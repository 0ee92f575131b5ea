/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CompleteMultipartUpload: the listed parts against the uploaded ones, then the
 * whole read back from disk and its CRC64 compared with the one combined from
 * the parts. Reading happens in a thread (the only one that sees blobs but the
 * main one); meanwhile blanks keep the client waiting, as the service does.
 * A second Complete during the first joins it.
 */
#include "emu-handlers.h"

#include "emu-crc64.h"
#include "emu-util.h"

#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#define MIN_PART (1024 * 1024)
#define BLANK_MS 100
#define BLANKS_AFTER_MS 2000
#define BLOCK (256 * 1024)

/* ---- the request's list ---- */

typedef struct {
  guint number;
  char *etag;
} Listed;

typedef struct {
  GArray *parts; /* Listed */
  guint depth;
  gboolean in_part, in_number, in_etag, bad;
  guint64 number;
  GString *text;
  char *etag;
} Parser;

static void
listed_clear (gpointer data)
{
  g_free (((Listed *)data)->etag);
}

static void
start_element (GMarkupParseContext *context, const char *name,
    const char **attribute_names, const char **attribute_values,
    gpointer user_data, GError **error)
{
  Parser *parser = user_data;

  parser->depth++;
  g_string_truncate (parser->text, 0);
  if (parser->depth == 1)
    parser->bad |= strcmp (name, "CompleteMultipartUpload") != 0;
  else if (parser->depth == 2)
    parser->bad |= strcmp (name, "Part") != 0;
  else if (parser->depth > 3)
    parser->bad = TRUE;
}

static void
take_text (GMarkupParseContext *context, const char *text, gsize len,
    gpointer user_data, GError **error)
{
  Parser *parser = user_data;

  if (parser->depth == 3 && parser->text->len + len < 4096)
    g_string_append_len (parser->text, text, (gssize)len);
}

static void
end_part (Parser *parser)
{
  Listed listed = {.number = (guint)parser->number, .etag = parser->etag};

  parser->bad |= parser->number == 0 || parser->etag == NULL ||
      parser->parts->len >= 10000;
  parser->number = 0;
  parser->etag = NULL;
  if (listed.etag != NULL)
    g_array_append_val (parser->parts, listed);
}

static void
end_element (GMarkupParseContext *context, const char *name, gpointer user_data,
    GError **error)
{
  Parser *parser = user_data;
  char *text = g_strstrip (parser->text->str);
  gsize len = strlen (text);

  if (parser->depth == 3 && strcmp (name, "PartNumber") == 0) {
    parser->bad |= !emu_parse_number (text, 1, 10000, &parser->number);
  } else if (parser->depth == 3 && strcmp (name, "ETag") == 0) {
    if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
      text[len - 1] = '\0';
      text++;
    }
    g_free (parser->etag);
    parser->etag = g_strdup (text);
  } else if (parser->depth == 2) {
    end_part (parser);
  }
  g_string_truncate (parser->text, 0);
  parser->depth--;
}

/* NULL: not a proper list */
static GArray *
parse_list (const GByteArray *body)
{
  static const GMarkupParser functions = {
      start_element, end_element, take_text, NULL, NULL};
  Parser parser = {.parts = g_array_new (FALSE, FALSE, sizeof (Listed)),
      .text = g_string_new (NULL)};
  g_autoptr (GMarkupParseContext) context =
      g_markup_parse_context_new (&functions, 0, &parser, NULL);

  g_array_set_clear_func (parser.parts, listed_clear);
  if (body == NULL ||
      !g_markup_parse_context_parse (
          context, (const char *)body->data, (gssize)body->len, NULL) ||
      !g_markup_parse_context_end_parse (context, NULL) ||
      parser.parts->len == 0)
    parser.bad = TRUE;
  g_string_free (parser.text, TRUE);
  g_free (parser.etag);
  if (parser.bad)
    g_clear_pointer (&parser.parts, g_array_unref);
  return parser.parts;
}

/* NULL if the list may be completed, else the code of the error. */
static const char *
check_list (EmuUpload *upload, GArray *list)
{
  for (guint i = 1; i < list->len; i++)
    if (g_array_index (list, Listed, i).number <=
        g_array_index (list, Listed, i - 1).number)
      return "InvalidPartOrder";
  for (guint i = 0; i < list->len; i++) {
    const Listed *listed = &g_array_index (list, Listed, i);
    EmuPart *part =
        g_tree_lookup (upload->parts, GUINT_TO_POINTER (listed->number));

    if (listed->number != i + 1 || part == NULL ||
        g_ascii_strcasecmp (listed->etag, part->etag) != 0)
      return "InvalidPart";
  }
  for (guint i = 0; i + 1 < list->len; i++) {
    EmuPart *part = g_tree_lookup (upload->parts, GUINT_TO_POINTER (i + 1));

    if (emu_blob_size (part->blob) < MIN_PART)
      return "EntityTooSmall";
  }
  return NULL;
}

/* ---- reading blobs in a thread ---- */

typedef gboolean (*BlockFunc) (gpointer state, gconstpointer data, gsize len);

static gboolean
read_blobs (GPtrArray *blobs, BlockFunc take, gpointer state, GError **error)
{
  g_autofree guint8 *block = g_malloc (BLOCK);

  for (guint i = 0; i < blobs->len; i++) {
    EmuBlob *blob = g_ptr_array_index (blobs, i);
    int fd = emu_blob_open (blob, error);
    guint64 size = 0;
    gssize n = 0;

    if (fd < 0)
      return FALSE;
    while ((n = read (fd, block, BLOCK)) > 0) {
      size += (guint64)n;
      take (state, block, (gsize)n);
    }
    close (fd);
    if (n < 0 || size != emu_blob_size (blob)) {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED,
          "part %u of the object has changed on disk", i + 1);
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean
take_crc (gpointer state, gconstpointer data, gsize len)
{
  guint64 *crc = state;

  *crc = emu_crc64_update (*crc, data, len);
  return TRUE;
}

static gboolean
take_md5 (gpointer state, gconstpointer data, gsize len)
{
  return EVP_DigestUpdate (state, data, len);
}

static GPtrArray *
copy_blobs (GPtrArray *blobs)
{
  GPtrArray *copy =
      g_ptr_array_new_with_free_func ((GDestroyNotify)emu_blob_unref);

  for (guint i = 0; i < blobs->len; i++)
    g_ptr_array_add (copy, emu_blob_ref (g_ptr_array_index (blobs, i)));
  return copy;
}

/* ---- the job ---- */

typedef struct {
  Emu *emu;
  char *upload_id;
  guint n_parts;
  GPtrArray *blobs;
  guint64 crc64; /* combined from the parts */
  GList *requests;
  guint timer;
} Job;

static void
job_free (gpointer data)
{
  Job *job = data;

  g_clear_handle_id (&job->timer, g_source_remove);
  g_free (job->upload_id);
  g_ptr_array_unref (job->blobs);
  g_list_free (job->requests);
  g_free (job);
}

static char *
format_result (EmuRequest *request, EmuObject *object)
{
  g_autofree char *path = emu_percent_encode (object->key, TRUE);

  return g_markup_printf_escaped (
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<CompleteMultipartUploadResult "
      "xmlns=\"http://www.qcloud.com/document/product/436/7751\">\n"
      "\t<Location>http://%s.cos.%s.myqcloud.com/%s</Location>\n"
      "\t<Bucket>%s</Bucket>\n\t<Key>%s</Key>\n"
      "\t<ETag>&quot;%s&quot;</ETag>\n</CompleteMultipartUploadResult>\n",
      object->bucket, request->region, path, object->bucket, object->key,
      object->etag);
}

static void
append_text (EmuRequest *request, const char *text)
{
  SoupMessageBody *body =
      soup_server_message_get_response_body (request->message);

  soup_message_body_append (body, SOUP_MEMORY_COPY, text, strlen (text));
}

/* The last of the answer, whether it has begun with blanks or not. */
static void
answer_end (EmuRequest *request, guint status, const char *code, char *xml)
{
  g_autofree char *owned = xml;

  if (request->gone)
    return;
  if (request->status != 0) { /* begun */
    append_text (request, xml);
    soup_message_body_complete (
        soup_server_message_get_response_body (request->message));
    soup_server_unpause_message (request->emu->server, request->message);
    return;
  }
  request->code = g_strdup (code);
  emu_request_answer (
      request, status, "application/xml", g_steal_pointer (&owned));
}

static void
answer_success (EmuRequest *request, EmuObject *object)
{
  if (request->status == 0 && !request->gone) {
    emu_cos_set_sums (request, object->etag, object->crc64);
    soup_message_headers_remove (
        soup_server_message_get_response_headers (request->message), "ETag");
  }
  answer_end (request, 200, NULL, format_result (request, object));
}

/* Blanks now, so that the client sees an answer coming. */
static gboolean
add_blanks (gpointer user_data)
{
  Job *job = user_data;

  for (GList *l = job->requests; l != NULL; l = l->next) {
    EmuRequest *request = l->data;

    if (request->gone)
      continue;
    append_text (request, " ");
    if (request->status == 0) {
      emu_cos_set_sums (request, "0", job->crc64);
      soup_message_headers_remove (
          soup_server_message_get_response_headers (request->message), "ETag");
      soup_message_headers_set_encoding (
          soup_server_message_get_response_headers (request->message),
          SOUP_ENCODING_CHUNKED);
      emu_request_answer_stream (request, 200, "application/xml");
    } else {
      soup_server_unpause_message (request->emu->server, request->message);
    }
  }
  job->timer = g_timeout_add (BLANK_MS, add_blanks, job);
  return G_SOURCE_REMOVE;
}

static EmuObject *
finish_upload (Job *job, gboolean intact)
{
  EmuState *state = job->emu->state;
  EmuUpload *upload = g_hash_table_lookup (state->uploads, job->upload_id);
  g_autofree char *random = emu_random_hex (16);
  g_autofree char *etag = g_strdup_printf ("%s-%u", random, job->n_parts);

  if (upload == NULL)
    return NULL;
  upload->job = NULL;
  if (!intact)
    return NULL;
  return emu_state_complete (
      state, upload, job->n_parts, etag, g_get_real_time () / G_USEC_PER_SEC);
}

/* Answers all that wait; frees the job. */
static void
job_done (Job *job, const GError *error)
{
  EmuObject *object;

  if (error != NULL)
    g_warning ("complete: %s", error->message);
  object = finish_upload (job, error == NULL);
  for (GList *l = job->requests; l != NULL; l = l->next) {
    EmuRequest *request = l->data;

    if (object != NULL)
      answer_success (request, object);
    else
      answer_end (request, 500, "InternalError",
          emu_request_error_xml (request, "InternalError", NULL));
    emu_request_release (request);
  }
  if (object != NULL && !job->emu->options.discard)
    emu_complete_start_md5 (job->emu, object);
  job_free (job);
}

static void
check_thread (
    GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
  Job *job = task_data;
  GError *error = NULL;
  guint64 crc64 = 0;

  if (!read_blobs (job->blobs, take_crc, &crc64, &error))
    g_task_return_error (task, error);
  else if (crc64 != job->crc64)
    g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_FAILED,
        "the parts on disk are not those that were received");
  else
    g_task_return_boolean (task, TRUE);
}

static void
on_checked (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  g_task_propagate_boolean (G_TASK (result), &error);
  job_done (user_data, error);
}

static void
job_check (Job *job)
{
  g_autoptr (GTask) task = NULL;

  if (job->emu->options.discard) {
    job_done (job, NULL);
    return;
  }
  if (job->timer == 0)
    job->timer = g_timeout_add (BLANKS_AFTER_MS, add_blanks, job);
  task = g_task_new (NULL, NULL, on_checked, job);
  g_task_set_task_data (task, job, NULL);
  g_task_run_in_thread (task, check_thread);
}

static gboolean
on_blanks_over (gpointer user_data)
{
  job_check (user_data);
  return G_SOURCE_REMOVE;
}

static gboolean
take_blob (gpointer number, gpointer value, gpointer user_data)
{
  Job *job = user_data;
  EmuPart *part = value;

  if (part->number > job->n_parts)
    return TRUE;
  g_ptr_array_add (job->blobs, emu_blob_ref (part->blob));
  job->crc64 = emu_crc64_combine (
      job->crc64, emu_blob_crc64 (part->blob), emu_blob_size (part->blob));
  return FALSE;
}

static void
start_job (EmuRequest *request, EmuUpload *upload, guint n_parts)
{
  Job *job = g_new0 (Job, 1);

  job->emu = request->emu;
  job->upload_id = g_strdup (upload->id);
  job->n_parts = n_parts;
  job->blobs = g_ptr_array_new_with_free_func ((GDestroyNotify)emu_blob_unref);
  g_tree_foreach (upload->parts, take_blob, job);
  upload->job = job;
  job->requests = g_list_append (NULL, request);
  emu_request_hold (request);
  if (request->fault.spaces > 0) {
    g_timeout_add ((guint)request->fault.spaces, on_blanks_over, job);
    add_blanks (job);
  } else {
    job_check (job);
  }
}

/* ---- the operation ---- */

static gboolean
check_body_md5 (EmuRequest *request)
{
  g_autofree char *md5 = g_compute_checksum_for_data (G_CHECKSUM_MD5,
      request->body != NULL ? request->body->data : NULL,
      request->body != NULL ? request->body->len : 0);

  return emu_cos_check_md5 (request, md5);
}

static void
answer_unknown (EmuRequest *request, const char *id)
{
  EmuObject *object = NULL;

  if (id != NULL && request->emu->options.repeat_complete)
    object = g_hash_table_lookup (request->emu->state->completed, id);
  if (object != NULL && strcmp (object->key, request->path + 1) == 0)
    answer_success (request, object);
  else
    emu_request_cos_error (request, 404, "NoSuchUpload", NULL);
}

void
emu_complete (EmuRequest *request)
{
  const char *id = emu_query_get (request->query, "uploadId");
  const char *late = request->fault.error_in_200;
  EmuUpload *upload = emu_state_find_upload (
      request->emu->state, request->bucket, request->path + 1, id);
  g_autoptr (GArray) list = NULL;
  const char *code;

  if (upload == NULL) {
    answer_unknown (request, id);
    return;
  }
  if (!check_body_md5 (request))
    return;
  if (late != NULL) {
    g_autofree char *xml = emu_request_error_xml (request, late, NULL);

    request->code = g_strdup (late);
    emu_request_answer (
        request, 200, "application/xml", g_strconcat ("   \n", xml, NULL));
    return;
  }
  list = parse_list (request->body);
  if (list == NULL) {
    emu_request_cos_error (request, 400, "MalformedXML", NULL);
    return;
  }
  code = check_list (upload, list);
  if (code != NULL) {
    emu_request_cos_error (request, 400, code, NULL);
  } else if (upload->job != NULL) {
    Job *job = upload->job;

    job->requests = g_list_append (job->requests, request);
    emu_request_hold (request);
  } else {
    start_job (request, upload, list->len);
  }
}

/* ---- MD5 of the whole, aside ---- */

typedef struct {
  Emu *emu;
  EmuObject *object;
  GPtrArray *blobs;
} Md5Job;

static void
md5_job_free (gpointer data)
{
  Md5Job *job = data;

  emu_object_unref (job->object);
  g_ptr_array_unref (job->blobs);
  g_free (job);
}

static void
md5_thread (
    GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
  Md5Job *job = task_data;
  EVP_MD_CTX *context = EVP_MD_CTX_new ();
  guint8 digest[EVP_MAX_MD_SIZE];
  GError *error = NULL;

  EVP_DigestInit_ex (context, EVP_md5 (), NULL);
  if (read_blobs (job->blobs, take_md5, context, &error) &&
      EVP_DigestFinal_ex (context, digest, NULL))
    g_task_return_pointer (task, emu_hex (digest, 16), g_free);
  else
    g_task_return_error (task, error);
  EVP_MD_CTX_free (context);
}

static void
on_md5 (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Md5Job *job = g_task_get_task_data (G_TASK (result));
  Emu *emu = job->emu;
  g_autoptr (GError) error = NULL;
  g_autofree char *md5 = g_task_propagate_pointer (G_TASK (result), &error);

  if (md5 != NULL)
    emu_state_set_md5 (emu->state, job->object, md5);
  else
    g_warning ("md5 of an object: %s", error->message);
  emu->md5_jobs--;
  while (emu->md5_jobs == 0 && emu->waiting != NULL) {
    EmuRequest *request = emu->waiting->data;

    emu->waiting = g_list_delete_link (emu->waiting, emu->waiting);
    if (!request->gone)
      request->handler (request);
    emu_request_release (request);
  }
}

void
emu_complete_start_md5 (Emu *emu, EmuObject *object)
{
  Md5Job *job;
  g_autoptr (GTask) task = NULL;

  if (object->md5 != NULL || object->blobs->len == 0 ||
      *emu_blob_name (g_ptr_array_index (object->blobs, 0)) == '\0')
    return;
  job = g_new0 (Md5Job, 1);
  job->emu = emu;
  job->object = emu_object_ref (object);
  job->blobs = copy_blobs (object->blobs);
  emu->md5_jobs++;
  task = g_task_new (NULL, NULL, on_md5, NULL);
  g_task_set_task_data (task, job, md5_job_free);
  g_task_run_in_thread (task, md5_thread);
}
