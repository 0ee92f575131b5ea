/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodcosxml: see vodcosxml.h. GMarkup knows no entities but the five of XML and
 * does not recurse, so that depth and size are all there is to bound.
 */
#include "vodcosxml.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 16
#define VALUES_MAX 64
#define VALUE_LENGTH_MAX 4096
#define NAME_LENGTH_MAX 128
#define CODE_MAX 40

typedef struct {
  VodCosXml *xml;
  const gchar *item; /* name of the items, NULL: none */
  guint depth;
  gboolean ended;
  GHashTable *within; /* the item that is being read, NULL elsewhere */
  GString *text;      /* of an element with a value, NULL elsewhere */
} Parsing;

static gboolean
refuse (GError **error)
{
  g_set_error_literal (error, G_MARKUP_ERROR, G_MARKUP_ERROR_INVALID_CONTENT,
      "too deep, too long, too many, or more than one document");
  return FALSE;
}

/* Are we in an element whose text is a value? Those are right below the root or
 * right below an item. */
static gboolean
at_value (const Parsing *parsing)
{
  return parsing->depth == (parsing->within ? 3 : 2);
}

static GHashTable *
new_values (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

static void
begin_item (Parsing *parsing, GError **error)
{
  GPtrArray *items = parsing->xml->items;

  if (items->len >= VOD_COS_XML_ITEMS_MAX) {
    refuse (error);
    return;
  }
  parsing->within = new_values ();
  g_ptr_array_add (items, parsing->within);
}

static void
on_start (GMarkupParseContext *context, const gchar *name, const gchar **names,
    const gchar **values, gpointer data, GError **error)
{
  Parsing *parsing = data;

  if (parsing->ended || ++parsing->depth > DEPTH_MAX ||
      strlen (name) > NAME_LENGTH_MAX) {
    refuse (error);
    return;
  }
  if (parsing->depth == 1)
    parsing->xml->root = g_strdup (name);
  else if (parsing->depth == 2 && g_strcmp0 (name, parsing->item) == 0)
    begin_item (parsing, error);
  else if (at_value (parsing))
    parsing->text = g_string_new (NULL);
}

static void
on_text (GMarkupParseContext *context, const gchar *text, gsize len,
    gpointer data, GError **error)
{
  Parsing *parsing = data;

  if (!at_value (parsing))
    return;
  if (len > VALUE_LENGTH_MAX - parsing->text->len)
    refuse (error);
  else
    g_string_append_len (parsing->text, text, (gssize)len);
}

static void
take_value (Parsing *parsing, const gchar *name, GError **error)
{
  GHashTable *values = parsing->within ? parsing->within : parsing->xml->values;
  g_autofree gchar *text =
      g_string_free (g_steal_pointer (&parsing->text), FALSE);

  if (g_hash_table_size (values) >= VALUES_MAX) {
    refuse (error);
    return;
  }
  if (!parsing->within)
    g_strstrip (text);
  if (!g_hash_table_contains (values, name))
    g_hash_table_insert (values, g_strdup (name), g_steal_pointer (&text));
}

static void
on_end (GMarkupParseContext *context, const gchar *name, gpointer data,
    GError **error)
{
  Parsing *parsing = data;

  if (at_value (parsing))
    take_value (parsing, name, error);
  else if (parsing->depth == 2)
    parsing->within = NULL;
  parsing->depth--;
  parsing->ended = parsing->depth == 0;
}

static gboolean
run_parser (Parsing *parsing, const gchar *text, gsize len, GError **error)
{
  static const GMarkupParser parser = {
      .start_element = on_start, .end_element = on_end, .text = on_text};
  g_autoptr (GMarkupParseContext) context = g_markup_parse_context_new (
      &parser, G_MARKUP_TREAT_CDATA_AS_TEXT, parsing, NULL);

  return g_markup_parse_context_parse (context, text, (gssize)len, error) &&
      g_markup_parse_context_end_parse (context, error);
}

gboolean
vod_cos_xml_parse (const gchar *text, gsize len, const gchar *item,
    VodCosXml *xml, GError **error)
{
  Parsing parsing = {.xml = xml, .item = item};
  gboolean ok;

  memset (xml, 0, sizeof *xml);
  xml->values = new_values ();
  xml->items =
      g_ptr_array_new_with_free_func ((GDestroyNotify)g_hash_table_unref);
  for (; len > 0 && g_ascii_isspace (*text); text++)
    len--;
  ok = len > 0 && run_parser (&parsing, text, len, NULL) && parsing.ended;
  if (parsing.text)
    g_string_free (parsing.text, TRUE);
  if (!ok) {
    vod_cos_xml_clear (xml);
    vod_error_set (error, VOD_ERROR_PROTOCOL,
        len > 0 ? "the storage's answer is not the XML it should be"
                : "the storage's answer is empty");
  }
  return ok;
}

void
vod_cos_xml_clear (VodCosXml *xml)
{
  g_clear_pointer (&xml->root, g_free);
  g_clear_pointer (&xml->values, g_hash_table_unref);
  g_clear_pointer (&xml->items, g_ptr_array_unref);
}

const gchar *
vod_cos_xml_get (const VodCosXml *xml, const gchar *name)
{
  return xml->values ? g_hash_table_lookup (xml->values, name) : NULL;
}

const gchar *
vod_cos_xml_get_item (const VodCosXml *xml, guint n, const gchar *name)
{
  return g_hash_table_lookup (g_ptr_array_index (xml->items, n), name);
}

/* Tencent's documents show some codes as AccessDenied with the true one in
 * Message (protocol.md 5.3 b). */
static const gchar *
decisive_code (const gchar *code, const gchar *message)
{
  static const gchar *const hidden[] = {"InvalidAccessKeyId",
      "RequestTimeTooSkewed", "SignatureDoesNotMatch", "ExpiredToken", NULL};

  if (strcmp (code, "AccessDenied") != 0 &&
      strcmp (code, "AccessForbidden") != 0)
    return code;
  if (g_str_has_prefix (message, "Request has expired"))
    return "RequestHasExpired";
  for (guint i = 0; hidden[i]; i++)
    if (g_str_has_prefix (message, hidden[i]))
      return hidden[i];
  return code;
}

/* "Wed Jan 18 16:04:17 2017", in English whatever the locale. */
static GDateTime *
parse_asctime (const gchar *text)
{
  static const gchar *const months[] = {"Jan", "Feb", "Mar", "Apr", "May",
      "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  gchar month[4];
  gint day, hour, minute, second, year;

  if (sscanf (text, "%*3s %3s %2d %2d:%2d:%2d %4d", month, &day, &hour, &minute,
          &second, &year) != 6)
    return NULL;
  for (guint i = 0; i < G_N_ELEMENTS (months); i++)
    if (strcmp (month, months[i]) == 0)
      return g_date_time_new_utc (year, (gint)i + 1, day, hour, minute, second);
  return NULL;
}

gint64
vod_cos_xml_to_unix (const gchar *text)
{
  g_autoptr (GTimeZone) utc = g_time_zone_new_utc ();
  g_autoptr (GDateTime) date = g_date_time_new_from_iso8601 (text, utc);

  if (!date)
    date = parse_asctime (text);
  return date ? g_date_time_to_unix (date) : 0;
}

/* The service's codes are words of letters (protocol.md 5.3). What is none is not
 * repeated: it may be anything, a secret too. */
static gboolean
is_code (const gchar *text)
{
  gsize len = strlen (text);

  for (gsize i = 0; i < len; i++)
    if (!g_ascii_isalpha (text[i]))
      return FALSE;
  return len > 0 && len <= CODE_MAX;
}

GError *
vod_cos_xml_to_error (const VodCosXml *xml, guint status)
{
  const gchar *code = vod_cos_xml_get (xml, "Code");
  const gchar *message = vod_cos_xml_get (xml, "Message");
  const gchar *id = vod_cos_xml_get (xml, "RequestId");
  const gchar *time = vod_cos_xml_get (xml, "ServerTime");
  g_autofree gchar *said = vod_quotable (message ? message : "", 200);
  g_autofree gchar *named = NULL;
  VodErrorDetails *details;
  GError *error;

  code = decisive_code (code && is_code (code) ? code : "Unknown", said);
  named = g_strdup (code);
  error = vod_error_new (VOD_ERROR_STORAGE,
      "the storage refused with %s%s%s (HTTP status %u)", named,
      *said ? ": " : "", said, status);
  details = vod_error_details (error);
  details->http_status = status;
  details->error_code = g_steal_pointer (&named);
  details->request_id = id && *id ? vod_printable (id, 128) : NULL;
  details->server_time = time ? vod_cos_xml_to_unix (time) : 0;
  return error;
}

/* An ETag in the text of an element. Its quotes may stay as they are there. */
static void
append_etag (GString *body, const gchar *etag)
{
  for (; *etag; etag++) {
    if (*etag == '<')
      g_string_append (body, "&lt;");
    else if (*etag == '>')
      g_string_append (body, "&gt;");
    else if (*etag == '&')
      g_string_append (body, "&amp;");
    else
      g_string_append_c (body, *etag);
  }
}

/* The shape of the documents' example. */
gchar *
vod_cos_xml_complete_body (const gchar *const *etags, guint n_parts)
{
  GString *body = g_string_new ("<CompleteMultipartUpload>\n");

  for (guint i = 0; i < n_parts; i++) {
    g_string_append_printf (
        body, "\t<Part>\n\t\t<PartNumber>%u</PartNumber>\n\t\t<ETag>", i + 1);
    append_etag (body, etags[i]);
    g_string_append (body, "</ETag>\n\t</Part>\n");
  }
  g_string_append (body, "</CompleteMultipartUpload>\n");
  return g_string_free (body, FALSE);
}
