/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counters and the log of requests.
 */
#include "emu-stats.h"

#include "emu-util.h"

#include <errno.h>
#include <gio/gio.h>
#include <stdio.h>
#include <string.h>

#define LOG_LENGTH 20000
#define MAX_REPORTS 1000
#define MAX_HOST 261 /* the longest name there is, and a port */

static void
entry_free (gpointer data)
{
  EmuLogEntry *entry = data;

  g_free ((char *)entry->key);
  g_free ((char *)entry->host);
  g_free ((char *)entry->code);
  g_free ((char *)entry->faults);
  g_free (entry);
}

EmuStats *
emu_stats_new (void)
{
  EmuStats *stats = g_new0 (EmuStats, 1);

  stats->requests = g_hash_table_new_full (
      g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_hash_table_unref);
  stats->log = g_ptr_array_new_with_free_func (entry_free);
  stats->sockets = g_ptr_array_new_with_free_func (g_object_unref);
  g_queue_init (&stats->reports);
  return stats;
}

void
emu_stats_free (EmuStats *stats)
{
  g_hash_table_unref (stats->requests);
  g_ptr_array_unref (stats->log);
  g_ptr_array_unref (stats->sockets);
  g_queue_clear_full (&stats->reports, (GDestroyNotify)json_node_unref);
  if (stats->file != NULL && stats->file != stderr)
    fclose (stats->file);
  g_free (stats);
}

gboolean
emu_stats_open_log (EmuStats *stats, const char *path, GError **error)
{
  if (strcmp (path, "-") == 0) {
    stats->file = stderr;
    return TRUE;
  }
  stats->file = fopen (path, "ae");
  if (stats->file == NULL) {
    g_set_error (error, G_IO_ERROR, (gint)g_io_error_from_errno (errno),
        "cannot open the log %s: %s", path, g_strerror (errno));
    return FALSE;
  }
  setvbuf (stats->file, NULL, _IOLBF, 0);
  return TRUE;
}

static void
count (EmuStats *stats, const char *op, guint status)
{
  GHashTable *by_status = g_hash_table_lookup (stats->requests, op);
  gpointer key = GUINT_TO_POINTER (status);
  guint n;

  if (by_status == NULL) {
    by_status = g_hash_table_new (NULL, NULL);
    g_hash_table_insert (stats->requests, (gpointer)op, by_status);
  }
  n = GPOINTER_TO_UINT (g_hash_table_lookup (by_status, key));
  g_hash_table_insert (by_status, key, GUINT_TO_POINTER (n + 1));
}

static void
write_line (FILE *file, const EmuLogEntry *entry)
{
  g_autoptr (GDateTime) when =
      g_date_time_new_from_unix_local (entry->start / G_USEC_PER_SEC);
  g_autofree char *time_text = g_date_time_format (when, "%F %T");
  g_autofree char *key =
      entry->key != NULL ? g_strescape (entry->key, NULL) : g_strdup ("-");

  fprintf (file,
      "%s.%03d %s part=%u status=%u code=%s bytes=%" G_GUINT64_FORMAT
      " ms=%.1f connection=%" G_GUINT64_FORMAT " request=%u fault=%s key=%s\n",
      time_text, (int)(entry->start / 1000 % 1000), entry->op, entry->part,
      entry->status, entry->code != NULL ? entry->code : "-", entry->received,
      (double)entry->duration / 1000, entry->connection, entry->request,
      entry->faults != NULL ? entry->faults : "-", key);
}

/* Anybody may write anything there. */
static char *
copy_host (const char *host)
{
  g_autofree char *cut = g_strndup (host != NULL ? host : "", MAX_HOST);

  return host != NULL ? g_utf8_make_valid (cut, -1) : NULL;
}

void
emu_stats_add (EmuStats *stats, const EmuLogEntry *entry)
{
  EmuLogEntry *copy = g_memdup2 (entry, sizeof *entry);

  copy->key = g_strdup (entry->key);
  copy->host = copy_host (entry->host);
  copy->code = g_strdup (entry->code);
  copy->faults = g_strdup (entry->faults);
  stats->logged++;
  count (stats, entry->op, entry->status);
  if (stats->file != NULL)
    write_line (stats->file, entry);
  if (stats->log->len < LOG_LENGTH) {
    g_ptr_array_add (stats->log, copy);
    return;
  }
  entry_free (stats->log->pdata[stats->log_next]);
  stats->log->pdata[stats->log_next] = copy;
  stats->log_next = (stats->log_next + 1) % LOG_LENGTH;
}

