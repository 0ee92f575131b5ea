/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GET /: a page for people. Written by the server, every name escaped; a small
 * script asks for its two halves again each second (GET /?part=…), so that a
 * player keeps playing as long as the list of media stays the same.
 */
#include "emu-handlers.h"

#include "emu-util.h"

#include <string.h>

static const char style[] =
    "body{font:16px/1.4 system-ui,sans-serif;margin:2em auto;max-width:60em;"
    "padding:0 1em;color:#222;background:#fff}"
    "h1{font-size:1.4em}h2{font-size:1.1em;margin-top:2em}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.3em .8em .3em 0;vertical-align:top;"
    "border-bottom:1px solid #ddd}video,img{max-width:16em;max-height:9em}"
    ".none{color:#666}progress{width:10em}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}"
    "th,td{border-color:#444}a{color:#8bf}.none{color:#999}}";

static const char script[] =
    "async function again(){for(const id of['uploads','media']){try{"
    "const r=await fetch('/?part='+id);const t=await r.text();"
    "const e=document.getElementById(id);"
    "if(e.dataset.last!==t){e.dataset.last=t;e.innerHTML=t}}catch(e){}}}"
    "setInterval(again,1000);";

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

  if (g_hash_table_size (emu->state->uploads) == 0) {
    g_string_append (html, "<p class=none>No upload in progress.</p>");
    return;
  }
  g_string_append (html,
      "<table><tr><th>Name<th>Received<th>Parts<th>For<th>Resumed"
      "<th>Failed requests</tr>\n");
  g_hash_table_iter_init (&iter, emu->state->uploads);
  while (g_hash_table_iter_next (&iter, NULL, &value))
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

  if (media == NULL) {
    g_string_append (html, "<p class=none>No media yet.</p>");
    return;
  }
  g_string_append (html,
      "<table><tr><th><th>Name<th>Size<th>Parts<th>Uploaded in<th>Resumed"
      "<th>Failed requests</tr>\n");
  for (GList *l = media; l != NULL; l = l->next)
    append_medium (emu, l->data, html);
  g_string_append (html, "</table>");
}

static void
get_page (EmuRequest *request)
{
  Emu *emu = request->emu;
  const char *part = emu_query_get (request->query, "part");
  GString *html = g_string_new (NULL);

  if (g_strcmp0 (part, "uploads") == 0) {
    append_uploads (emu, html);
  } else if (g_strcmp0 (part, "media") == 0) {
    append_media (emu, html);
  } else {
    g_autofree char *nonce = emu_random_hex (16);
    g_autofree char *policy = g_strdup_printf (
        "default-src 'none'; img-src 'self'; media-src 'self'; "
        "connect-src 'self'; style-src 'nonce-%s'; script-src 'nonce-%s'",
        nonce, nonce);

    emu_request_set_header (request, "Content-Security-Policy", policy);
    g_string_append_printf (html,
        "<!DOCTYPE html>\n<html lang=en><meta charset=utf-8>"
        "<meta name=viewport content=\"width=device-width\">"
        "<title>vod-emulator</title><style nonce=%s>%s</style>\n"
        "<h1>vod-emulator</h1><h2>Uploads in progress</h2>"
        "<div id=uploads>",
        nonce, style);
    append_uploads (emu, html);
    g_string_append (html, "</div><h2>Media</h2><div id=media>");
    append_media (emu, html);
    g_string_append_printf (html,
        "</div><p><a href=\"/api/state\">state</a> "
        "<a href=\"/api/faults\">faults</a></p><script nonce=%s>%s</script>\n",
        nonce, script);
  }
  emu_request_set_header (request, "Cache-Control", "no-store");
  emu_request_answer (
      request, 200, "text/html; charset=utf-8", g_string_free (html, FALSE));
}

gboolean
emu_page_route (EmuRequest *request)
{
  if (g_strcmp0 (request->path, "/") != 0 ||
      request->method != SOUP_METHOD_GET || request->query == NULL ||
      emu_query_get (request->query, "uploads") != NULL ||
      emu_request_header (request, "Vod-Forward-Cos") != NULL ||
      emu_request_header (request, "Authorization") != NULL)
    return FALSE;
  request->op = NULL;
  request->handler = get_page;
  return TRUE;
}
