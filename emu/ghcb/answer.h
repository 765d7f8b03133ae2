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
    /* The action has a delay: keep it, with its bytes at data + data_offset. */
    int (*later)(void *context, const struct reply_action *action, const uint8_t *data,
                 struct error *error);
    void *context;
    bool raced; /* the host has changed what the guest asks: what it does about it is its own doing
                 */
};

/*
 * Denied actions leave an event `denied` and nothing else. Returns 0, or an error from ops->watch,
 * ops->remapped, ops->later, or SNPEMU_ERR_INPUT for a reply that overflowed.
 */
int ghcb_answer(struct trap_context *trap, struct hypervisor *hypervisor, const struct exit *exit,
                const struct reply *reply, const struct answer_ops *ops, struct error *error);

/* The reply's actions alone: at an exit whose vCPU is not resumed, or between two instructions of
 * the guest, which then goes on; exit is NULL. */
int ghcb_act(struct trap_context *trap, struct hypervisor *hypervisor, const struct exit *exit,
             const struct reply *reply, const struct answer_ops *ops, struct error *error);

#endif
