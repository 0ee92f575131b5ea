/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who asks, as far as a browser tells: the page (Origin), and under which name
 * it reached us (Host). A page of elsewhere whose name its owner leads to this
 * machine (DNS rebinding) sends no Origin, but the Host gives it away.
 */
#ifndef EMU_ORIGIN_H
#define EMU_ORIGIN_H

#include <glib.h>

G_BEGIN_DECLS

/* @origin: the header Origin. Is it a page of this machine? */
gboolean emu_origin_is_local (const char *origin);

/* @host: the header Host, or NULL, which no browser sends: TRUE. Is it an address,
 * a name of this machine, or a name of the service that we play, with any port? */
gboolean emu_host_is_ours (const char *host);

G_END_DECLS

#endif
