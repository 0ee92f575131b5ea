/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * voddescriptors: are there file descriptors left?
 *
 * GLib ends the process when it gets none for a main context or a cancellable.
 * So nobody makes a connection unless there are enough for it, and for what all
 * those that exist may need at the same time. Linux tells how many are in use;
 * elsewhere there are always enough. Any thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* There is a connection more, until vod_descriptors_release(). FALSE with
 * VOD_ERROR_LOCAL: there are too few left for that. */
gboolean vod_descriptors_reserve (GError **error);
void vod_descriptors_release (void);

/* A request begins on one of them, and ends. */
void vod_descriptors_begin (void);
void vod_descriptors_end (void);

G_END_DECLS
