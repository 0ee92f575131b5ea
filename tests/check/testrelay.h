/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * testrelay: another way to a server, which can be closed and opened again: two
 * addresses of one service.
 */
#pragma once

#include "testserver.h"

typedef struct _TestRelay TestRelay;

typedef enum {
  TEST_RELAY_OPEN,
  TEST_RELAY_CUT,    /* connections are closed, also those there were */
  TEST_RELAY_SILENT, /* they stay, but nothing comes through meanwhile */
} TestRelayMode;

/* To @uri ("http://127.0.0.1:PORT"). */
TestRelay *test_relay_new (const gchar *uri, TestRelayMode mode);
void test_relay_free (TestRelay *relay);
const gchar *test_relay_uri (TestRelay *relay);
void test_relay_set_mode (TestRelay *relay, TestRelayMode mode);
/* How many connections were accepted. */
guint test_relay_accepted (TestRelay *relay);
/* Bytes that went to the server. */
guint64 test_relay_bytes (TestRelay *relay);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TestRelay, test_relay_free)
