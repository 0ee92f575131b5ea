/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vod-send: uploads one recording, and tells how that goes.
 */
#pragma once

#include "vod-settings.h"

G_BEGIN_DECLS

typedef enum {
  VOD_SEND_DONE,
  VOD_SEND_FAILED,      /* said why */
  VOD_SEND_BUSY,        /* somebody else has it meanwhile */
  VOD_SEND_INTERRUPTED, /* by SIGINT or SIGTERM; what is up stays up */
} VodSendResult;

/* @recording is complete, or may be taken for it. Blocks; runs the default main
 * context. */
VodSendResult
vod_send (const VodSettings *settings, const VodRecording *recording);

G_END_DECLS
