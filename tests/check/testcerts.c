/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * testcerts: see testcerts.h.
 */
#include "testcerts.h"

#include <glib/gstdio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static void
add_extension (X509 *cert, gint nid, const gchar *value)
{
  X509_EXTENSION *extension = X509V3_EXT_conf_nid (NULL, NULL, nid, value);

  g_assert_nonnull (extension);
  g_assert_true (X509_add_ext (cert, extension, -1));
  X509_EXTENSION_free (extension);
}

static X509 *
create (TestCerts *certs, const gchar *name, gint from, gint to)
{
  static gint serial = 1;
  X509 *cert = X509_new ();
  X509_NAME *subject;

  X509_set_version (cert, 2);
  ASN1_INTEGER_set (X509_get_serialNumber (cert), serial++);
  X509_gmtime_adj (X509_getm_notBefore (cert), from);
  X509_gmtime_adj (X509_getm_notAfter (cert), to);
  X509_set_pubkey (cert, certs->key);
  subject = X509_get_subject_name (cert);
  X509_NAME_add_entry_by_txt (
      subject, "CN", MBSTRING_ASC, (const guchar *)name, -1, -1, 0);
  X509_set_issuer_name (
      cert, certs->ca ? X509_get_subject_name (certs->ca) : subject);
  return cert;
}

static gchar *
to_pem (X509 *cert, EVP_PKEY *key)
{
  BIO *bio = BIO_new (BIO_s_mem ());
  gchar *data, *text;
  glong len;

  PEM_write_bio_X509 (bio, cert);
  if (key)
    PEM_write_bio_PKCS8PrivateKey (bio, key, NULL, NULL, 0, NULL, NULL);
  len = BIO_get_mem_data (bio, &data);
  text = g_strndup (data, (gsize)len);
  BIO_free (bio);
  return text;
}

TestCerts *
test_certs_new (void)
{
  TestCerts *certs = g_new0 (TestCerts, 1);
  g_autofree gchar *pem = NULL;
  X509 *ca;

  certs->directory = g_dir_make_tmp ("vodtest-XXXXXX", NULL);
  certs->ca_file = g_build_filename (certs->directory, "ca.pem", NULL);
  certs->key = EVP_EC_gen ("P-256");
  ca = create (certs, "vodtest authority", -3600, 3600);
  add_extension (ca, NID_basic_constraints, "critical,CA:TRUE");
  add_extension (ca, NID_key_usage, "critical,keyCertSign,cRLSign");
  X509_sign (ca, certs->key, EVP_sha256 ());
  certs->ca = ca;
  pem = to_pem (ca, NULL);
  g_assert_true (g_file_set_contents (certs->ca_file, pem, -1, NULL));
  return certs;
}

void
test_certs_free (TestCerts *certs)
{
  g_remove (certs->ca_file);
  g_rmdir (certs->directory);
  X509_free (certs->ca);
  EVP_PKEY_free (certs->key);
  g_free (certs->ca_file);
  g_free (certs->directory);
  g_free (certs);
}

GTlsCertificate *
test_certs_issue (TestCerts *certs, const gchar *names, gint seconds)
{
  X509 *cert = seconds > 0 ? create (certs, "vodtest server", -60, seconds)
                           : create (certs, "vodtest server", -3600, seconds);
  g_autofree gchar *pem = NULL;
  g_autoptr (GError) error = NULL;
  GTlsCertificate *result;

  add_extension (cert, NID_subject_alt_name, names);
  add_extension (cert, NID_ext_key_usage, "serverAuth");
  X509_sign (cert, certs->key, EVP_sha256 ());
  pem = to_pem (cert, certs->key);
  X509_free (cert);
  result = g_tls_certificate_new_from_pem (pem, -1, &error);
  g_assert_no_error (error);
  return result;
}
