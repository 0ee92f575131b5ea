/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * testcerts: an authority of the test's own, and certificates signed by it.
 */
#pragma once

#include <gio/gio.h>

typedef struct {
  gchar *directory;
  gchar *ca_file; /* PEM */
  gpointer key;   /* EVP_PKEY */
  gpointer ca;    /* X509 */
} TestCerts;

TestCerts *test_certs_new (void);
void test_certs_free (TestCerts *certs);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TestCerts, test_certs_free)

/* A server's certificate with its key. @names: "IP:127.0.0.1,DNS:localhost".
 * @seconds: how long it is valid; negative: it ended that long ago. */
GTlsCertificate *
test_certs_issue (TestCerts *certs, const gchar *names, gint seconds);
