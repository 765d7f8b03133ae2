/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that the host changes when the guest accesses it: the reply_watch actions that wait for
 * their read or write.
 *
 * The vCPU shows a store before it is done, and a host's value must come after it. It is put when
 * anything could find it: before the next watched access of a later instruction, or when the vCPU
 * stops. To the guest and the host that is the same as at the end of the storing instruction.
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
    uint64_t seen;         /* instructions that accessed the range so far */
    uint64_t last_retired; /* time when the latest of them has retired */
    uint64_t old;          /* what stood there before the value was put */
    uint64_t rip;          /* of the nth, which `symbol`, `vcpu` and `vmpl` are of, too */
    const char *symbol;
    uint32_t vcpu;
    uint8_t vmpl;
    bool due;   /* on_write: the nth is being executed */
    bool fired; /* the value was put */
    bool shown; /* an instruction has read it */
    bool done;
    struct watch_list *list;
};

struct watch_list {
    struct trap_context *trap; /* not owned */
    void (*fired)(void *context, void *owner);
    void *context;
    struct watch watch[VCPU_WATCH_MAX];
    size_t count;
    uint64_t ticks; /* grows whenever a watch counts or changes something */
};

int watch_list_add(struct watch_list *list, const struct reply_watch *request, struct error *error);
/* Between runs of the vCPU: what the last instruction ended; drop what is done. */
void watch_list_settle(struct watch_list *list);
/* After a restore: make the vCPU watch what `list` holds now, and nothing else. */
int watch_list_rearm(struct watch_list *list, struct error *error);

#endif
