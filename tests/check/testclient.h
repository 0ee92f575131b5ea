/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * testclient: requests as the tests make them.
 */
#pragma once

#include <string.h>

#include "voderror.h"
#include "vodhttp.h"

#define MIB (1024 * 1024)

/* A macro, so that the call is made before its error is looked at. */
#define test_expect_failure(call, error, expected)                             \
  G_STMT_START                                                                 \
  {                                                                            \
    gboolean ok_ = (call);                                                     \
                                                                               \
    g_assert_false (ok_);                                                      \
    g_assert_error (error, VOD_ERROR, expected);                               \
    g_test_message ("%s", (error)->message);                                   \
    g_assert_null (strstr ((error)->message, "secret"));                       \
  }                                                                            \
  G_STMT_END

/* VOD_TEST_INDIRECT is set: libsoup is to write every body, as in another run of
 * the same tests (vodhttpdirect). */
gboolean test_indirect (void);

/* The most bytes that were asked of test_body() at once, since the last call:
 * more than libsoup ever asks for, if they were written past it. */
gsize test_body_largest_piece (void);

/* @timeout in seconds; no proxy, the system's authorities. */
VodHttp *test_http_open (guint timeout);

/* A body of @length bytes, each a function of its place. */
VodHttpBody test_body (guint64 length);
/* Whether @bytes are that body. */
gboolean test_body_is (GBytes *bytes, guint64 length);

/* PUT of test_body (@length) to @base + "/k", may be sent again. */
gboolean test_put (VodHttp *http, const gchar *base, guint64 length,
    GCancellable *cancellable, VodHttpAnswer *answer, GError **error);

/* GET of @base + "/", with at most 1 MiB of answer. */
gboolean test_get (
    VodHttp *http, const gchar *base, VodHttpAnswer *answer, GError **error);

gchar *test_answer_text (const VodHttpAnswer *answer);

/* Cancels after @ms, in a thread of its own; test_canceller_free() returns how
 * long ago, in ms (teststopwatch.h), that was. */
typedef struct _TestCanceller TestCanceller;
TestCanceller *test_canceller_new (GCancellable *cancellable, guint ms);
gint64 test_canceller_free (TestCanceller *canceller);
