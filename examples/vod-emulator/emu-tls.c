/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Throw-away certificates. The authority's key never leaves this function's
 * memory, so nothing but this run's server can be signed with it.
 */
#include "emu-tls.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define LIFETIME (30 * 86400)

/* Each bucket's second name is where clients turn if the first is not there. */
static const char names[] =
    "IP:127.0.0.1,IP:::1,DNS:localhost,DNS:*.myqcloud.com,"
    "DNS:*.cos.ap-chongqing.myqcloud.com,DNS:*.cos.ap-chongqing.tencentcos.cn,"
    "DNS:*.cos.ap-guangzhou.myqcloud.com,DNS:*.cos.ap-guangzhou.tencentcos.cn,"
    "DNS:*.cos.ap-shanghai.myqcloud.com,DNS:*.cos.ap-shanghai.tencentcos.cn,"
    "DNS:*.cos.ap-beijing.myqcloud.com,DNS:*.cos.ap-beijing.tencentcos.cn,"
    "DNS:*.cos.ap-singapore.myqcloud.com,DNS:*.cos.ap-singapore.tencentcos.cn,"
    "DNS:vod2.qcloud.com,DNS:vod2.dnsv1.com,DNS:vodreport.qcloud.com";

static gboolean
add_extension (X509 *certificate, X509 *issuer, int nid, const char *value)
{
  X509V3_CTX context;
  X509_EXTENSION *extension;
  gboolean ok;

  X509V3_set_ctx_nodb (&context);
  X509V3_set_ctx (&context, issuer, certificate, NULL, NULL, 0);
  extension = X509V3_EXT_conf_nid (NULL, &context, nid, value);
  ok = extension != NULL && X509_add_ext (certificate, extension, -1);
  X509_EXTENSION_free (extension);
  return ok;
}

static gboolean
set_serial (X509 *certificate)
{
  guint64 serial = 0;

  return RAND_bytes ((guint8 *)&serial, sizeof serial) == 1 &&
      ASN1_INTEGER_set_uint64 (
          X509_get_serialNumber (certificate), serial >> 1);
}

/* @issuer NULL: signs itself. */
static X509 *
make_certificate (
    EVP_PKEY *key, const char *common_name, X509 *issuer, EVP_PKEY *issuer_key)
{
  X509 *certificate = X509_new ();
  X509_NAME *name = X509_get_subject_name (certificate);
  gboolean ok = X509_set_version (certificate, 2) && set_serial (certificate);

  ok = ok && X509_gmtime_adj (X509_getm_notBefore (certificate), -86400) &&
      X509_gmtime_adj (X509_getm_notAfter (certificate), LIFETIME) &&
      X509_set_pubkey (certificate, key) &&
      X509_NAME_add_entry_by_txt (
          name, "CN", MBSTRING_UTF8, (const guint8 *)common_name, -1, -1, 0) &&
      X509_set_issuer_name (certificate,
          X509_get_subject_name (issuer != NULL ? issuer : certificate));
  if (issuer == NULL) {
    issuer = certificate;
    ok = ok &&
        add_extension (certificate, issuer, NID_basic_constraints,
            "critical,CA:TRUE,pathlen:0") &&
        add_extension (
            certificate, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
  } else {
    ok = ok &&
        add_extension (
            certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension (
            certificate, issuer, NID_key_usage, "critical,digitalSignature") &&
        add_extension (certificate, issuer, NID_ext_key_usage, "serverAuth") &&
        add_extension (certificate, issuer, NID_subject_alt_name, names);
  }
  ok = ok &&
      add_extension (certificate, issuer, NID_subject_key_identifier, "hash") &&
      add_extension (
          certificate, issuer, NID_authority_key_identifier, "keyid") &&
      X509_sign (certificate, issuer_key, EVP_sha256 ()) > 0;
  if (!ok)
    g_clear_pointer (&certificate, X509_free);
  return certificate;
}

/* @key NULL: the certificate alone. */
static char *
to_pem (X509 *certificate, EVP_PKEY *key)
{
  BIO *bio = BIO_new (BIO_s_mem ());
  char *data, *text;
  long len;

  PEM_write_bio_X509 (bio, certificate);
  if (key != NULL)
    PEM_write_bio_PrivateKey (bio, key, NULL, NULL, 0, NULL, NULL);
  len = BIO_get_mem_data (bio, &data);
  text = g_strndup (data, (gsize)len);
  BIO_free (bio);
  return text;
}

static gboolean
write_file (const char *root, const char *name, const char *text, int mode,
    GError **error)
{
  g_autofree char *path = g_build_filename (root, name, NULL);

  return g_file_set_contents_full (
      path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, mode, error);
}

static GTlsCertificate *
store (const char *root, X509 *authority, X509 *server, EVP_PKEY *key,
    GError **error)
{
  g_autofree char *ca_pem = to_pem (authority, NULL);
  g_autofree char *server_pem = to_pem (server, key);

  if (!write_file (root, "ca.pem", ca_pem, 0644, error) ||
      !write_file (root, "server.pem", server_pem, 0600, error))
    return NULL;
  return g_tls_certificate_new_from_pem (server_pem, -1, error);
}

GTlsCertificate *
emu_tls_make (const char *root, GError **error)
{
  EVP_PKEY *ca_key = EVP_EC_gen ("P-256");
  EVP_PKEY *key = EVP_EC_gen ("P-256");
  X509 *authority = NULL, *server = NULL;
  GTlsCertificate *result = NULL;

  if (ca_key != NULL && key != NULL)
    authority = make_certificate (
        ca_key, "vod-emulator throw-away authority", NULL, ca_key);
  if (authority != NULL)
    server = make_certificate (key, "vod-emulator", authority, ca_key);
  if (server != NULL)
    result = store (root, authority, server, key, error);
  else
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_FAILED,
        "OpenSSL cannot make a certificate");
  X509_free (server);
  X509_free (authority);
  EVP_PKEY_free (key);
  EVP_PKEY_free (ca_key);
  return result;
}
