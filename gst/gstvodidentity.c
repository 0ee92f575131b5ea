/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstvodidentity.h"

#include <gio/gio.h>
#include <sys/stat.h>

#include "upload/vodsession.h"

static gchar *
explicit_key (const gchar *resume_key)
{
  const gchar *parts[] = {"resume-key", resume_key, NULL};

  return vod_session_make_key (parts);
}

/* NULL: the file cannot be known again. */
static gchar *
file_key (const GstVodSettings *settings, const gchar *path,
    const VodUploadSettings *upload)
{
  g_autofree gchar *uri = g_filename_to_uri (path, NULL, NULL);
  g_autofree gchar *facts = NULL;
  struct stat info;

  if (uri == NULL || stat (path, &info) != 0 || !S_ISREG (info.st_mode))
    return NULL;
  facts = g_strdup_printf ("%" G_GINT64_FORMAT " %" G_GINT64_FORMAT
                           ".%09ld %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
      (gint64)info.st_size, (gint64)info.st_mtim.tv_sec, info.st_mtim.tv_nsec,
      (guint64)info.st_dev, (guint64)info.st_ino);
  return vod_session_make_key ((const gchar *const[]){"file", upload->endpoint,
      uri, facts, settings->location ? settings->location : "", NULL});
}

static gchar *
recording_key (const GstVodSettings *settings, const VodUploadSettings *upload)
{
  return vod_session_make_key ((const gchar *const[]){"recording",
      upload->endpoint, settings->location ? settings->location : "",
      upload->name, upload->type, NULL});
}

void
gst_vod_identity_latch (const GstVodSettings *settings,
    const GstVodStreamFacts *facts, VodUploadSettings *upload)
{
  upload->identity = VOD_IDENTITY_NONE;
  upload->source_file = g_strdup (facts->upstream_file);
  if (!settings->resume && !settings->spool)
    return;
  if (settings->recover_key) {
    upload->identity = VOD_IDENTITY_EXPLICIT;
    upload->media_key = g_strdup (settings->recover_key);
    upload->resume_key = g_strdup (settings->resume_key);
    return;
  }
  if (settings->resume_key) {
    upload->identity = VOD_IDENTITY_EXPLICIT;
    upload->media_key = explicit_key (settings->resume_key);
    upload->resume_key = g_strdup (settings->resume_key);
    return;
  }
  if (facts->upstream_file && settings->resume)
    upload->media_key = file_key (settings, facts->upstream_file, upload);
  if (upload->media_key) {
    upload->identity = VOD_IDENTITY_FILE;
  } else if (settings->spool) {
    upload->identity = VOD_IDENTITY_RECORDING;
    upload->media_key = recording_key (settings, upload);
  }
}
