/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vod-settings: what vod-resume was told, and how its vodsinks are set by it.
 */
#pragma once

#include <gst/gst.h>

#include "upload/vodupload.h"
#include "vod-recordings.h"

G_BEGIN_DECLS

typedef struct {
  gchar *state_dir; /* never NULL */
  gchar *signature_url;
  gchar *signature_file;
  gchar **set; /* PROP=VALUE…; or NULL */
} VodSettings;

/* Puts the lines of the file @path, PROP=VALUE each, before what is in
 * @settings->set, which takes precedence by that; empty lines and those that
 * begin with '#' are left out. Only its owner, who must be us, may be able to
 * use the file: it may hold secrets, of which no error shows anything. After an
 * error @settings->set is NULL. */
gboolean vod_settings_read_options (
    VodSettings *settings, const gchar *path, GError **error);

/* Can all that be set? The error says what not. Reads the signature file, and
 * warns on standard error where others can use it too. */
gboolean vod_settings_check (const VodSettings *settings, GError **error);

/* What --set gives @property; NULL: nothing. */
const gchar *
vod_settings_get (const VodSettings *settings, const gchar *property);

/* Is there anybody to ask for a signature? */
gboolean vod_settings_can_sign (const VodSettings *settings);

/* A vodsink (floating) for @recording, or for none (NULL). */
GstElement *vod_settings_sink_new (
    const VodSettings *settings, const VodRecording *recording);

/* What an upload would take. The settings were checked. */
gboolean vod_settings_latch (
    const VodSettings *settings, VodUploadSettings *upload, GError **error);

/* The signature in the file; a secret. */
gchar *vod_settings_read_signature (const gchar *path, GError **error);

G_END_DECLS