guint
emu_stats_open_connections (EmuStats *stats)
{
  for (guint i = stats->sockets->len; i > 0; i--)
    if (g_socket_is_closed (g_ptr_array_index (stats->sockets, i - 1)))
      g_ptr_array_remove_index_fast (stats->sockets, i - 1);
  return stats->sockets->len;
}

guint64
emu_stats_add_connection (EmuStats *stats, GSocket *socket)
{
  g_ptr_array_add (stats->sockets, g_object_ref (socket));
  return ++stats->connections;
}

void
emu_stats_add_report (EmuStats *stats, JsonNode *report)
{
  g_queue_push_tail (&stats->reports, report);
  stats->n_reports++;
  if (stats->reports.length > MAX_REPORTS)
    json_node_unref (g_queue_pop_head (&stats->reports));
}

static void
add_int (JsonBuilder *builder, const char *name, guint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, (gint64)value);
}

static void
describe_requests (EmuStats *stats, JsonBuilder *builder)
{
  GHashTableIter ops, statuses;
  gpointer op, by_status, status, n;

  json_builder_set_member_name (builder, "requests");
  json_builder_begin_object (builder);
  g_hash_table_iter_init (&ops, stats->requests);
  while (g_hash_table_iter_next (&ops, &op, &by_status)) {
    json_builder_set_member_name (builder, op);
    json_builder_begin_object (builder);
    g_hash_table_iter_init (&statuses, by_status);
    while (g_hash_table_iter_next (&statuses, &status, &n)) {
      g_autofree char *name = g_strdup_printf ("%u", GPOINTER_TO_UINT (status));

      add_int (builder, name, GPOINTER_TO_UINT (n));
    }
    json_builder_end_object (builder);
  }
  json_builder_end_object (builder);
}

static void
describe_entry (const EmuLogEntry *entry, JsonBuilder *builder)
{
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "op");
  json_builder_add_string_value (builder, entry->op);
  add_int (builder, "status", entry->status);
  if (entry->part > 0)
    add_int (builder, "part", entry->part);
  if (entry->code != NULL) {
    json_builder_set_member_name (builder, "code");
    json_builder_add_string_value (builder, entry->code);
  }
  if (entry->key != NULL) {
    json_builder_set_member_name (builder, "key");
    json_builder_add_string_value (builder, entry->key);
  }
  if (entry->host != NULL) {
    json_builder_set_member_name (builder, "host");
    json_builder_add_string_value (builder, entry->host);
  }
  json_builder_set_member_name (builder, "fault");
  json_builder_add_boolean_value (builder, entry->faults != NULL);
  if (entry->faults != NULL) {
    json_builder_set_member_name (builder, "faults");
    json_builder_add_string_value (builder, entry->faults);
  }
  add_int (builder, "bytes", entry->received);
  json_builder_set_member_name (builder, "ms");
  json_builder_add_double_value (builder, (double)entry->duration / 1000);
  json_builder_set_member_name (builder, "time");
  json_builder_add_double_value (
      builder, (double)entry->start / G_USEC_PER_SEC);
  add_int (builder, "connection", entry->connection);
  add_int (builder, "request", entry->request);
  json_builder_end_object (builder);
}

void
emu_stats_describe_log (
    EmuStats *stats, JsonBuilder *builder, guint64 after, guint most)
{
  guint64 news = stats->logged - MIN (after, stats->logged);
  guint len = stats->log->len;
  guint n = (guint)MIN (news, MIN (most, len));

  json_builder_set_member_name (builder, "log");
  json_builder_begin_array (builder);
  for (guint i = len - n; i < len; i++)
    describe_entry (
        g_ptr_array_index (stats->log, (stats->log_next + i) % len), builder);
  json_builder_end_array (builder);
}

void
emu_stats_describe (EmuStats *stats, JsonBuilder *builder, gboolean with_log)
{
  describe_requests (stats, builder);
  add_int (builder, "connections", stats->connections);
  add_int (builder, "open-connections", emu_stats_open_connections (stats));
  add_int (builder, "bytes-received", stats->bytes_received);
  json_builder_set_member_name (builder, "reports");
  json_builder_begin_array (builder);
  for (GList *l = stats->reports.head; l != NULL; l = l->next)
    json_builder_add_value (builder, json_node_copy (l->data));
  json_builder_end_array (builder);
  emu_stats_describe_log (stats, builder, 0, with_log ? LOG_LENGTH : 0);
}
