/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A certificate authority and a server certificate, made anew at each start.
 */
#ifndef EMU_TLS_H
#define EMU_TLS_H

#include <gio/gio.h>

G_BEGIN_DECLS

/* Writes ROOT/ca.pem and ROOT/server.pem (0600, with the key). */
GTlsCertificate *emu_tls_make (const char *root, GError **error);

G_END_DECLS

#endif
