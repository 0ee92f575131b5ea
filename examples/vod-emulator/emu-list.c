/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lists of uploads and of parts, page by page.
 */
#include "emu-handlers.h"

#include "emu-util.h"

#include <string.h>

/* <Name>value</Name>; as encoding-type=url wants it if @encode. */
static void
add (GString *xml, const char *name, const char *value, gboolean encode)
{
  g_autofree char *encoded = encode ? emu_percent_encode (value, FALSE) : NULL;
  g_autofree char *element = g_markup_printf_escaped (
      "<%s>%s</%s>", name, encode ? encoded : value, name);

  g_string_append (xml, element);
}

static void
add_number (GString *xml, const char *name, guint64 value)
{
  g_string_append_printf (
      xml, "<%s>%" G_GUINT64_FORMAT "</%s>", name, value, name);
}

/* FALSE, and the error is answered, unless absent or 1 to 1000. */
static gboolean
read_page_size (EmuRequest *request, const char *name, guint64 *out)
{
  const char *text = emu_query_get (request->query, name);

  *out = 1000;
  if (text == NULL || *text == '\0' || emu_parse_number (text, 1, 1000, out))
    return TRUE;
  emu_request_cos_error (
      request, 400, "InvalidArgument", "A page holds 1 to 1000 entries.");
  return FALSE;
}

static gboolean
wants_encoding (EmuRequest *request, gboolean *encode)
{
  const char *type = emu_query_get (request->query, "encoding-type");

  *encode = g_strcmp0 (type, "url") == 0;
  if (type == NULL || *type == '\0' || *encode)
    return TRUE;
  emu_request_cos_error (
      request, 400, "InvalidArgument", "encoding-type must be url.");
  return FALSE;
}

static void
add_people (GString *xml, EmuRequest *request)
{
  const char *app_id = strrchr (request->bucket, '-') + 1;

  g_string_append_printf (xml,
      "<Initiator><ID>qcs::cam::uin/%s:uin/%s</ID><DisplayName>%s"
      "</DisplayName></Initiator><Owner><ID>%s</ID><DisplayName>%s"
      "</DisplayName></Owner>",
      app_id, app_id, app_id, app_id, app_id);
}

/* ---- parts ---- */

typedef struct {
  GString *xml;
  guint64 after;
  guint64 left;
  guint64 last;
  gboolean truncated;
} PartPage;

static gboolean
add_part (gpointer number, gpointer value, gpointer user_data)
{
  PartPage *page = user_data;
  EmuPart *part = value;
  g_autoptr (GDateTime) when = g_date_time_new_from_unix_utc (part->mtime);
  g_autofree char *date = g_date_time_format (when, "%Y-%m-%dT%H:%M:%S.000Z");

  if (part->number <= page->after)
    return FALSE;
  if (page->left == 0) {
    page->truncated = TRUE;
    return TRUE;
  }
  page->left--;
  page->last = part->number;
  g_string_append_printf (page->xml,
      "<Part><PartNumber>%u</PartNumber><LastModified>%s</LastModified>"
      "<ETag>&quot;%s&quot;</ETag><Size>%" G_GUINT64_FORMAT "</Size></Part>",
      part->number, date, part->etag, emu_blob_size (part->blob));
  return FALSE;
}

void
emu_list_parts (EmuRequest *request)
{
  EmuUpload *upload =
      emu_state_find_upload (request->emu->state, request->bucket,
          request->path + 1, emu_query_get (request->query, "uploadId"));
  const char *marker = emu_query_get (request->query, "part-number-marker");
  g_autoptr (GString) xml = g_string_new ("<ListPartsResult>");
  PartPage page = {.xml = xml};
  gboolean encode;
  guint64 size;

  if (upload == NULL) {
    emu_request_cos_error (request, 404, "NoSuchUpload", NULL);
    return;
  }
  if (!read_page_size (request, "max-parts", &size) ||
      !wants_encoding (request, &encode))
    return;
  if (marker != NULL && *marker != '\0' &&
      !emu_parse_number (marker, 0, G_MAXINT32, &page.after)) {
    emu_request_cos_error (
        request, 400, "InvalidArgument", "part-number-marker is not a number.");
    return;
  }
  page.left = size;
  add (xml, "Bucket", request->bucket, FALSE);
  add (xml, "EncodingType", encode ? "url" : "", FALSE);
  add (xml, "Key", upload->key, encode);
  add (xml, "UploadId", upload->id, FALSE);
  add_people (xml, request);
  add_number (xml, "PartNumberMarker", page.after);
  g_tree_foreach (upload->parts, add_part, &page);
  if (page.truncated)
    add_number (xml, "NextPartNumberMarker", page.last);
  add (xml, "StorageClass", "Standard", FALSE);
  add_number (xml, "MaxParts", size);
  add (xml, "IsTruncated", page.truncated ? "true" : "false", FALSE);
  g_string_append (xml, "</ListPartsResult>");
  emu_request_answer (request, 200, "application/xml",
      g_string_free (g_steal_pointer (&xml), FALSE));
}

/* ---- uploads ---- */

