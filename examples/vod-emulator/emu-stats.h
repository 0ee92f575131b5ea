/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Counters of requests by operation and status, and the last requests one by
 * one. Holds nothing secret: no headers but Host, no query strings.
 */
#ifndef EMU_STATS_H
#define EMU_STATS_H

#include <gio/gio.h>
#include <json-glib/json-glib.h>
#include <stdio.h>

G_BEGIN_DECLS

typedef struct {
  const char *op; /* static */
  guint part;
  guint status;     /* 0: no answer */
  guint64 received; /* bytes of request body */
  gint64 start;     /* real time, us */
  gint64 duration;  /* us */
  guint64 connection;
  guint request;      /* on that connection, from 1 */
  const char *key;    /* of the object, or NULL; copied */
  const char *host;   /* that was asked for, or NULL; copied */
  const char *code;   /* of an error, or NULL; copied */
  const char *faults; /* that hit it, "drop" or "delay,wrong-crc"; or NULL;
                       * copied */
} EmuLogEntry;

typedef struct {
  GHashTable *requests; /* op -> (status -> count) */
  GPtrArray *log;       /* ring of lines, oldest overwritten */
  guint log_next;
  guint64 logged; /* entries that were ever added */
  GQueue reports; /* JsonNode */
  guint64 n_reports;
  guint64 connections;
  GPtrArray *sockets; /* GSocket; closed ones are dropped now and then */
  guint64 bytes_received;
  FILE *file;
} EmuStats;

EmuStats *emu_stats_new (void);
void emu_stats_free (EmuStats *stats);
gboolean emu_stats_open_log (EmuStats *stats, const char *path, GError **error);
void emu_stats_add (EmuStats *stats, const EmuLogEntry *entry);
/* Counts one more connection; returns its number. */
guint64 emu_stats_add_connection (EmuStats *stats, GSocket *socket);
guint emu_stats_open_connections (EmuStats *stats);
/* Takes @report; only the last thousand are kept. */
void emu_stats_add_report (EmuStats *stats, JsonNode *report);
/* Adds the members of /api/state that are counted here. */
void
emu_stats_describe (EmuStats *stats, JsonBuilder *builder, gboolean with_log);
/* Adds "log": the entries after the first @after of all, @most of the newest.
 */
void emu_stats_describe_log (
    EmuStats *stats, JsonBuilder *builder, guint64 after, guint most);

G_END_DECLS

#endif
