/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodcosauth: the Authorization header of a storage request (protocol.md 4;
 * Tencent 436/7778). Pure.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  const gchar *method; /* "PUT"; any case */
  const gchar *path;   /* decoded, raw UTF-8, with its leading "/" */
  /* name, value, … NULL-terminated, decoded; NULL for none. Value-less query
   * names have the value "". */
  const gchar *const *query;
  const gchar *const *headers; /* those to be signed, likewise */
  const gchar *secret_id;
  const gchar *secret_key;
  gint64 start, end; /* KeyTime, Unix seconds */
} VodCosAuth;

/* "q-sign-algorithm=sha1&q-ak=…&q-signature=…". A secret: never log it. */
gchar *vod_cos_authorization (const VodCosAuth *auth);

/* Percent-encodes all but A-Za-z0-9-_.~ with upper-case hex ("camSafe"). */
gchar *vod_cos_escape (const gchar *text);

/* vod_cos_escape() with "/" left as it is: an object key on the wire. */
gchar *vod_cos_escape_path (const gchar *path);

G_END_DECLS