static int
compare_uploads (gconstpointer a, gconstpointer b)
{
  const EmuUpload *x = *(EmuUpload *const *)a, *y = *(EmuUpload *const *)b;
  int order = strcmp (x->key, y->key);

  if (order == 0 && x->initiated != y->initiated)
    return x->initiated < y->initiated ? -1 : 1;
  return order != 0 ? order : strcmp (x->id, y->id);
}

/* Those of the bucket with the prefix, by key, then by age. */
static GPtrArray *
find_uploads (EmuRequest *request, const char *prefix)
{
  GPtrArray *found = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, request->emu->state->uploads);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    EmuUpload *upload = value;

    if (strcmp (upload->bucket, request->bucket) == 0 &&
        g_str_has_prefix (upload->key, prefix))
      g_ptr_array_add (found, upload);
  }
  g_ptr_array_sort (found, compare_uploads);
  return found;
}

/* Beyond (key-marker, upload-id-marker)? The second counts within a key. */
static gboolean
is_after (EmuUpload *upload, EmuUpload *marker_upload, const char *key_marker)
{
  int order = strcmp (upload->key, key_marker);

  if (*key_marker == '\0' || order > 0)
    return TRUE;
  return order == 0 && marker_upload != NULL &&
      compare_uploads (&upload, &marker_upload) > 0;
}

static void
add_upload (
    GString *xml, EmuRequest *request, EmuUpload *upload, gboolean encode)
{
  g_autoptr (GDateTime) when =
      g_date_time_new_from_unix_utc (upload->initiated);
  g_autofree char *date = emu_http_date (upload->initiated);
  g_autofree char *time = g_date_time_format (when, "%H:%M:%S");
  g_autofree char *initiated = g_strdup_printf ("%.3s %.3s %02d %s %d", date,
      date + 8, g_date_time_get_day_of_month (when), time,
      g_date_time_get_year (when));

  g_string_append (xml, "<Upload>");
  add (xml, "Key", upload->key, encode);
  add (xml, "UploadId", upload->id, FALSE);
  add_people (xml, request);
  add (xml, "StorageClass", "Standard", FALSE);
  add (xml, "Initiated", initiated, FALSE);
  g_string_append (xml, "</Upload>");
}

/* "dir/" of a key below the prefix, if a delimiter is asked for and in it */
static char *
common_prefix (EmuUpload *upload, const char *prefix, const char *delimiter)
{
  const char *found = NULL;

  if (*delimiter != '\0')
    found = strstr (upload->key + strlen (prefix), delimiter);
  if (found == NULL)
    return NULL;
  return g_strndup (
      upload->key, (gsize)(found - upload->key) + strlen (delimiter));
}

void
emu_list_uploads (EmuRequest *request)
{
  static const char *const names[] = {
      "prefix", "key-marker", "upload-id-marker", "delimiter"};
  const char *v[G_N_ELEMENTS (names)];
  g_autoptr (GPtrArray) uploads = NULL;
  g_autoptr (GString) xml = g_string_new ("<ListMultipartUploadsResult>");
  g_autoptr (GString) entries = g_string_new (NULL);
  g_autofree char *last_common = NULL;
  EmuUpload *marker, *last = NULL;
  gboolean encode, truncated = FALSE;
  guint64 size, n = 0;

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    v[i] = emu_query_get (request->query, names[i]);
    if (v[i] == NULL)
      v[i] = "";
  }
  if (!read_page_size (request, "max-uploads", &size) ||
      !wants_encoding (request, &encode))
    return;
  uploads = find_uploads (request, v[0]);
  marker = g_hash_table_lookup (request->emu->state->uploads, v[2]);
  for (guint i = 0; i < uploads->len && !truncated; i++) {
    EmuUpload *upload = g_ptr_array_index (uploads, i);
    g_autofree char *common = NULL;

    if (!is_after (upload, marker, v[1]))
      continue;
    common = common_prefix (upload, v[0], v[3]);
    if (common != NULL && g_strcmp0 (common, last_common) == 0) {
      last = upload;
      continue;
    }
    if (n == size) {
      truncated = TRUE;
      break;
    }
    n++;
    last = upload;
    if (common == NULL) {
      add_upload (entries, request, upload, encode);
      continue;
    }
    g_string_append (entries, "<CommonPrefixes>");
    add (entries, "Prefix", common, encode);
    g_string_append (entries, "</CommonPrefixes>");
    g_free (last_common);
    last_common = g_steal_pointer (&common);
  }
  add (xml, "Bucket", request->bucket, FALSE);
  add (xml, "Encoding-Type", encode ? "url" : "", FALSE);
  add (xml, "KeyMarker", v[1], encode);
  add (xml, "UploadIdMarker", v[2], FALSE);
  add_number (xml, "MaxUploads", size);
  add (xml, "Prefix", v[0], encode);
  add (xml, "Delimiter", v[3], encode);
  add (xml, "IsTruncated", truncated ? "true" : "false", FALSE);
  if (truncated && last != NULL) {
    add (xml, "NextKeyMarker", last->key, encode);
    add (xml, "NextUploadIdMarker", last->id, FALSE);
  }
  g_string_append (xml, entries->str);
  g_string_append (xml, "</ListMultipartUploadsResult>");
  emu_request_answer (request, 200, "application/xml",
      g_string_free (g_steal_pointer (&xml), FALSE));
}
