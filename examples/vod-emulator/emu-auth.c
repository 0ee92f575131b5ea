/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks of upload signatures and of storage Authorization headers. Pure: no
 * tables, no clock but the one that is passed in.
 */
#include "emu-auth.h"

#include "emu-util.h"

#include <openssl/crypto.h>
#include <string.h>

#define MAX_VALIDITY 7776000

/* ---- upload signatures ---- */

static gboolean
read_number (GPtrArray *query, const char *name, gboolean required, guint64 max,
    guint64 *out)
{
  const char *text = emu_query_get (query, name);

  if (text == NULL)
    return !required;
  return emu_parse_number (text, 0, max, out);
}

static EmuSignatureResult
check_fields (GPtrArray *query, gint64 now, EmuSignature *out, const char **why)
{
  guint64 current = 0, random, one_time = 0, class_id;

  if (!read_number (query, "currentTimeStamp", TRUE, G_MAXINT64, &current))
    *why = "currentTimeStamp is not an integer";
  else if (!read_number (query, "expireTime", TRUE, G_MAXINT64, &out->expires))
    *why = "expireTime is not an integer";
  else if (!read_number (query, "random", TRUE, G_MAXUINT32, &random))
    *why = "random is not an unsigned 32 bit integer";
  else if (out->expires <= current || out->expires - current > MAX_VALIDITY)
    *why = "expireTime must be 1 to 7776000 s after currentTimeStamp";
  else if (!read_number (query, "oneTimeValid", FALSE, 1, &one_time))
    *why = "oneTimeValid must be 0 or 1";
  else if (!read_number (query, "classId", FALSE, G_MAXINT32, &class_id))
    *why = "classId is not a number";
  else if (!read_number (
               query, "vodSubAppId", FALSE, G_MAXUINT32, &out->sub_app_id))
    *why = "vodSubAppId is not a number";
  else if ((gint64)current > now + 900)
    *why = "currentTimeStamp is in the future";
  else if ((gint64)out->expires <= now)
    return EMU_SIGNATURE_EXPIRED;
  else {
    out->one_time = one_time == 1;
    out->region = g_strdup (emu_query_get (query, "storageRegion"));
    return EMU_SIGNATURE_OK;
  }
  return EMU_SIGNATURE_INVALID;
}

EmuSignatureResult
emu_signature_check (const char *text, const char *secret_id,
    const char *secret_key, gint64 now, EmuSignature *out, const char **why)
{
  g_autofree guint8 *raw = NULL;
  g_autofree char *original = NULL;
  g_autoptr (GPtrArray) query = NULL;
  guint8 mac[20];
  gsize len = 0;

  memset (out, 0, sizeof *out);
  *why = "it is not base64 of 20 bytes and a query string";
  raw = emu_base64_decode (text, &len);
  if (raw == NULL || len <= 20 || memchr (raw + 20, '\0', len - 20) != NULL)
    return EMU_SIGNATURE_INVALID;
  emu_hmac_sha1 (secret_key, strlen (secret_key), raw + 20, len - 20, mac);
  *why = "the HMAC is wrong";
  if (CRYPTO_memcmp (mac, raw, 20) != 0)
    return EMU_SIGNATURE_INVALID;
  original = g_strndup ((char *)raw + 20, len - 20);
  query = emu_query_parse (original, TRUE);
  *why = "it holds another secretId";
  if (query == NULL ||
      g_strcmp0 (emu_query_get (query, "secretId"), secret_id) != 0)
    return EMU_SIGNATURE_INVALID;
  out->hash = emu_sha1_hex (text, strlen (text));
  return check_fields (query, now, out, why);
}

void
emu_signature_clear (EmuSignature *signature)
{
  g_clear_pointer (&signature->region, g_free);
  g_clear_pointer (&signature->hash, g_free);
}

char *
emu_signature_make (const char *original, const char *secret_key)
{
  g_autoptr (GByteArray) raw = g_byte_array_new ();
  guint8 mac[20];

  emu_hmac_sha1 (
      secret_key, strlen (secret_key), original, strlen (original), mac);
  g_byte_array_append (raw, mac, sizeof mac);
  g_byte_array_append (raw, (const guint8 *)original, (guint)strlen (original));
  return g_base64_encode (raw->data, raw->len);
}

/* ---- storage requests ---- */

static gboolean
parse_time (const char *text, gint64 *start, gint64 *end)
{
  g_auto (GStrv) times = NULL;
  guint64 from, to;

  if (text == NULL)
    return FALSE;
  times = g_strsplit (text, ";", 3);
  if (g_strv_length (times) != 2 ||
      !emu_parse_number (times[0], 0, G_MAXINT64, &from) ||
      !emu_parse_number (times[1], 0, G_MAXINT64, &to))
    return FALSE;
  *start = (gint64)from;
  *end = (gint64)to;
  return TRUE;
}

