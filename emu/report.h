/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exits, replies, console text and the outcome as events.
 */
#ifndef SNPEMU_REPORT_H
#define SNPEMU_REPORT_H

#include "check/oracle.h"
#include "check/outcome.h"
#include "ghcb/exit.h"
#include "ghcb/reply.h"
#include "image/image.h"
#include "trap/trap.h"

void report_exit(struct trap_context *trap, const struct exit *exit);
void report_reply(struct trap_context *trap, const struct exit *exit, const struct reply *reply);
void report_outcome(struct trap_context *trap);
/* report_oracle.c: a hit at the instruction at code_gva. `first`: golden traces show it. */
void report_oracle(struct trap_context *trap, const struct image *image,
                   const struct oracle_hit *hit, uint64_t code_gva, bool first);
void report_console(struct trap_context *trap, const char *line);

/* True for the everyday output of one character: many of them make one `console` event. */
bool report_is_console_byte(const struct exit *exit, const struct reply *reply);

#endif
