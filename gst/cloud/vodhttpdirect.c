/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodhttpdirect.h"

struct _VodHttpDirect {
  GWeakRef opened;   /* by the message under way, not yet known by its id */
  GHashTable *known; /* id within the session (guint64) -> GWeakRef */
};

static void
free_ref (gpointer data)
{
  g_weak_ref_clear (data);
  g_free (data);
}

VodHttpDirect *
vod_http_direct_new (void)
{
  VodHttpDirect *direct = g_new0 (VodHttpDirect, 1);

  g_weak_ref_init (&direct->opened, NULL);
  direct->known =
      g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, free_ref);
  return direct;
}

void
vod_http_direct_free (VodHttpDirect *direct)
{
  g_weak_ref_clear (&direct->opened);
  g_hash_table_unref (direct->known);
  g_free (direct);
}

void
vod_http_direct_opened (VodHttpDirect *direct, GIOStream *connection)
{
  g_weak_ref_set (&direct->opened, connection);
}

void
vod_http_direct_begin (VodHttpDirect *direct)
{
  g_weak_ref_set (&direct->opened, NULL);
}

static gboolean
is_gone (gpointer id, gpointer ref, gpointer data)
{
  g_autoptr (GIOStream) connection = g_weak_ref_get (ref);

  return connection == NULL || g_io_stream_is_closed (connection);
}

/* Ids begin at 1 in each session. */
static void
remember (VodHttpDirect *direct, guint64 id, GIOStream *connection)
{
  GWeakRef *ref = g_new0 (GWeakRef, 1);
  guint64 *key = g_new (guint64, 1);

  *key = id;
  g_weak_ref_init (ref, connection);
  g_hash_table_foreach_remove (direct->known, is_gone, NULL);
  g_hash_table_replace (direct->known, key, ref);
}

/* A tunnel's plain socket must never get what belongs into the tunnel. */
static gboolean
fits (GIOStream *connection, SoupMessage *msg)
{
  gboolean https =
      strcmp (g_uri_get_scheme (soup_message_get_uri (msg)), "https") == 0;

  return https ? G_IS_TLS_CONNECTION (connection)
               : G_IS_SOCKET_CONNECTION (connection);
}

GOutputStream *
vod_http_direct_find (VodHttpDirect *direct, SoupMessage *msg)
{
  guint64 id = soup_message_get_connection_id (msg);
  g_autoptr (GIOStream) connection = g_weak_ref_get (&direct->opened);
  GWeakRef *ref;

  if (id == 0 || soup_message_get_http_version (msg) != SOUP_HTTP_1_1)
    return NULL;
  if (connection) {
    remember (direct, id, connection);
    g_weak_ref_set (&direct->opened, NULL);
  } else {
    ref = g_hash_table_lookup (direct->known, &id);
    connection = ref ? g_weak_ref_get (ref) : NULL;
  }
  if (connection == NULL || g_io_stream_is_closed (connection) ||
      !fits (connection, msg))
    return NULL;
  return g_object_ref (g_io_stream_get_output_stream (connection));
}
