/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A line in front of the server that is slow: every byte arrives late, and no
 * more than so many bytes a second come from all clients together.
 */
#ifndef EMU_RELAY_H
#define EMU_RELAY_H

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _EmuRelay EmuRelay;

/* Listens on 127.0.0.1:@port (0: a free one) for the server on @target. */
EmuRelay *emu_relay_new (guint16 port, guint16 target, guint64 rate,
    guint latency_ms, GError **error);
guint16 emu_relay_port (EmuRelay *relay);
/* Closes everything. */
void emu_relay_free (EmuRelay *relay);

G_END_DECLS

#endif
