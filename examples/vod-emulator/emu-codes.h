/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Error codes: which status, code and text go together where only one of them
 * is given. Pure.
 */
#ifndef EMU_CODES_H
#define EMU_CODES_H

#include <glib.h>

G_BEGIN_DECLS

/* The status that the storage sends with this code; 400 if it is unknown. */
guint emu_codes_status (const char *code);
/* A code that the storage sends with this status. */
const char *emu_codes_of_status (guint status);
/* What the storage says to this code; the code itself if it is unknown. */
const char *emu_codes_message (const char *code);
/* What the VOD API says to this code. */
const char *emu_codes_vod_message (gint64 code);

G_END_DECLS

#endif
