/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faults: which requests they hit, and what happens to those. A list of them
 * is asked once for every request. docs/emulator.md describes the JSON.
 */
#ifndef EMU_FAULTS_H
#define EMU_FAULTS_H

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

typedef enum {
  EMU_GARBAGE_NONE,
  EMU_GARBAGE_XML,
  EMU_GARBAGE_JSON,
  EMU_GARBAGE_TYPES,
  EMU_GARBAGE_HUGE,
  EMU_GARBAGE_HTML,
  EMU_GARBAGE_EMPTY,
  EMU_GARBAGE_ANY /* what fits the request: XML or JSON */
} EmuGarbage;

/* What happens to one request; zero (and -1) everywhere: nothing. */
typedef struct {
  guint status;
  const char *code; /* points into the fault's JSON */
  gint64 code_number;
  const char *message;
  gboolean no_request_id;
  gint64 retry_after;
  const char *server_time;
  gboolean early;
  gboolean linger;
  JsonNode *json;
  gboolean drop;
  gboolean reset;
  gint64 after_bytes; /* -1: once the whole request is read */
  gint64 delay;       /* ms */
  gboolean stall;
  gboolean truncate;
  gint64 truncate_after; /* bytes of the answer's body; -1: half of it */
  EmuGarbage garbage;
  gboolean wrong_etag, wrong_crc, no_etag, no_crc, corrupt;
  const char *error_in_200;
  gboolean lose_answer;
  gboolean expire_credentials;
  gboolean as_message;
  gint64 clock_skew; /* s */
  gboolean forget_upload, forget_session;
  gint64 trickle; /* ms for each byte */
  gboolean close_idle;
  gint64 spaces;       /* ms of blanks before the answer of Complete */
  JsonObject *data;    /* put into the data of the VOD API's answer; or NULL */
  const char *implied; /* static: the field that another one stands for */
  guint kinds;         /* which of these are taken */
  JsonNode *source[8]; /* keeps the strings alive */
  guint n_sources;
} EmuEffects;

typedef struct _EmuFaults EmuFaults;

EmuFaults *emu_faults_new (GRand *rand);
void emu_faults_free (EmuFaults *faults);

/* Appends one fault (an object) or several (an array), or none on error. */
gboolean emu_faults_add (EmuFaults *faults, JsonNode *node, GError **error);
void emu_faults_clear (EmuFaults *faults);
/* FALSE if there is none of this id. */
gboolean emu_faults_remove (EmuFaults *faults, guint64 id);
/* The faults as given, each with "id", "seen" and "hits". */
JsonNode *emu_faults_list (EmuFaults *faults);

/* Counts the request and collects what happens to it. */
void emu_faults_match (EmuFaults *faults, const char *op, guint part,
    const char *host, EmuEffects *out);
void emu_effects_clear (EmuEffects *effects);
/* "drop" or "delay,wrong-crc"; NULL: nothing happens. */
char *emu_effects_names (const EmuEffects *effects);

G_END_DECLS

#endif
