/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodcosxml: the storage's XML (protocol.md 5.1). Pure. Part of vodcos.
 */
#pragma once

#include "voderror.h"
#include "vodhttp.h"

G_BEGIN_DECLS

/* An answer: the root's name, and the text of the elements right below it. What
 * nests deeper is checked and forgotten. */
typedef struct {
  gchar *root;
  GHashTable *values; /* name -> text; the first of several */
} VodCosXml;

/* Parses @text after any blanks (a long Complete answers with those first).
 * VOD_ERROR_PROTOCOL if it is not a small, flat XML document. */
gboolean vod_cos_xml_parse (
    const gchar *text, gsize len, VodCosXml *xml, GError **error);

void vod_cos_xml_clear (VodCosXml *xml);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VodCosXml, vod_cos_xml_clear)

/* The text of @name without blanks around it, or NULL. */
const gchar *vod_cos_xml_get (const VodCosXml *xml, const gchar *name);

/* VOD_ERROR_STORAGE from an <Error>. Its code is normalised as told in
 * vodcos.h. */
GError *vod_cos_xml_to_error (const VodCosXml *xml, guint status);

/* The body of Complete: @etags[i] is that of part i + 1. */
gchar *vod_cos_xml_complete_body (const gchar *const *etags, guint n_parts);

G_END_DECLS
