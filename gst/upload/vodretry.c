/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodretry.h"

#include <string.h>

#define FIRST_DELAY 250          /* ms */
#define LARGEST_DELAY 15000      /* ms */
#define LONGEST_WISH (5 * 60000) /* ms: Retry-After beyond is not believed */
#define TRIES_OF_UNKNOWN_CODE 4

/* Answers of the VOD API (protocol.md 1.6). */
static VodRetry
classify_service (const GError *error, gint64 number, guint failures)
{
  switch (number) {
    case 10001: /* invalid request */
    case 10004: /* invalid signature */
      return VOD_RETRY_FINAL;
    case 10010: /* signature expired */
      return VOD_RETRY_SIGNATURE;
    default:
      break;
  }
  /* "duplicate vod signature": oneTimeValid, used before; its number is not
   * known. */
  if (strstr (error->message, "duplicate") &&
      strstr (error->message, "signature"))
    return VOD_RETRY_SIGNATURE;
  return failures < TRIES_OF_UNKNOWN_CODE ? VOD_RETRY_AGAIN : VOD_RETRY_FINAL;
}

/* Codes of the storage (protocol.md 5.3). */
static const struct {
  const gchar *code;
  VodRetry verdict;
} storage_codes[] = {
    /* clang-format off */
  {"ExpiredToken", VOD_RETRY_CREDENTIALS},
  {"RequestHasExpired", VOD_RETRY_CREDENTIALS},
  {"RequestTimeTooSkewed", VOD_RETRY_CREDENTIALS},
  {"NoSuchUpload", VOD_RETRY_LOOK},
  {"AccessDenied", VOD_RETRY_FINAL},
  {"InvalidAccessKeyId", VOD_RETRY_FINAL},
  {"SignatureDoesNotMatch", VOD_RETRY_FINAL},
  {"EntityTooLarge", VOD_RETRY_FINAL},
  {"EntityTooSmall", VOD_RETRY_FINAL},
  {"InvalidPart", VOD_RETRY_FINAL},
  {"InvalidPartOrder", VOD_RETRY_FINAL},
  {"MalformedXML", VOD_RETRY_FINAL},
  /* What came over the line differs from what was sent. */
  {"BadDigest", VOD_RETRY_AGAIN},
  {"EntitySizeNotMatch", VOD_RETRY_AGAIN},
  {"IncompleteBody", VOD_RETRY_AGAIN},
  {"MissingContentLength", VOD_RETRY_AGAIN},
  {"RequestTimeout", VOD_RETRY_AGAIN},
  {"UserNetworkTooSlow", VOD_RETRY_AGAIN},
  {"InternalError", VOD_RETRY_AGAIN},
  {"ServiceUnavailable", VOD_RETRY_AGAIN},
  {"SlowDown", VOD_RETRY_AGAIN},
    /* clang-format on */
};

static VodRetry
classify_status (guint status)
{
  return status >= 500 || status == 408 || status == 425 || status == 429
      ? VOD_RETRY_AGAIN
      : VOD_RETRY_FINAL;
}

static VodRetry
classify_storage (const VodErrorDetails *details)
{
  for (guint i = 0; i < G_N_ELEMENTS (storage_codes); i++) {
    if (g_strcmp0 (details->error_code, storage_codes[i].code) == 0)
      return storage_codes[i].verdict;
  }
  /* Complete says 200 before it has begun to work; what it could not do then is
   * the service's trouble (protocol.md 5.2). */
  if (details->http_status < 300)
    return VOD_RETRY_AGAIN;
  return classify_status (details->http_status);
}

VodRetry
vod_retry_classify (GError *error, guint failures)
{
  const VodErrorDetails *details = vod_error_details (error);

  if (details == NULL)
    return VOD_RETRY_FINAL;

  switch ((VodErrorCode)error->code) {
    case VOD_ERROR_NETWORK:
    case VOD_ERROR_PROTOCOL:
      return VOD_RETRY_AGAIN;
    case VOD_ERROR_INTEGRITY:
      /* A part can go again; a completed object's parts are gone. */
      return details->phase == VOD_PHASE_COMPLETE ? VOD_RETRY_FINAL
                                                  : VOD_RETRY_AGAIN;
    case VOD_ERROR_HTTP:
      return classify_status (details->http_status);
    case VOD_ERROR_SERVICE:
      return classify_service (error, details->number, failures);
    case VOD_ERROR_STORAGE:
      return classify_storage (details);
    case VOD_ERROR_PARAMETER:
    case VOD_ERROR_TLS:
    case VOD_ERROR_CANCELLED:
    case VOD_ERROR_SIGNATURE:
    case VOD_ERROR_SEEK:
    case VOD_ERROR_LIMIT:
    case VOD_ERROR_READ:
    case VOD_ERROR_MEDIA_TYPE:
    case VOD_ERROR_LOCAL:
    case VOD_ERROR_NO_SPACE:
    case VOD_ERROR_BUSY:
      break;
  }
  return VOD_RETRY_FINAL;
}

guint
vod_retry_delay (guint failures, gint64 retry_after, guint32 random)
{
  guint doublings = MIN (MAX (failures, 1) - 1, 16);
  guint64 delay = MIN (FIRST_DELAY << doublings, LARGEST_DELAY);

  delay = delay / 2 + delay / 2 * random / G_MAXUINT32;
  return MAX (delay, (guint64)CLAMP (retry_after, 0, LONGEST_WISH));
}

gint64
vod_retry_left (
    gint64 now, gint64 failing_since, gint64 held, gint retry_duration)
{
  gint64 spent = now - failing_since - held;

  if (retry_duration < 0)
    return G_MAXINT64;
  return MAX ((gint64)retry_duration * G_USEC_PER_SEC - spent, 0);
}
