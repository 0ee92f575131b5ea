/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ROOT/journal: one JSON object a line, appended at every change of the state.
 */
#ifndef EMU_JOURNAL_H
#define EMU_JOURNAL_H

#include "emu-state.h"

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* Replays the journal into @state and opens it for appending, locked. */
gboolean emu_journal_open (EmuState *state, GError **error);

/* A builder with the event's name in it; emu_journal_end() writes the line. */
JsonBuilder *emu_journal_begin (const char *event);
void emu_journal_add (JsonBuilder *builder, const char *name, const char *text);
void emu_journal_add_int (JsonBuilder *builder, const char *name, gint64 value);
/* Takes @builder; does nothing while replaying. */
void emu_journal_end (EmuState *state, JsonBuilder *builder);

G_END_DECLS

#endif
