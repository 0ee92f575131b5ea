/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Things that a well-behaved HTTP server never does to a connection. All take
 * the connection away from SoupServer; the message is finished then.
 */
#ifndef EMU_RAW_H
#define EMU_RAW_H

#include <libsoup/soup.h>

G_BEGIN_DECLS

/* Closes now; @reset: with a RST. */
void emu_raw_kill (SoupServerMessage *message, gboolean reset);

/*
 * Writes @data, a byte every @ms_per_byte if that isn't 0, then closes;
 * @linger: keeps reading what the client still sends for up to two seconds.
 */
void emu_raw_send (SoupServerMessage *message, GBytes *data, guint ms_per_byte,
    gboolean linger);

/* Status line, headers and @body of @message as they would be sent. */
GBytes *emu_raw_format (SoupServerMessage *message, GBytes *body);

G_END_DECLS

#endif
