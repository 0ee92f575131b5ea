/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vodbudget: how many workers all uploads of this process have together.
 *
 * One worker (and one more for its spool) is every upload's own; each further
 * one takes a slot of the budget. When there is none left, the upload gets in
 * line; a slot that comes back goes to who has the fewest of those in line, and
 * among them to who came first. Who has two more than somebody in line gives one
 * up between two requests, so that nobody starves and nothing goes to and fro.
 *
 * The budget's lock is the last one: functions here may be called with the
 * upload's lock and take no other, but for vod_shares_wake() and
 * vod_share_clear(), which are called without any.
 */
#pragma once

#include <glib.h>
#include <stdatomic.h>

G_BEGIN_DECLS

#define VOD_BUDGET 64 /* slots */

typedef enum {
  VOD_SHARE_CONTENT, /* asks for nothing */
  VOD_SHARE_IN_LINE,
  VOD_SHARE_GRANTED, /* got one, but was not woken yet */
} VodSharePlace;

/* What one upload has of it. The budget's lock guards it; @held can be read
 * without. */
typedef struct {
  void (*wake) (gpointer data);
  gpointer data;
  _Atomic guint held; /* slots */
  VodSharePlace place;
  guint waking; /* calls of @wake under way */
  GList link;   /* in a queue, unless content */
} VodShare;

/* @wake (@data) is called from any thread, without locks, when @share has got a
 * slot that it was in line for; it may not be needed any more. */
void
vod_share_init (VodShare *share, void (*wake) (gpointer data), gpointer data);

/* Gives back what it has, and gets out of the line. After this @wake is not
 * running, nor called. Without any lock. */
void vod_share_clear (VodShare *share);

/* One slot more. FALSE: none is left; @share is in line, or about to be woken for
 * one that it has got already. */
gboolean vod_share_take (VodShare *share);

/* Gets out of the line, if it is there. */
void vod_share_forget (VodShare *share);

/* Gives @n slots back. vod_shares_wake() has to follow soon. */
void vod_share_give (VodShare *share, guint n);

/* Wakes those who have got one. Without any lock. */
void vod_shares_wake (void);

/* Is there somebody in line who has so much less that @share should give one
 * up? */
gboolean vod_share_is_rich (VodShare *share);

/* Is anybody in line? Then a slot should not lie idle. */
gboolean vod_budget_is_scarce (void);

/* Slots that are left. */
guint vod_budget_left (void);

G_END_DECLS