gboolean
emu_authorization_parse (const char *text, EmuAuthorization *out)
{
  g_auto (GStrv) items = NULL;
  char **fields[] = {&out->ak, &out->sign_time, &out->key_time, &out->headers,
      &out->params, &out->signature};
  static const char *const names[] = {"q-ak", "q-sign-time", "q-key-time",
      "q-header-list", "q-url-param-list", "q-signature"};
  gboolean sha1 = FALSE;
  gint64 start, end;

  memset (out, 0, sizeof *out);
  if (text == NULL)
    return FALSE;
  items = g_strsplit (text, "&", 16);
  for (guint i = 0; items[i] != NULL; i++) {
    char *value = strchr (items[i], '=');

    if (value == NULL)
      continue;
    *value++ = '\0';
    if (strcmp (items[i], "q-sign-algorithm") == 0)
      sha1 = strcmp (value, "sha1") == 0;
    for (guint k = 0; k < G_N_ELEMENTS (names); k++)
      if (strcmp (items[i], names[k]) == 0) {
        g_free (*fields[k]);
        *fields[k] = g_strdup (value);
      }
  }
  for (guint k = 0; k < G_N_ELEMENTS (names); k++)
    if (*fields[k] == NULL)
      sha1 = FALSE;
  if (sha1 && parse_time (out->sign_time, &start, &end) &&
      parse_time (out->key_time, &out->start, &out->end)) {
    out->start = MAX (out->start, start);
    out->end = MIN (out->end, end);
    return TRUE;
  }
  emu_authorization_clear (out);
  return FALSE;
}

void
emu_authorization_clear (EmuAuthorization *auth)
{
  g_clear_pointer (&auth->ak, g_free);
  g_clear_pointer (&auth->sign_time, g_free);
  g_clear_pointer (&auth->key_time, g_free);
  g_clear_pointer (&auth->headers, g_free);
  g_clear_pointer (&auth->params, g_free);
  g_clear_pointer (&auth->signature, g_free);
}

static int
compare_strings (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *)a, *(char *const *)b);
}

/* The names of a list, sorted, each once. */
static GPtrArray *
split_list (const char *list)
{
  g_auto (GStrv) items = g_strsplit (list, ";", 256);
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; items[i] != NULL; i++)
    if (*items[i] != '\0')
      g_ptr_array_add (names, g_ascii_strdown (items[i], -1));
  g_ptr_array_sort (names, compare_strings);
  return names;
}

gboolean
emu_authorization_signs_host (const EmuAuthorization *auth)
{
  g_autoptr (GPtrArray) names = split_list (auth->headers);

  return g_ptr_array_find_with_equal_func (names, "host", g_str_equal, NULL);
}

static void
append_pair (GString *out, const char *name, const char *value)
{
  g_autofree char *encoded = emu_percent_encode (value, FALSE);

  g_string_append_printf (
      out, "%s%s=%s", out->len > 0 ? "&" : "", name, encoded);
}

/* "a=b&c=d" of what q-url-param-list names; NULL if one is missing. */
static char *
format_params (const EmuAuthorization *auth, GPtrArray *query)
{
  g_autoptr (GPtrArray) names = split_list (auth->params);
  g_autoptr (GString) out = g_string_new (NULL);

  for (guint i = 0; i < names->len; i++) {
    const char *name = g_ptr_array_index (names, i);
    const char *value = NULL;

    for (guint k = 0; k < query->len && value == NULL; k++) {
      EmuPair *pair = g_ptr_array_index (query, k);
      g_autofree char *encoded = emu_percent_encode (pair->name, FALSE);

      if (g_ascii_strcasecmp (encoded, name) == 0)
        value = pair->value;
    }
    if (value == NULL)
      return NULL;
    append_pair (out, name, value);
  }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

static char *
format_headers (const EmuAuthorization *auth, const char *host,
    EmuHeaderFunc header, gpointer user_data)
{
  g_autoptr (GPtrArray) names = split_list (auth->headers);
  g_autoptr (GString) out = g_string_new (NULL);

  for (guint i = 0; i < names->len; i++) {
    const char *name = g_ptr_array_index (names, i);
    const char *value =
        strcmp (name, "host") == 0 ? host : header (name, user_data);

    if (value == NULL)
      return NULL;
    append_pair (out, name, value);
  }
  return g_string_free (g_steal_pointer (&out), FALSE);
}

gboolean
emu_authorization_check (const EmuAuthorization *auth, const char *secret_key,
    const char *method, const char *path, GPtrArray *query, const char *host,
    EmuHeaderFunc header, gpointer user_data)
{
  g_autofree char *verb = g_ascii_strdown (method, -1);
  g_autofree char *params = format_params (auth, query);
  g_autofree char *headers = format_headers (auth, host, header, user_data);
  g_autofree char *http_string = NULL;
  g_autofree char *digest = NULL;
  g_autofree char *to_sign = NULL;
  g_autofree char *sign_key = NULL;
  g_autofree char *signature = NULL;

  if (params == NULL || headers == NULL)
    return FALSE;
  http_string =
      g_strdup_printf ("%s\n%s\n%s\n%s\n", verb, path, params, headers);
  digest = emu_sha1_hex (http_string, strlen (http_string));
  to_sign = g_strdup_printf ("sha1\n%s\n%s\n", auth->sign_time, digest);
  sign_key = emu_hmac_sha1_hex (secret_key, auth->key_time);
  signature = emu_hmac_sha1_hex (sign_key, to_sign);
  return emu_secret_equal (signature, auth->signature);
}
