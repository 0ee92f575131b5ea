/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * player: the pipeline of a program, from its command line to its exit code.
 *
 * SIGINT sends EOS; SIGTERM ends at once. One thread: that of main().
 */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct {
  GstElement *pipeline;
  GMainLoop *loop;
  gint code; /* 0 after EOS, 1 after an error, 2 when it was stopped */
  void (*on_message) (GstMessage *message, gpointer data);
  gpointer data;
} Player;

/* Parses the command line: @entries, and one pipeline. FALSE when it is no good,
 * which was said on standard error. */
gboolean player_init (
    Player *player, const GOptionEntry *entries, int argc, char **argv);
/* Plays to the end, whichever it is; @on_message gets each message of the bus.
 * Leaves the pipeline playing: the caller sets NULL. */
void player_run (Player *player,
    void (*on_message) (GstMessage *message, gpointer data), gpointer data);
void player_clear (Player *player);

G_END_DECLS
