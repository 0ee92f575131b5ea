/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "emu-codes.h"

#include <string.h>

guint
emu_codes_status (const char *code)
{
  static const struct {
    guint status;
    const char *codes[8];
  } known[] = {
      {403,
          {"AccessDenied", "AccessForbidden", "InvalidAccessKeyId",
              "RequestTimeTooSkewed", "SignatureDoesNotMatch"}},
      {404, {"NoSuchBucket", "NoSuchKey", "NoSuchUpload"}},
      {405, {"MethodNotAllowed"}},
      {409, {"PathConflict"}},
      {411, {"MissingContentLength"}},
      {451, {"UnavailableForLegalReasons"}},
      {500, {"InternalError"}},
      {503, {"ServiceUnavailable", "SlowDown"}},
  };

  for (guint i = 0; i < G_N_ELEMENTS (known); i++)
    if (g_strv_contains (known[i].codes, code))
      return known[i].status;
  return 400;
}

const char *
emu_codes_of_status (guint status)
{
  switch (status) {
    case 400:
      return "InvalidArgument";
    case 403:
      return "AccessDenied";
    case 404:
      return "NoSuchKey";
    case 405:
      return "MethodNotAllowed";
    case 409:
      return "PathConflict";
    case 411:
      return "MissingContentLength";
    case 503:
      return "SlowDown";
    default:
      return "InternalError";
  }
}

const char *
emu_codes_message (const char *code)
{
  static const char *const messages[][2] = {
      {"AccessDenied", "Access Denied."},
      {"BadDigest",
          "The Content-MD5 you specified did not match what we "
          "received."},
      {"EntityTooLarge",
          "Your proposed upload exceeds the maximum allowed object size."},
      {"EntityTooSmall",
          "Your proposed upload is smaller than the minimum allowed size."},
      {"ExpiredToken", "The temporary key token has expired."},
      {"InternalError", "We encountered an internal error. Please try again."},
      {"InvalidAccessKeyId",
          "The Access Key Id you provided does not exist in our records."},
      {"InvalidDigest", "The Content-MD5 you specified is not valid."},
      {"InvalidPart", "One or more parts are missing."},
      {"InvalidPartOrder", "The list of parts was not in ascending order."},
      {"MalformedXML", "The XML you provided was not well-formed."},
      {"NoSuchKey", "The specified key does not exist."},
      {"NoSuchUpload", "The specified multipart upload does not exist."},
      {"RequestTimeTooSkewed",
          "The difference between the request time and "
          "the server's time is too large."},
      {"SignatureDoesNotMatch", "The Signature you specified is invalid."},
      {"SlowDown", "Reduce your request rate."},
  };

  for (guint i = 0; i < G_N_ELEMENTS (messages); i++)
    if (strcmp (messages[i][0], code) == 0)
      return messages[i][1];
  return code;
}

const char *
emu_codes_vod_message (gint64 code)
{
  switch (code) {
    case 10001:
      return "ugc upload | invalid request";
    case 10004:
      return "ugc upload | invalid signature";
    case 10010:
      return "ugc upload | signature expired";
    case 10011:
      return "ugc upload | duplicate vod signature";
    default:
      return "ugc upload | error";
  }
}
