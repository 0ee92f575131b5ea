/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * testvectors: the golden vectors of tests/vectors.
 */
#pragma once

#include <json-glib/json-glib.h>

/* The root of @file; aborts the test if it cannot be read. */
JsonNode *test_vectors_load (const gchar *directory, const gchar *file);

/* A string member that must be there. */
const gchar *test_vectors_string (JsonObject *object, const gchar *name);
