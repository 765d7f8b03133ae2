/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that changes between two reads of it: the reply_watch actions that wait for their read.
 */
#ifndef SNPEMU_GHCB_WATCH_H
#define SNPEMU_GHCB_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "ghcb/reply.h"
#include "trap/trap.h"

struct watch {
    struct reply_watch request;
    uint64_t seen;         /* instructions that read the range so far */
    uint64_t last_retired; /* time of the latest of them, plus one */
    uint64_t old;          /* what stood there before the value was put */
    bool fired, done;
    struct watch_list *list;
};

struct watch_list {
    struct trap_context *trap; /* not owned */
    void (*fired)(void *context, void *owner);
    void *context;
    struct watch watch[VCPU_WATCH_MAX];
    size_t count;
};

int watch_list_add(struct watch_list *list, const struct reply_watch *request, struct error *error);
/* Between runs of the vCPU: bring back what was not sticky, drop what is done. */
void watch_list_settle(struct watch_list *list);
/* After a restore: make the vCPU watch what `list` holds now, and nothing else. */
int watch_list_rearm(struct watch_list *list, struct error *error);

#endif
