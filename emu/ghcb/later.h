/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Actions of replies that wait for their time, which is retired instructions of the guest: of all
 * vCPUs, or of one.
 */
#ifndef SNPEMU_GHCB_LATER_H
#define SNPEMU_GHCB_LATER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "ghcb/reply.h"

#define LATER_MAX 64
#define LATER_DATA_MAX 0x4000 /* bytes that all of them are to write */

struct later {
    size_t count;
    size_t data_size_bytes;
    uint64_t counted; /* up to this time instructions were counted */
    struct later_item {
        struct reply_action action; /* its bytes are in `data`, in the order of the items */
        uint64_t left;              /* instructions */
    } item[LATER_MAX];
    uint8_t data[LATER_DATA_MAX];
};

/* The vCPU has run alone until `now`; before it is another one's turn, and before the next two. */
void later_count(struct later *later, uint64_t now, uint32_t vcpu);
/* SNPEMU_ERR_INPUT when there is no room. */
int later_add(struct later *later, const struct reply_action *action, const uint8_t *data,
              uint64_t now, struct error *error);
/* Move what is due while the vCPU runs into the reply, in the order of adding; how many. */
size_t later_take(struct later *later, uint32_t vcpu, struct reply *reply);
/* How many instructions of the vCPU come before the next one is due; UINT64_MAX: none waits. */
uint64_t later_left(const struct later *later, uint32_t vcpu);

/* No more than what is in use. */
void later_copy(struct later *to, const struct later *from);

#endif
