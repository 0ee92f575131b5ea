/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is known about a connection beside what SoupServer knows: a number, how
 * many requests it carried, and whether the client has gone while it was idle.
 */
#ifndef EMU_CONNECTION_H
#define EMU_CONNECTION_H

#include "emu-stats.h"

#include <libsoup/soup.h>

G_BEGIN_DECLS

typedef struct _EmuConnection EmuConnection;

/* That of @message, made and counted when first asked for; NULL: closed. */
EmuConnection *emu_connection_get (EmuStats *stats, SoupServerMessage *message);
guint64 emu_connection_number (EmuConnection *connection);
guint emu_connection_requests (EmuConnection *connection);
/* Another request has come. */
void emu_connection_begin (EmuConnection *connection);
/* @message is finished: from now on an end by the client is noticed. */
void
emu_connection_idle (EmuConnection *connection, SoupServerMessage *message);

G_END_DECLS

#endif
