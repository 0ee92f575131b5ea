/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodsignature: where an upload signature comes from (interface.md,
 * "signature"): the application's callback, a URL, a string; in this order.
 * What any of them gives is checked for being a signature at all (base64 text
 * of 28…8192 bytes that decodes to 20 bytes and a query string), so that a HTML
 * page or a password never reaches the service or a header.
 */
#pragma once

#include "vodhttp.h"

G_BEGIN_DECLS

typedef struct {
  /* Asks the application; may block for as long as it likes. Returns a new
   * string or NULL ("later"). NULL: nobody to ask. */
  gchar *(*ask) (gpointer data);
  gpointer ask_data;
  const gchar *url;            /* https:, http: or file:; NULL: none */
  const gchar *const *headers; /* for url: name, value, …, NULL; or NULL */
  const gchar *string;         /* the `signature` property; NULL: none */
  const gchar *refused;        /* that string once refused by the service */
} VodSignatureSource;

/* Returns a signature; a secret. NULL with VOD_ERROR_SIGNATURE if no source has
 * one (message names the three sources; *@may_come is then TRUE if a callback
 * was asked and so may set one later, and FALSE in all other cases), or if one
 * gave garbage; errors of the network with their own codes. Phase is
 * VOD_PHASE_SIGNATURE. Blocks. */
gchar *vod_signature_get (const VodSignatureSource *source, VodHttp *http,
    GCancellable *cancellable, gboolean *may_come, GError **error);

/* NULL if @text looks like an upload signature, else what is wrong with it
 * (never containing @text itself). Pure. */
const gchar *vod_signature_check (const gchar *text);

/* NULL if @url is an absolute https:, http: or file: URL, else what is wrong.
 * Pure. */
const gchar *vod_signature_check_url (const gchar *url);

/* The signature in an answer or file: plain text, or JSON with a string
 * `signature` or `sign` at top level or below `data`. Pure. */
gchar *vod_signature_parse (const gchar *text, gsize len, GError **error);

G_END_DECLS
