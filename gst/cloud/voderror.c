/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * voderror: see voderror.h. The details live in the private part of an
 * extended GError, so that they travel, are copied and freed with it.
 */
#include "voderror.h"

#include <stdarg.h>
#include <string.h>

/* Longer messages help nobody, and may hold what a stranger wrote. */
#define MESSAGE_MAX 600

/* An HMAC-SHA1 in base64 has 28 characters, hardly a word has more than 23. */
#define SECRET_MIN 24

typedef struct {
  VodErrorDetails details;
} VodErrorPrivate;

static void
vod_error_private_init (VodErrorPrivate *priv)
{
  priv->details.retry_after = -1;
}

static void
vod_error_private_copy (const VodErrorPrivate *src, VodErrorPrivate *dest)
{
  dest->details = src->details;
  dest->details.error_code = g_strdup (src->details.error_code);
  dest->details.request_id = g_strdup (src->details.request_id);
  dest->details.spool_location = g_strdup (src->details.spool_location);
}

static void
vod_error_private_clear (VodErrorPrivate *priv)
{
  g_clear_pointer (&priv->details.error_code, g_free);
  g_clear_pointer (&priv->details.request_id, g_free);
  g_clear_pointer (&priv->details.spool_location, g_free);
}

G_DEFINE_EXTENDED_ERROR (VodError, vod_error)

G_GNUC_PRINTF (2, 0)
static GError *
new_valist (VodErrorCode code, const gchar *format, va_list args)
{
  g_autofree gchar *text = g_strdup_vprintf (format, args);
  g_autofree gchar *printable = vod_printable (text, MESSAGE_MAX);

  return g_error_new_literal (VOD_ERROR, code, printable);
}

GError *
vod_error_new (VodErrorCode code, const gchar *format, ...)
{
  GError *error;
  va_list args;

  va_start (args, format);
  error = new_valist (code, format, args);
  va_end (args);
  return error;
}

void
vod_error_set (GError **error, VodErrorCode code, const gchar *format, ...)
{
  va_list args;

  if (!error)
    return;
  va_start (args, format);
  g_propagate_error (error, new_valist (code, format, args));
  va_end (args);
}

VodErrorDetails *
vod_error_details (GError *error)
{
  if (!error || error->domain != VOD_ERROR)
    return NULL;
  return &vod_error_get_private (error)->details;
}

void
vod_error_set_phase (GError *error, VodPhase phase)
{
  VodErrorDetails *details = vod_error_details (error);

  if (details && details->phase == VOD_PHASE_NONE)
    details->phase = phase;
}

gboolean
vod_error_has_code (GError *error, const gchar *code)
{
  return g_error_matches (error, VOD_ERROR, VOD_ERROR_STORAGE) &&
      g_strcmp0 (vod_error_details (error)->error_code, code) == 0;
}

const gchar *
vod_phase_name (VodPhase phase)
{
  static const gchar *const names[] = {"none", "signature", "apply", "initiate",
      "part", "complete", "commit", "cover", "spool", "session", "report"};

  g_return_val_if_fail ((guint)phase < G_N_ELEMENTS (names), "none");
  return names[phase];
}

gint
vod_error_number (const GError *error)
{
  const VodErrorDetails *details;

  if (!error || error->domain != VOD_ERROR)
    return -5;
  details = &vod_error_get_private (error)->details;
  switch ((VodErrorCode)error->code) {
    case VOD_ERROR_SERVICE:
      return (gint)CLAMP (details->number, G_MININT, G_MAXINT);
    case VOD_ERROR_HTTP:
    case VOD_ERROR_STORAGE:
      return (gint)details->http_status;
    case VOD_ERROR_NETWORK:
    case VOD_ERROR_TLS:
      return -2;
    case VOD_ERROR_CANCELLED:
      return -3;
    case VOD_ERROR_PROTOCOL:
    case VOD_ERROR_INTEGRITY:
      return -5;
    case VOD_ERROR_PARAMETER:
    case VOD_ERROR_SIGNATURE:
    case VOD_ERROR_SEEK:
    case VOD_ERROR_LIMIT:
    case VOD_ERROR_MEDIA_TYPE:
      break;
    case VOD_ERROR_READ:
    case VOD_ERROR_LOCAL:
    case VOD_ERROR_NO_SPACE:
    case VOD_ERROR_BUSY:
      return -4;
  }
  return -1;
}

/* Besides control characters: what turns text around (bidi marks) and line
 * separators, by which a server could forge what people read. */
static gboolean
is_harmless (gunichar c)
{
  switch (g_unichar_type (c)) {
    case G_UNICODE_CONTROL:
    case G_UNICODE_FORMAT:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
    case G_UNICODE_SURROGATE:
    case G_UNICODE_UNASSIGNED:
      return FALSE;
    default:
      return TRUE;
  }
}

gchar *
vod_printable (const gchar *text, gsize max)
{
  GString *result;
  gsize looked_at;

  if (!text)
    return NULL;
  result = g_string_new (NULL);
  /* What is beyond the limit is not even looked at. */
  for (looked_at = 0; *text && looked_at < max; looked_at++) {
    gunichar c = g_utf8_get_char_validated (text, -1);
    gboolean valid = c != (gunichar)-1 && c != (gunichar)-2;
    gsize n = valid ? (gsize)(g_utf8_next_char (text) - text) : 1;
    gboolean keep = valid && is_harmless (c);

    if (result->len + (keep ? n : 1) > max)
      break;
    if (keep)
      g_string_append_len (result, text, n);
    else
      g_string_append_c (result, c == '\n' || c == '\t' ? ' ' : '?');
    text += n;
  }
  return g_string_free (result, FALSE);
}

/* How many characters that secrets are made of @text begins with. */
static gsize
secret_run (const gchar *text)
{
  gsize len = 0;

  while (g_ascii_isalnum (text[len]) ||
      (text[len] != '\0' && strchr ("+/=_-%", text[len])))
    len++;
  return len;
}

gchar *
vod_quotable (const gchar *text, gsize max)
{
  g_autoptr (GString) quotable = NULL;

  if (!text)
    return NULL;
  quotable = g_string_new (NULL);
  /* A little more, so that vod_printable() sees the last character whole. */
  while (*text && quotable->len < max + 8) {
    gsize run = secret_run (text);

    if (run >= SECRET_MIN)
      g_string_append (quotable, "...");
    else
      g_string_append_len (quotable, text, (gssize)MAX (run, 1));
    text += MAX (run, 1);
  }
  return vod_printable (quotable->str, max);
}
