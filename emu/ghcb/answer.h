/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Carrying out a reply, within what hardware lets a host do: it writes shared memory, changes the
 * RMP, sets the GHCB MSR, and resumes.
 */
#ifndef SNPEMU_GHCB_ANSWER_H
#define SNPEMU_GHCB_ANSWER_H

#include "error.h"
#include "ghcb/exit.h"
#include "ghcb/hypervisor.h"
#include "ghcb/reply.h"
#include "trap/trap.h"

/* What a reply makes happen beyond the machine. */
struct answer_ops {
    void (*console)(void *context, const uint8_t *bytes, size_t size_bytes);
    int (*watch)(void *context, const struct reply_watch *watch, struct error *error);
    /* Addresses lead elsewhere: what is watched by address must be found anew. NULL: nothing is. */
    int (*remapped)(void *context, struct error *error);
    void *context;
};

/*
 * Denied actions leave an event `denied` and nothing else. Returns 0, or an error from ops->watch,
 * ops->remapped, or SNPEMU_ERR_INPUT for a reply that overflowed.
 */
int ghcb_answer(struct trap_context *trap, struct hypervisor *hypervisor, const struct exit *exit,
                const struct reply *reply, const struct answer_ops *ops, struct error *error);

#endif
