/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GET / and /page/FILE: a page for people. Its files are those of the folder
 * page/, which are in the program; they ask emu-live.c for what is going on.
 * Only for a browser without scripts two tables are written here, with every
 * name escaped.
 */
#include "emu-handlers.h"

#include "emu-page-resource.h"
#include "emu-util.h"

#include <string.h>

#define MAX_ROWS 100

/* ---- without scripts ---- */

static char *
format_size (guint64 size)
{
  return g_format_size_full (size, G_FORMAT_SIZE_IEC_UNITS);
}

static void
append (GString *html, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* Escapes every %s. */
static void
append (GString *html, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_markup_vprintf_escaped (format, args);
  va_end (args);
  g_string_append (html, text);
}

static EmuSession *
session_of_key (Emu *emu, const char *bucket, const char *key)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, emu->state->sessions);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    EmuSession *session = value;

    if (strcmp (session->bucket, bucket) == 0 &&
        (g_strcmp0 (session->key, key) == 0 ||
            g_strcmp0 (session->cover_key, key) == 0))
      return session;
  }
  return NULL;
}

static void
append_upload (Emu *emu, EmuUpload *upload, GString *html)
{
  EmuSession *session = session_of_key (emu, upload->bucket, upload->key);
  g_autofree char *size = format_size (upload->bytes);
  gint64 seconds = g_get_real_time () / G_USEC_PER_SEC - upload->initiated;

  append (html, "<tr><td>%s%s%s</td><td>%s",
      session != NULL && session->name != NULL ? session->name : upload->key,
      session != NULL && session->type != NULL ? "." : "",
      session != NULL && session->type != NULL ? session->type : "", size);
  if (session != NULL && session->declared_size > 0)
    append (html,
        " <progress max=\"%" G_GUINT64_FORMAT "\" value=\"%" G_GUINT64_FORMAT
        "\"></progress>",
        session->declared_size, upload->bytes);
  append (html,
      "</td><td>%d</td><td>%" G_GINT64_FORMAT " s</td><td>%s</td><td>%u</td>"
      "</tr>\n",
      g_tree_nnodes (upload->parts), seconds,
      session != NULL && session->applies > 1 ? "yes" : "no",
      session != NULL ? session->failed : 0);
}

static void
append_uploads (Emu *emu, GString *html)
{
  GHashTableIter iter;
  gpointer value;
  guint n = 0;

  if (g_hash_table_size (emu->state->uploads) == 0) {
    g_string_append (html, "<p class=none>No upload in progress.</p>");
    return;
  }
  g_string_append (html,
      "<table><tr><th>Name<th>Received<th>Parts<th>For<th>Resumed"
      "<th>Failed requests</tr>\n");
  g_hash_table_iter_init (&iter, emu->state->uploads);
  while (n++ < MAX_ROWS && g_hash_table_iter_next (&iter, NULL, &value))
    append_upload (emu, value, html);
  g_string_append (html, "</table>");
}

/* The path of a URL of our own: the page may be seen under another host. */
static const char *
path_of (const char *url)
{
  const char *path = url != NULL ? strstr (url, "/media/") : NULL;

  return path != NULL ? path : "";
}

static void
append_preview (Emu *emu, EmuMedia *media, GString *html)
{
  g_autofree char *url = emu_media_url (emu, media, FALSE);
  g_autofree char *cover = emu_media_url (emu, media, TRUE);
  const char *type = emu_content_type (media->type);

  if (media->object != NULL && g_str_has_prefix (type, "video/"))
    append (html,
        "<video controls preload=%s src=\"%s\" poster=\"%s\">"
        "</video>",
        cover != NULL ? "none" : "metadata", path_of (url), path_of (cover));
  else if (media->object != NULL && g_str_has_prefix (type, "audio/"))
    append (html, "<audio controls preload=none src=\"%s\"></audio>",
        path_of (url));
  else if (cover != NULL)
    append (html, "<img alt=\"cover\" src=\"%s\">", path_of (cover));
}

