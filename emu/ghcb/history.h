/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers that the hypervisor has given, kept byte for byte so that a host can give one again. Only
 * for hosts that may ask for it.
 */
#ifndef SNPEMU_GHCB_HISTORY_H
#define SNPEMU_GHCB_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ghcb/exit.h"
#include "ghcb/reply.h"

#define HISTORY_MAX 64
#define HISTORY_DATA_MAX (1u << 20)

/* Where an exit lets the host write. 0: nowhere. */
enum history_region {
    HISTORY_GHCB,
    HISTORY_SCRATCH,
    HISTORY_INFO1, /* the APIC ID list; a message to the AMD-SP */
    HISTORY_INFO2, /* its response */
    HISTORY_RAX,   /* its certificates */
    HISTORY_REGION_COUNT,
};

struct history_write {
    uint64_t gpa;
    uint64_t size_bytes;
    size_t offset; /* of its bytes */
};

struct history_answer {
    const struct exit_row *row;
    uint64_t nth; /* of the exits of that name */
    enum exit_protocol protocol;
    struct reply_bytes bytes; /* `msr`: of either protocol, when it was written */
    uint64_t region[HISTORY_REGION_COUNT];
    size_t write_count, size_bytes;
    struct history_write *write; /* followed by `size_bytes` bytes */
};

/*
 * In the order in which they were given. When there are too many, the oldest of those goes whose
 * event has most of them: a hundred bytes for the console leave everything else.
 */
struct history {
    struct history_answer answer[HISTORY_MAX];
    size_t count;
    size_t size_bytes;
};

/* What the reply to the exit has to write, whether or not the host may. False: out of memory. */
bool history_keep(struct history *history, const struct exit *exit, const struct reply *reply);
/* The latest of that name and number, of any number when nth is 0; NULL: it is not kept. */
const struct history_answer *history_find(const struct history *history, const struct exit_row *row,
                                          uint64_t nth);
/*
 * Write it again, in the place of all fields, marks, MSR and bytes that the reply has to write;
 * its other actions stay. `here`: what lay in one of the old exit's regions goes to the same region
 * of this exit, else to the old addresses. False when the reply is full.
 */
bool history_replay(const struct history_answer *answer, const struct exit *exit, bool here,
                    struct reply *reply);

/* `to` is empty or a history. False: out of memory, and `to` is empty. */
bool history_copy(struct history *to, const struct history *from);
void history_release(struct history *history); /* what it holds; takes NULL */

#endif
