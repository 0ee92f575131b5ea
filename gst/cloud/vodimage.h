/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodimage: is this a picture that the service takes as a cover? Pure.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Bytes of the largest cover. The service's own limit is not known
 * (protocol.md 9); an uncompressed full HD frame and every camera's jpeg fit. */
#define VOD_IMAGE_MAX (20 * 1024 * 1024)

/* The type of the picture by its first bytes, as a file extension: jpg, png,
 * gif, bmp, webp or tiff. NULL: it is none of them. Static. */
const gchar *vod_image_type (gconstpointer data, gsize len);

/* The Content-Type of what vod_image_type() gave. Static. */
const gchar *vod_image_content_type (const gchar *type);

G_END_DECLS
