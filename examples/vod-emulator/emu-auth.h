/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The two kinds of signatures: that of an upload (made by the user's server,
 * sent to the VOD API) and that of a storage request (made by the client with
 * temporary credentials).
 */
#ifndef EMU_AUTH_H
#define EMU_AUTH_H

#include <glib.h>

G_BEGIN_DECLS

/* ---- upload signatures ---- */

typedef enum {
  EMU_SIGNATURE_OK,
  EMU_SIGNATURE_INVALID,
  EMU_SIGNATURE_EXPIRED
} EmuSignatureResult;

typedef struct {
  guint64 expires;
  guint64 sub_app_id;
  gboolean one_time;
  char *region; /* NULL: none asked for */
  char *hash;   /* names the signature without being it */
} EmuSignature;

/* @why tells people what is wrong; never a part of the signature. */
EmuSignatureResult emu_signature_check (const char *text, const char *secret_id,
    const char *secret_key, gint64 now, EmuSignature *out, const char **why);
void emu_signature_clear (EmuSignature *signature);
/* Signs "secretId=…&…" as it is. */
char *emu_signature_make (const char *original, const char *secret_key);

/* ---- storage requests ---- */

typedef struct {
  char *ak;
  char *sign_time;
  char *key_time;
  char *headers; /* q-header-list */
  char *params;  /* q-url-param-list */
  char *signature;
  gint64 start;
  gint64 end;
} EmuAuthorization;

/* Looks up a header of the request; NULL: it has none. */
typedef const char *(*EmuHeaderFunc) (const char *name, gpointer user_data);

/* FALSE if the text isn't a complete Authorization. */
gboolean emu_authorization_parse (const char *text, EmuAuthorization *out);
void emu_authorization_clear (EmuAuthorization *auth);
gboolean emu_authorization_signs_host (const EmuAuthorization *auth);

/*
 * Whether the signature is the one that @secret_key makes for this request.
 * @path is decoded, @query an array of EmuPair; @host stands in for the header.
 */
gboolean
emu_authorization_check (const EmuAuthorization *auth, const char *secret_key,
    const char *method, const char *path, GPtrArray *query, const char *host,
    EmuHeaderFunc header, gpointer user_data);

G_END_DECLS

#endif
