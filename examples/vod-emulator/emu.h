/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The emulator as a whole: its options and what every part of it shares.
 */
#ifndef EMU_H
#define EMU_H

#include "emu-faults.h"
#include "emu-state.h"
#include "emu-stats.h"

#include <libsoup/soup.h>

G_BEGIN_DECLS

typedef struct {
  int port;
  gboolean tls;
  char *root; /* NULL: a temporary one */
  char *secret_id;
  char *secret_key;
  int credential_lifetime; /* s */
  gint64 rate;             /* bytes/s from all clients; 0: no limit */
  int latency;             /* ms each way */
  gboolean discard;
  char *faults;
  gint64 seed;
  char *log;
  gboolean repeat_complete; /* Complete twice: the same answer again */
  gboolean commit_once;     /* Commit twice: refused */
} EmuOptions;

typedef struct {
  EmuOptions options;
  SoupServer *server;
  guint16 port; /* that clients use */
  char *run;    /* random: tells this run from any other */
  GRand *rand;
  EmuState *state;
  EmuFaults *faults;
  EmuStats *stats;
  GPtrArray *incoming; /* EmuRequest of parts, from first byte to answer */
  GList *waiting;      /* EmuRequest of /api/state, until no MD5 is computed */
  guint md5_jobs;
} Emu;

/* scheme://127.0.0.1:port, newly allocated */
char *emu_base_url (Emu *emu);

G_END_DECLS

#endif
