/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * testserver: servers that live in the test's own process, on loopback, each
 * with threads of its own.
 *
 * TestRaw speaks no protocol: a handler per connection reads and writes bytes,
 * and so can do what no proper server would. TestSoup answers properly with what
 * it was given, and remembers what was asked.
 */
#pragma once

#include <gio/gio.h>

/* --- bytes --- */

typedef struct _TestRaw TestRaw;

/* One connection, number @n from 0. Runs in a thread of its own; the connection
 * is closed when it returns. */
typedef void (*TestRawHandler) (
    TestRaw *raw, GIOStream *stream, guint n, gpointer data);

TestRaw *test_raw_new (TestRawHandler handler, gpointer data);
/* Closes every connection and waits for all threads. */
void test_raw_free (TestRaw *raw);
guint16 test_raw_port (TestRaw *raw);
/* "http://127.0.0.1:PORT" */
const gchar *test_raw_uri (TestRaw *raw);
/* How many connections were accepted. */
guint test_raw_accepted (TestRaw *raw);
/* Whether test_raw_free() waits: long loops and sleeps look at it. */
gboolean test_raw_stopping (TestRaw *raw);
/* Sleeps up to @ms or until stopping. */
void test_raw_wait (TestRaw *raw, guint ms);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TestRaw, test_raw_free)

/* Reads up to the blank line. NULL at the end of the connection. */
gchar *test_raw_read_head (GIOStream *stream);
/* Value of a header in @head, or NULL. */
gchar *test_raw_header (const gchar *head, const gchar *name);
/* Reads exactly @len bytes, or returns NULL. */
GBytes *test_raw_read_bytes (GIOStream *stream, gsize len);
/* Reads a head and the body that its Content-Length announces. */
gboolean test_raw_read_request (GIOStream *stream, gchar **head, GBytes **body);
gboolean test_raw_write (GIOStream *stream, const gchar *text);
/* Closes with RST. */
void test_raw_reset (GIOStream *stream);

/* --- HTTP --- */

typedef struct {
  gchar *method;
  gchar *target;       /* path and query as on the wire */
  GHashTable *headers; /* lower-case name -> value */
  GBytes *body;
  guint connection; /* which one it came on, by number */
} TestRequest;

typedef struct _TestSoup TestSoup;

TestSoup *test_soup_new (void);
void test_soup_free (TestSoup *soup);
const gchar *test_soup_uri (TestSoup *soup);

/* The next answer, after those that wait already. @headers: name, value, …,
 * NULL, or NULL. Without any left, a request is answered 500. */
void test_soup_answer (TestSoup *soup, guint status,
    const gchar *const *headers, const gchar *body);

/* Request number @n from 0; it must have come. Belongs to @soup. */
const TestRequest *test_soup_request (TestSoup *soup, guint n);
guint test_soup_n_requests (TestSoup *soup);
const gchar *
test_request_header (const TestRequest *request, const gchar *name);
gchar *test_request_text (const TestRequest *request);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TestSoup, test_soup_free)
