/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "gstvodadvice.h"

#include <string.h>

static const gchar *
advice_of_service (const VodErrorDetails *details)
{
  switch (details->number) {
    case 10001:
      return "a field of the signature is not as it must be: look at what "
             "makes "
             "it";
    case 10004:
      return "sign with the key that belongs to the secret id, and set the "
             "signer's clock";
    case 10010:
      return "the signature has expired: give a fresh one, and set the "
             "signer's "
             "clock";
    default:
      return "look the code up in the service's documentation; its support can "
             "find the request by its id";
  }
}

static const gchar *
advice_of_storage (const VodErrorDetails *details)
{
  static const gchar *const denied[] = {"AccessDenied", "AccessForbidden",
      "SignatureDoesNotMatch", "InvalidAccessKeyId", NULL};

  if (details->error_code && g_strv_contains (denied, details->error_code))
    return "a proxy may change requests on their way, or storage-endpoint may "
           "not be this bucket's";
  return "look the code up in the storage's documentation; its support can "
         "find "
         "the request by its id";
}

/* Those of TLS name what they want where it is not this. */
static const gchar *
advice_of_tls (const GError *error)
{
  if (strstr (error->message, "tls-ca-file") ||
      strstr (error->message, "apt-get"))
    return NULL;
  return "look at that server's certificate and at this machine's clock";
}

static const gchar *
advice_of_network (const VodErrorDetails *details)
{
  /* Its tries are few, whatever retry-duration says; the media is there. */
  if (details->phase == VOD_PHASE_COVER)
    return NULL;
  if (details->phase == VOD_PHASE_SIGNATURE)
    return "look at who answers signature-url, or set retry-duration higher";
  return "look at the network and at proxy, or set retry-duration higher (-1 = "
         "for ever)";
}

const gchar *
gst_vod_advice (GError *error)
{
  const VodErrorDetails *details = vod_error_details (error);

  if (details == NULL || details->phase == VOD_PHASE_REPORT)
    return NULL;
  switch ((VodErrorCode)error->code) {
    case VOD_ERROR_NETWORK:
      return advice_of_network (details);
    case VOD_ERROR_TLS:
      return advice_of_tls (error);
    case VOD_ERROR_HTTP:
      if (details->phase == VOD_PHASE_SIGNATURE)
        return "look at the log of who answers it; signature-headers tells it "
               "who asks";
      return "look whether it is the service that answers, not a proxy or a "
             "firewall, and try again later";
    case VOD_ERROR_SERVICE:
      return details->phase == VOD_PHASE_SIGNATURE
          ? NULL
          : advice_of_service (details);
    case VOD_ERROR_STORAGE:
      return advice_of_storage (details);
    case VOD_ERROR_PROTOCOL:
      return "look whether it is the service that answers, not a proxy or a "
             "firewall";
    case VOD_ERROR_INTEGRITY:
      return "something changes bytes, on the way or in this machine: look at "
             "proxies and memory, and upload it again";
    case VOD_ERROR_SIGNATURE:
    case VOD_ERROR_CANCELLED:
    case VOD_ERROR_PARAMETER:
    case VOD_ERROR_MEDIA_TYPE:
    case VOD_ERROR_SEEK:
    case VOD_ERROR_LIMIT:
    case VOD_ERROR_READ:
    case VOD_ERROR_LOCAL:
    case VOD_ERROR_NO_SPACE:
    case VOD_ERROR_BUSY:
      break;
  }
  return NULL;
}

GError *
gst_vod_advise (GError *error)
{
  GError *advised = g_error_copy (error);
  const gchar *advice = gst_vod_advice (error);

  if (advice) {
    g_free (advised->message);
    advised->message = g_strdup_printf ("%s; %s", error->message, advice);
  }
  return advised;
}
