/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What gst-inspect-1.0 shows of the settable properties: what they mean, their
 * units, ranges and defaults. Their values are in gstvodsettings.c.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstvodsettings.h"

#define MIB G_GUINT64_CONSTANT (1048576)

#define RW (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS)
#define LATCHED (RW | GST_PARAM_MUTABLE_READY)
#define LIVE (RW | GST_PARAM_MUTABLE_PLAYING)
#define SECRET (G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS)

static void
install_media (GObjectClass *klass)
{
  /**
   * GstVodSink:location:
   *
   * File name of the media, as filesink and splitmuxsink speak of it. Never
   * touches the file system: its base name gives the name, its extension the
   * type. Read back verbatim.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_LOCATION,
      g_param_spec_string ("location", "Location",
          "File name of the media: its base name gives the name, its extension "
          "the type; no file is touched (NULL = none)",
          NULL, LATCHED));
  /**
   * GstVodSink:media-name:
   *
   * Name of the media, at most 200 bytes of UTF-8. What the service refuses
   * (\ / : * ? " < > | and control characters) is an error at start. %NULL:
   * from #GstVodSink:location, upstream's file, the title tag, or a default.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_MEDIA_NAME,
      g_param_spec_string ("media-name", "Media name",
          "Name of the media, at most 200 bytes without \\ / : * ? \" < > | "
          "(NULL = from location, upstream's file, the title tag, or a "
          "default)",
          NULL, LATCHED));
  /**
   * GstVodSink:media-type:
   *
   * Type of the media: a file extension without dot (mp4, ts, mkv…). %NULL:
   * from the extension of #GstVodSink:location, the caps, or upstream's file.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_MEDIA_TYPE,
      g_param_spec_string ("media-type", "Media type",
          "File extension without dot, e.g. mp4, ts, mkv (NULL = from "
          "location, the caps, or upstream's file)",
          NULL, LATCHED));
}

static void
install_cover (GObjectClass *klass)
{
  /**
   * GstVodSink:cover-location:
   *
   * Path of a picture (jpeg, png, gif, bmp, webp, tiff; at most 20 MiB) to
   * upload as the media's cover. It is read when the upload starts and again at
   * the end, in case it came or changed meanwhile. A cover that fails is a
   * warning; the media does not suffer.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_COVER_LOCATION,
      g_param_spec_string ("cover-location", "Cover location",
          "Path of a picture (jpeg, png, gif, bmp, webp, tiff; at most 20 MiB) "
          "to upload as the cover (NULL = cover, or an image tag of the "
          "stream)",
          NULL, LATCHED));
  /**
   * GstVodSink:cover:
   *
   * A cover that the application has made: a sample whose buffer is a whole
   * image/jpeg or image/png, as gdkpixbufsink or pngenc give it. May come as
   * late as EOS; the last one counts. #GstVodSink:cover-location goes before
   * it, an image tag of the stream after it. %NULL takes one back that was not
   * sent yet.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_COVER,
      g_param_spec_boxed ("cover", "Cover",
          "Sample with an image/jpeg or image/png to upload as the cover, "
          "which may come as late as EOS (NULL = an image tag of the stream)",
          GST_TYPE_SAMPLE, SECRET | GST_PARAM_MUTABLE_PLAYING));
}

static void
install_reports (GObjectClass *klass)
{
  /**
   * GstVodSink:report-id:
   *
   * Set (1 to 256 bytes of UTF-8 without control characters): the upload's
   * events (apply, upload, commit, done) are reported with this id, in the
   * background. That they cannot be is a WARNING, once, and no more. %NULL or
   * empty: nothing is reported.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_REPORT_ID,
      g_param_spec_string ("report-id", "Report id",
          "Report the upload's events with this id (NULL = report nothing)",
          NULL, LATCHED));
  /**
   * GstVodSink:report-endpoint:
   *
   * Base URL where reports go, to the path /ugcupload_new. %NULL:
   * https://vodreport.qcloud.com if #GstVodSink:endpoint is the default, else
   * #GstVodSink:endpoint.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_REPORT_ENDPOINT,
      g_param_spec_string ("report-endpoint", "Report endpoint",
          "Where reports go: http(s)://host[:port] (NULL = "
          "https://vodreport.qcloud.com if endpoint is the default, else "
          "endpoint)",
          NULL, LATCHED));
}

static void
install_signature (GObjectClass *klass)
{
  /**
   * GstVodSink:signature:
   *
   * An upload signature; asked third, after #GstVodSink::get-signature and
   * #GstVodSink:signature-url. Setting it also wakes an upload that waits for
   * one. Never read back, never logged.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_SIGNATURE,
      g_param_spec_string ("signature", "Signature",
          "An upload signature, asked for last, after get-signature and "
          "signature-url; setting it wakes an upload that waits for one (NULL "
          "= none)",
          NULL, SECRET | GST_PARAM_MUTABLE_PLAYING));
  /**
   * GstVodSink:signature-url:
   *
   * Where to get an upload signature: https:, http: or file:. The answer is
   * the signature as text, or JSON with a string "signature" or "sign" at top
   * level or below "data". Asked for each request that needs one. Read back
   * without user name and password.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_SIGNATURE_URL,
      g_param_spec_string ("signature-url", "Signature URL",
          "https:, http: or file: URL that gives an upload signature, as text "
          "or as JSON with a string \"signature\" or \"sign\" (NULL = not "
          "asked)",
          NULL, LATCHED));
  /**
   * GstVodSink:signature-headers:
   *
   * Request headers for #GstVodSink:signature-url, one field each.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_SIGNATURE_HEADERS,
      g_param_spec_boxed ("signature-headers", "Signature headers",
          "Request headers for signature-url; in a shell: signature-headers='"
          "\"headers,Authorization=(string)\\\"Bearer x\\\"\"'",
          GST_TYPE_STRUCTURE, SECRET | GST_PARAM_MUTABLE_READY));
}

static void
install_transfer (GObjectClass *klass)
{
  /**
   * GstVodSink:slice-size:
   *
   * Most bytes in one part while part numbers are plenty (they grow later, so
   * that 10000 parts hold any recording).
   */
  g_object_class_install_property (klass, GST_VOD_PROP_SLICE_SIZE,
      g_param_spec_uint64 ("slice-size", "Slice size",
          "Most bytes in one part while part numbers are plenty; at most a "
          "quarter of max-size-bytes, unless spool is set",
          GST_VOD_MIN_SLICE_SIZE, 1024 * MIB, GST_VOD_DEFAULT_SLICE_SIZE,
          LATCHED));
  /**
   * GstVodSink:parallel-uploads:
   *
   * Most parts in flight at a time.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_PARALLEL_UPLOADS,
      g_param_spec_uint ("parallel-uploads", "Parallel uploads",
          "Most parts in flight at a time", 1, 64,
          GST_VOD_DEFAULT_PARALLEL_UPLOADS, LATCHED));
  /**
   * GstVodSink:max-size-bytes:
   *
   * Most bytes of media held in memory. When it is full, upstream is blocked;
   * nothing is dropped. At least four times #GstVodSink:slice-size.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_MAX_SIZE_BYTES,
      g_param_spec_uint64 ("max-size-bytes", "Max. size (bytes)",
          "Most bytes of media held in memory, at least 4 x slice-size unless "
          "spool is set (0 = the least that works then); when full, upstream "
          "is "
          "blocked",
          0, G_MAXUINT64, GST_VOD_DEFAULT_MAX_SIZE_BYTES, LATCHED));
  /**
   * GstVodSink:max-upload-bitrate:
   *
   * Upper bound in bit/s for all requests of this element together; 0: no
   * limit. Not to be confused with #GstBaseSink:max-bitrate, which throttles
   * rendering.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_MAX_UPLOAD_BITRATE,
      g_param_spec_uint64 ("max-upload-bitrate", "Max. upload bitrate",
          "Upper bound in bit/s for all requests of this element together (0 = "
          "no limit)",
          0, G_MAXUINT64, 0, LIVE));
  /**
   * GstVodSink:upload-paused:
   *
   * %TRUE: no new part is sent until %FALSE again. Requests under way finish;
   * media is accepted until the buffer is full, and at EOS the upload waits.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_UPLOAD_PAUSED,
      g_param_spec_boolean ("upload-paused", "Upload paused",
          "Send no new part until FALSE again; media is accepted until "
          "max-size-bytes is used up, or into the spool",
          FALSE, LIVE));
  /**
   * GstVodSink:content-md5:
   *
   * Also send each part's MD5, as the mini-program SDK does (costs about four
   * times the CPU). The CRC64 of every part is checked either way.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_CONTENT_MD5,
      g_param_spec_boolean ("content-md5", "Content-MD5",
          "Also send each part's MD5 (about four times the CPU); the CRC64 of "
          "every part is checked either way",
          FALSE, LATCHED));
  /**
   * GstVodSink:progress-interval:
   *
   * Least time in ms between two vodsink-progress messages; 0: none are posted.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_PROGRESS_INTERVAL,
      g_param_spec_uint ("progress-interval", "Progress interval",
          "Least time in ms between two vodsink-progress messages (0 = none)",
          0, G_MAXUINT, GST_VOD_DEFAULT_PROGRESS_INTERVAL, LIVE));
}

static void
install_network (GObjectClass *klass)
{
  /**
   * GstVodSink:storage-region:
   *
   * Region to store in, e.g. ap-shanghai; "auto": the one that answers first of
   * those that the service offers. %NULL: the service, or the signature,
   * chooses.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_STORAGE_REGION,
      g_param_spec_string ("storage-region", "Storage region",
          "Region to store in, e.g. ap-shanghai, or auto = the fastest one "
          "(NULL "
          "= the service chooses)",
          NULL, LATCHED));
  /**
   * GstVodSink:endpoint:
   *
   * Base URL of the VOD API: scheme, host and optionally port.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_ENDPOINT,
      g_param_spec_string ("endpoint", "Endpoint",
          "Base URL of the VOD API: http(s)://host[:port]",
          GST_VOD_DEFAULT_ENDPOINT, LATCHED));
  /**
   * GstVodSink:backup-endpoint:
   *
   * Taken in turn with #GstVodSink:endpoint, by VOD calls and forwarded storage
   * requests alike, when the one in use does not answer; the first is tried
   * again from time to time. %NULL: https://vod2.dnsv1.com if
   * #GstVodSink:endpoint is the default, else none.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_BACKUP_ENDPOINT,
      g_param_spec_string ("backup-endpoint", "Backup endpoint",
          "Taken when endpoint cannot be reached: http(s)://host[:port] (NULL "
          "= " GST_VOD_DEFAULT_BACKUP_ENDPOINT
          " if endpoint is the default, else none)",
          NULL, LATCHED));
  /**
   * GstVodSink:forward:
   *
   * %TRUE: storage requests go through #GstVodSink:endpoint with the
   * Vod-Forward-Cos header; %FALSE: straight to the bucket's host.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_FORWARD,
      g_param_spec_boolean ("forward", "Forward",
          "Send storage requests through endpoint (FALSE = straight to the "
          "bucket's host)",
          TRUE, LATCHED));
  /**
   * GstVodSink:storage-endpoint:
   *
   * With #GstVodSink:forward %FALSE: connect there instead of the bucket's
   * host, which is still what is named and signed.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_STORAGE_ENDPOINT,
      g_param_spec_string ("storage-endpoint", "Storage endpoint",
          "With forward=false: http(s)://host[:port] to connect to instead of "
          "the bucket's host (NULL = the bucket's host)",
          NULL, LATCHED));
  /**
   * GstVodSink:timeout:
   *
   * A request that moves no byte for this many seconds has failed and is
   * tried again.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_TIMEOUT,
      g_param_spec_uint ("timeout", "Timeout",
          "Seconds without a byte moving after which a request has failed and "
          "is tried again",
          1, 3600, GST_VOD_DEFAULT_TIMEOUT, LATCHED));
  /**
   * GstVodSink:retry-duration:
   *
   * How many seconds the upload may go without one request succeeding before
   * it fails. Restarts at each success, stands still while paused or waiting
   * for a signature. 0: no retry, -1: for ever.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_RETRY_DURATION,
      g_param_spec_int ("retry-duration", "Retry duration",
          "Seconds without one request succeeding after which the upload "
          "fails (0 = no retry, -1 = retry for ever)",
          -1, G_MAXINT, GST_VOD_DEFAULT_RETRY_DURATION, LIVE));
  /**
   * GstVodSink:proxy:
   *
   * HTTP proxy as a URL, as souphttpsrc has it. %NULL: the environment's. Read
   * back without user name and password.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_PROXY,
      g_param_spec_string ("proxy", "Proxy",
          "HTTP proxy as http://[user:password@]host:port (NULL = the "
          "environment's)",
          NULL, LATCHED));
  /**
   * GstVodSink:user-agent:
   *
   * Value of the User-Agent request header.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_USER_AGENT,
      g_param_spec_string ("user-agent", "User-Agent",
          "Value of the User-Agent request header", GST_VOD_DEFAULT_USER_AGENT,
          LATCHED));
  /**
   * GstVodSink:tls-ca-file:
   *
   * PEM file of certificate authorities to trust instead of the system's.
   * There is no way to switch verification off.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_TLS_CA_FILE,
      g_param_spec_string ("tls-ca-file", "TLS CA file",
          "PEM file of certificate authorities to trust instead of the "
          "system's (NULL = the system's)",
          NULL, LATCHED));
  /**
   * GstVodSink:fatal-errors:
   *
   * %FALSE: an upload that fails, or cannot begin, posts a WARNING instead of
   * an ERROR. Buffers go on being accepted, into the spool if there is one, else
   * they are discarded, and EOS is posted when it arrives, so that one lost
   * fragment does not end a recording. #GstVodSink::cancel posts an ERROR all
   * the same.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_FATAL_ERRORS,
      g_param_spec_boolean ("fatal-errors", "Fatal errors",
          "Post an ERROR when the upload fails (FALSE = a WARNING, and take "
          "the rest of the stream into the spool, or drop it if there is none)",
          TRUE, LIVE));
}

static void
install_resume (GObjectClass *klass)
{
  /**
   * GstVodSink:resume:
   *
   * Keep a session file, and go on with an unfinished upload of the same media:
   * parts that are up and unchanged are not sent again.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_RESUME,
      g_param_spec_boolean ("resume", "Resume",
          "Keep a session file, and go on with an unfinished upload of the "
          "same media",
          TRUE, LATCHED));
  /**
   * GstVodSink:state-dir:
   *
   * Folder of session files and spools (mode 0700, files 0600); made if it is
   * missing. %NULL: $XDG_STATE_HOME/vodsink. One that cannot be used is an
   * error if this, #GstVodSink:spool or #GstVodSink:resume-key is set; else the
   * upload goes on without a session.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_STATE_DIR,
      g_param_spec_string ("state-dir", "State directory",
          "Folder of session files and spools (NULL = $XDG_STATE_HOME/vodsink)",
          NULL, LATCHED));
  /**
   * GstVodSink:resume-key:
   *
   * What the media is known by when its upload is resumed: the same key means
   * the same bytes. %NULL: that of upstream's file, if the bytes are a file's
   * own; else the media cannot be resumed, unless #GstVodSink:spool is set.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_RESUME_KEY,
      g_param_spec_string ("resume-key", "Resume key",
          "What the media is known by when its upload is resumed (NULL = "
          "upstream's file, if the bytes are its own)",
          NULL, LATCHED));
  /**
   * GstVodSink:spool:
   *
   * Keep every byte in a file below #GstVodSink:state-dir until the media is
   * committed: outlasts any outage, a crash and a loss of power, and lets
   * muxers rewrite whatever they like. vod-resume finishes what a crash left.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_SPOOL,
      g_param_spec_boolean ("spool", "Spool",
          "Keep every byte in a file below state-dir until the media is "
          "committed; vod-resume sends what a crash left",
          FALSE, LATCHED));
  /**
   * GstVodSink:keep-spool:
   *
   * Keep that file after success too, as a local copy named
   * KEY.kept-FILEID.media.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_KEEP_SPOOL,
      g_param_spec_boolean ("keep-spool", "Keep spool",
          "Keep the spool after success too, as a local copy "
          "KEY.kept-FILEID.media in state-dir",
          FALSE, LATCHED));
  /**
   * GstVodSink:discard-on-stop:
   *
   * When the upload is stopped without EOS, or fails: %FALSE keeps what is up
   * where the media can be resumed, and deletes it at the service where not;
   * %TRUE always deletes it.
   */
  g_object_class_install_property (klass, GST_VOD_PROP_DISCARD_ON_STOP,
      g_param_spec_boolean ("discard-on-stop", "Discard on stop",
          "Delete what is up when the upload is stopped without EOS, or fails "
          "(FALSE = keep it where the media can be resumed)",
          FALSE, LIVE));
}

void
gst_vod_settings_install (GObjectClass *klass)
{
  install_media (klass);
  install_cover (klass);
  install_reports (klass);
  install_signature (klass);
  install_transfer (klass);
  install_network (klass);
  install_resume (klass);
}
