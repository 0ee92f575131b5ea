/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "player.h"

#include <glib-unix.h>
#include <stdio.h>

static void
end (Player *player, gint code)
{
  player->code = code;
  g_main_loop_quit (player->loop);
}

static gboolean
on_bus (GstBus *bus, GstMessage *message, gpointer data)
{
  Player *player = data;

  player->on_message (message, player->data);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    end (player, 1);
  else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS)
    end (player, 0);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_interrupt (gpointer data)
{
  Player *player = data;

  gst_element_send_event (player->pipeline, gst_event_new_eos ());
  return G_SOURCE_CONTINUE;
}

static gboolean
on_terminate (gpointer data)
{
  end (data, 2);
  return G_SOURCE_CONTINUE;
}

gboolean
player_init (Player *player, const GOptionEntry *entries, int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new ("PIPELINE");
  g_autoptr (GError) error = NULL;

  *player = (Player){0};
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc != 2 ||
      (player->pipeline = gst_parse_launch (argv[1], &error)) == NULL ||
      error) {
    g_printerr ("%s: %s\n", g_get_prgname (),
        error ? error->message : "one pipeline, please");
    return FALSE;
  }
  setvbuf (stdout, NULL, _IOLBF, 0);
  player->loop = g_main_loop_new (NULL, FALSE);
  return TRUE;
}

void
player_run (Player *player,
    void (*on_message) (GstMessage *message, gpointer data), gpointer data)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (player->pipeline);
  guint ids[] = {
      gst_bus_add_watch (bus, on_bus, player),
      g_unix_signal_add (SIGINT, on_interrupt, player),
      g_unix_signal_add (SIGTERM, on_terminate, player),
  };

  player->on_message = on_message;
  player->data = data;
  gst_element_set_state (player->pipeline, GST_STATE_PLAYING);
  g_main_loop_run (player->loop);
  for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
    g_source_remove (ids[i]);
}

void
player_clear (Player *player)
{
  gst_clear_object (&player->pipeline);
  g_clear_pointer (&player->loop, g_main_loop_unref);
}
