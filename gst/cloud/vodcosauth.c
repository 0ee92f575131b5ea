/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodcosauth: see vodcosauth.h.
 */
#include "vodcosauth.h"

#include <string.h>

#include "vodchecksum.h"

/* The two halves of a signed list: "a;b" and "a=1&b=2". */
typedef struct {
  GString *names;
  GString *pairs;
} SignedList;

typedef struct {
  gchar *name;
  gchar *value;
} Pair;

static gchar *
escape (const gchar *text, const gchar *also_plain)
{
  GString *result = g_string_new (NULL);

  for (const guchar *p = (const guchar *)text; *p; p++) {
    if (g_ascii_isalnum (*p) || strchr (also_plain, *p))
      g_string_append_c (result, *p);
    else
      g_string_append_printf (result, "%%%02X", *p);
  }
  return g_string_free (result, FALSE);
}

gchar *
vod_cos_escape (const gchar *text)
{
  return escape (text, "-_.~");
}

gchar *
vod_cos_escape_path (const gchar *path)
{
  return escape (path, "-_.~/");
}

static gint
compare_pairs (gconstpointer a, gconstpointer b)
{
  const Pair *first = a, *second = b;
  gint order = strcmp (first->name, second->name);

  return order != 0 ? order : strcmp (first->value, second->value);
}

static void
clear_pair (gpointer data)
{
  Pair *pair = data;

  g_free (pair->name);
  g_free (pair->value);
}

static GArray *
collect_pairs (const gchar *const *list)
{
  GArray *pairs = g_array_new (FALSE, FALSE, sizeof (Pair));

  g_array_set_clear_func (pairs, clear_pair);
  for (guint i = 0; list && list[i]; i += 2) {
    g_autofree gchar *name = vod_cos_escape (list[i]);
    Pair pair = {g_ascii_strdown (name, -1), vod_cos_escape (list[i + 1])};

    g_array_append_val (pairs, pair);
  }
  g_array_sort (pairs, compare_pairs);
  return pairs;
}

static void
signed_list_init (SignedList *signed_list, const gchar *const *list)
{
  g_autoptr (GArray) pairs = collect_pairs (list);

  signed_list->names = g_string_new (NULL);
  signed_list->pairs = g_string_new (NULL);
  for (guint i = 0; i < pairs->len; i++) {
    const Pair *pair = &g_array_index (pairs, Pair, i);

    g_string_append_printf (
        signed_list->names, "%s%s", i > 0 ? ";" : "", pair->name);
    g_string_append_printf (signed_list->pairs, "%s%s=%s", i > 0 ? "&" : "",
        pair->name, pair->value);
  }
}

static void
signed_list_clear (SignedList *signed_list)
{
  g_string_free (signed_list->names, TRUE);
  g_string_free (signed_list->pairs, TRUE);
}

static gchar *
hex (const guint8 digest[VOD_SHA1_SIZE])
{
  GString *text = g_string_sized_new (2 * VOD_SHA1_SIZE + 1);

  for (guint i = 0; i < VOD_SHA1_SIZE; i++)
    g_string_append_printf (text, "%02x", digest[i]);
  return g_string_free (text, FALSE);
}

static gchar *
hmac_hex (const gchar *key, const gchar *text)
{
  guint8 digest[VOD_SHA1_SIZE];

  vod_hmac_sha1 (key, strlen (key), text, strlen (text), digest);
  return hex (digest);
}

static gchar *
sha1_hex (const gchar *text)
{
  guint8 digest[VOD_SHA1_SIZE];

  vod_sha1 (text, strlen (text), digest);
  return hex (digest);
}

/* What makes the request this one, in the form that both sides hash. */
static gchar *
http_string (
    const VodCosAuth *auth, const SignedList *query, const SignedList *headers)
{
  g_autofree gchar *method = g_ascii_strdown (auth->method, -1);

  return g_strdup_printf ("%s\n%s\n%s\n%s\n", method, auth->path,
      query->pairs->str, headers->pairs->str);
}

gchar *
vod_cos_authorization (const VodCosAuth *auth)
{
  g_autofree gchar *key_time = g_strdup_printf (
      "%" G_GINT64_FORMAT ";%" G_GINT64_FORMAT, auth->start, auth->end);
  g_autofree gchar *sign_key = hmac_hex (auth->secret_key, key_time);
  g_autofree gchar *request = NULL, *digest = NULL, *to_sign = NULL;
  g_autofree gchar *signature = NULL;
  SignedList query, headers;
  gchar *result;

  signed_list_init (&query, auth->query);
  signed_list_init (&headers, auth->headers);
  request = http_string (auth, &query, &headers);
  digest = sha1_hex (request);
  to_sign = g_strdup_printf ("sha1\n%s\n%s\n", key_time, digest);
  signature = hmac_hex (sign_key, to_sign);
  result = g_strdup_printf (
      "q-sign-algorithm=sha1&q-ak=%s&q-sign-time=%s&q-key-time=%s"
      "&q-header-list=%s&q-url-param-list=%s&q-signature=%s",
      auth->secret_id, key_time, key_time, headers.names->str, query.names->str,
      signature);
  signed_list_clear (&query);
  signed_list_clear (&headers);
  return result;
}