static void
append_medium (Emu *emu, EmuMedia *media, GString *html)
{
  g_autofree char *url = emu_media_url (emu, media, FALSE);
  g_autofree char *size =
      format_size (media->object != NULL ? media->object->size : 0);
  g_autoptr (GDateTime) when =
      g_date_time_new_from_unix_local (media->committed / G_USEC_PER_SEC);
  g_autofree char *date = g_date_time_format (when, "%F %T");
  const char *name = media->name != NULL ? media->name : media->file_id;

  g_string_append (html, "<tr><td>");
  append_preview (emu, media, html);
  append (html,
      "</td><td><a href=\"%s\">%s.%s</a><br>%s<br>file id %s</td><td>%s</td>"
      "<td>%u</td><td>%.1f s</td><td>%s</td><td>%u</td></tr>\n",
      path_of (url), name, media->type != NULL ? media->type : "", date,
      media->file_id, size,
      media->object != NULL ? media->object->blobs->len : 0,
      (double)(media->committed - media->applied) / G_USEC_PER_SEC,
      media->applies > 1 ? "yes" : "no", media->failed);
}

static void
append_media (Emu *emu, GString *html)
{
  g_autoptr (GList) media = g_list_reverse (emu_media_sorted (emu));
  guint n = 0;

  if (media == NULL) {
    g_string_append (html, "<p class=none>No media yet.</p>");
    return;
  }
  g_string_append (html,
      "<table><tr><th><th>Name<th>Size<th>Parts<th>Uploaded in<th>Resumed"
      "<th>Failed requests</tr>\n");
  for (GList *l = media; l != NULL && n++ < MAX_ROWS; l = l->next)
    append_medium (emu, l->data, html);
  g_string_append (html, "</table>");
}

/* ---- files ---- */

/* NULL: there is none. */
static GBytes *
find_file (const char *name)
{
  g_autofree char *path = g_strconcat ("/vod-emulator/", name, NULL);

  return g_resource_lookup_data (
      emu_page_get_resource (), path, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
}

static void
set_headers (EmuRequest *request)
{
  emu_request_set_header (request, "Cache-Control", "no-store");
  emu_request_set_header (request, "X-Content-Type-Options", "nosniff");
  emu_request_set_header (request, "Referrer-Policy", "no-referrer");
  emu_request_set_header (request, "Content-Security-Policy",
      "default-src 'none'; script-src 'self'; style-src 'self'; "
      "img-src 'self'; media-src 'self'; connect-src 'self'; "
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
}

static void
get_page (EmuRequest *request)
{
  static const char mark[] = "<!-- without scripts -->";
  g_autoptr (GBytes) file = find_file ("index.html");
  const char *text = g_bytes_get_data (file, NULL);
  const char *place = strstr (text, mark);
  GString *html = g_string_new_len (text, place - text);

  g_string_append (html, "<h2>Uploads in progress</h2>");
  append_uploads (request->emu, html);
  g_string_append (html, "<h2>Media</h2>");
  append_media (request->emu, html);
  g_string_append (html, place + strlen (mark));
  set_headers (request);
  emu_request_answer (
      request, 200, "text/html; charset=utf-8", g_string_free (html, FALSE));
}

static const char *
type_of (const char *name)
{
  if (g_str_has_suffix (name, ".js"))
    return "text/javascript; charset=utf-8";
  if (g_str_has_suffix (name, ".css"))
    return "text/css; charset=utf-8";
  return "image/svg+xml";
}

static void
get_file (EmuRequest *request)
{
  g_autoptr (GBytes) file = find_file (request->path + strlen ("/page/"));

  if (file == NULL) {
    emu_request_error (request, 404, NULL);
    return;
  }
  set_headers (request);
  emu_request_answer (request, 200, type_of (request->path),
      g_strndup (g_bytes_get_data (file, NULL), g_bytes_get_size (file)));
}

gboolean
emu_page_route (EmuRequest *request)
{
  gboolean is_page = g_strcmp0 (request->path, "/") == 0;

  if ((!is_page &&
          (request->path == NULL ||
              !g_str_has_prefix (request->path, "/page/"))) ||
      request->method != SOUP_METHOD_GET || request->query == NULL ||
      emu_query_get (request->query, "uploads") != NULL ||
      emu_request_header (request, "Vod-Forward-Cos") != NULL ||
      emu_request_header (request, "Authorization") != NULL)
    return FALSE;
  request->op = NULL;
  request->handler = is_page ? get_page : get_file;
  return TRUE;
}
