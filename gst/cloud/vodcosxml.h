/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodcosxml: the storage's XML (protocol.md 5.1). Pure. Part of vodcos.
 */
#pragma once

#include "voderror.h"
#include "vodhttp.h"

G_BEGIN_DECLS

/* An answer: the root's name, and the text of the elements right below it; of a
 * list also its items, elements right below the root that have such elements
 * themselves. What nests deeper is checked and forgotten. */
typedef struct {
  gchar *root;
  GHashTable *values; /* name -> text; the first of several */
  GPtrArray *items;   /* of GHashTable, each likewise */
} VodCosXml;

/* A page of a list has at most so many items. */
#define VOD_COS_XML_ITEMS_MAX 1000

/* Parses @text after any blanks (a long Complete answers with those first).
 * @item: name of the items; NULL: none. VOD_ERROR_PROTOCOL if it is not an XML
 * document, or one with too much in it: whoever reads the answer bounds its
 * size. */
gboolean vod_cos_xml_parse (const gchar *text, gsize len, const gchar *item,
    VodCosXml *xml, GError **error);

void vod_cos_xml_clear (VodCosXml *xml);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VodCosXml, vod_cos_xml_clear)

/* The text of @name without blanks around it, or NULL. */
const gchar *vod_cos_xml_get (const VodCosXml *xml, const gchar *name);

/* The text of @name in item @n, or NULL. Blanks stay: keys may have some. */
const gchar *
vod_cos_xml_get_item (const VodCosXml *xml, guint n, const gchar *name);

/* Unix seconds of a time as the storage writes it: ISO 8601, or in lists "Wed
 * Jan 18 16:04:17 2017". 0: neither. */
gint64 vod_cos_xml_to_unix (const gchar *text);

/* VOD_ERROR_STORAGE from an <Error>. Its code is normalised as told in
 * vodcos.h. */
GError *vod_cos_xml_to_error (const VodCosXml *xml, guint status);

/* The body of Complete: @etags[i] is that of part i + 1. */
gchar *vod_cos_xml_complete_body (const gchar *const *etags, guint n_parts);

G_END_DECLS
