/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vodbudget.h"

static GMutex lock; /* what follows, and every VodShare */
static guint taken;
static GQueue in_line = G_QUEUE_INIT; /* of VodShare, who came first first */
static GQueue granted = G_QUEUE_INIT; /* of VodShare, to be woken */
static GCond woken;

void
vod_share_init (VodShare *share, void (*wake) (gpointer data), gpointer data)
{
  *share = (VodShare){.wake = wake, .data = data, .link = {.data = share}};
}

static void
leave_queue (VodShare *share)
{
  if (share->place == VOD_SHARE_IN_LINE)
    g_queue_unlink (&in_line, &share->link);
  else if (share->place == VOD_SHARE_GRANTED)
    g_queue_unlink (&granted, &share->link);
  share->place = VOD_SHARE_CONTENT;
}

/* Who of those in line has the fewest, and came first; NULL: nobody is. */
static VodShare *
find_poorest (void)
{
  VodShare *poorest = NULL;

  for (GList *l = in_line.head; l; l = l->next) {
    VodShare *share = l->data;

    if (poorest == NULL || share->held < poorest->held)
      poorest = share;
  }
  return poorest;
}

static void
give_one (VodShare *share)
{
  VodShare *next = find_poorest ();

  share->held--;
  if (next == NULL) {
    taken--;
    return;
  }
  leave_queue (next);
  next->held++;
  next->place = VOD_SHARE_GRANTED;
  g_queue_push_tail_link (&granted, &next->link);
}

gboolean
vod_share_take (VodShare *share)
{
  gboolean free;

  g_mutex_lock (&lock);
  free = taken < VOD_BUDGET;
  if (free) {
    taken++;
    share->held++;
  } else if (share->place == VOD_SHARE_CONTENT) {
    share->place = VOD_SHARE_IN_LINE;
    g_queue_push_tail_link (&in_line, &share->link);
  }
  g_mutex_unlock (&lock);
  return free;
}

void
vod_share_forget (VodShare *share)
{
  g_mutex_lock (&lock);
  if (share->place == VOD_SHARE_IN_LINE)
    leave_queue (share);
  g_mutex_unlock (&lock);
}

void
vod_share_give (VodShare *share, guint n)
{
  g_mutex_lock (&lock);
  for (; n > 0 && share->held > 0; n--)
    give_one (share);
  g_mutex_unlock (&lock);
}

void
vod_share_clear (VodShare *share)
{
  g_mutex_lock (&lock);
  leave_queue (share);
  while (share->waking > 0)
    g_cond_wait (&woken, &lock);
  leave_queue (share);
  while (share->held > 0)
    give_one (share);
  g_mutex_unlock (&lock);
  vod_shares_wake ();
}

void
vod_shares_wake (void)
{
  GList *link;

  g_mutex_lock (&lock);
  while ((link = granted.head)) {
    VodShare *share = link->data;

    leave_queue (share);
    share->waking++;
    g_mutex_unlock (&lock);
    share->wake (share->data);
    g_mutex_lock (&lock);
    share->waking--;
    g_cond_broadcast (&woken);
  }
  g_mutex_unlock (&lock);
}

gboolean
vod_share_is_rich (VodShare *share)
{
  const VodShare *poorest;
  gboolean rich;

  g_mutex_lock (&lock);
  poorest = find_poorest ();
  rich = poorest && poorest->held + 2 <= share->held;
  g_mutex_unlock (&lock);
  return rich;
}

gboolean
vod_budget_is_scarce (void)
{
  gboolean scarce;

  g_mutex_lock (&lock);
  scarce = in_line.head != NULL;
  g_mutex_unlock (&lock);
  return scarce;
}

guint
vod_budget_left (void)
{
  guint left;

  g_mutex_lock (&lock);
  left = VOD_BUDGET - taken;
  g_mutex_unlock (&lock);
  return left;
}
