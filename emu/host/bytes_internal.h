/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to the files of the host that reads bytes: bytes.c, which answers, and bytes_print.c,
 * which says in Lua what was answered.
 */
#ifndef SNPEMU_HOST_BYTES_INTERNAL_H
#define SNPEMU_HOST_BYTES_INTERNAL_H

#include "host/bytes.h"
#include "host/deviation.h"

#define BYTES_TOO_LARGE "the answer is too large"

/* One record, and what it came to in this run. */
struct bytes_slot {
    struct bytes_record record;
    /* From here on only when the record had a meaning in its exit. */
    struct deviation deviation;
    const struct exit_row *row;
    /* Exits of that name in which it was applied; the last is UINT64_MAX while it goes on. */
    uint64_t first_nth, last_nth;
};

struct bytes_host {
    struct host host; /* first: the two are cast into each other */
    struct bytes_slot slot[BYTES_RECORD_MAX];
    uint8_t order[BYTES_RECORD_MAX]; /* numbers of records, by exit */
    size_t count, next;              /* of `order`: all before are behind us */
    uint64_t first_exit;
    uint64_t repeating, done; /* a bit for each record */
    bool remembers;           /* some record looks at what the exit before asked: */
    uint64_t last[SOURCE_COUNT];
    const struct exit_row *refused; /* the exit whose answer was too large; NULL: none */
    uint64_t refused_nth;
    uint32_t feature[BYTES_FEATURE_MAX];
    size_t feature_count;
    uint8_t room[DEVIATION_ROOM];
};

#endif
