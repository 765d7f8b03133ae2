/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Deviations from an honest answer: a table with a row for each kind. A record of an input and an
 * exit give a concrete one; that is applied to the reply, and says itself in Lua.
 *
 * What hardware refuses is left to ghcb/answer.c. A deviation that has no meaning in an exit (no
 * list is lent, no such field) or that changes nothing is none.
 */
#ifndef SNPEMU_HOST_DEVIATION_H
#define SNPEMU_HOST_DEVIATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "ghcb/exit.h"
#include "ghcb/hypervisor.h"
#include "ghcb/reply.h"
#include "host/bytes_record.h"

enum deviation_kind {
    DEVIATION_FIELD,     /* a field of the GHCB has another value */
    DEVIATION_OWN,       /* it is marked, and has what the guest left there */
    DEVIATION_UNMARK,    /* it is written, and not marked */
    DEVIATION_LEAVE,     /* neither */
    DEVIATION_MARKS,     /* the guest's own marks stay */
    DEVIATION_ERROR,     /* the guest's input was malformed */
    DEVIATION_EXCEPTION, /* the guest is to raise an exception in itself */
    DEVIATION_NOTHING,   /* nothing is done, nothing is answered */
    DEVIATION_REPEAT,    /* nothing is done, the answer before is given again */
    DEVIATION_LATE,      /* all is done, the answer before is given again */
    DEVIATION_MSR,
    DEVIATION_WRITE,    /* other bytes at a place that the guest lends */
    DEVIATION_IDS,      /* many APIC IDs at once */
    DEVIATION_ON_READ,  /* bytes that change when the guest reads them */
    DEVIATION_ON_WRITE, /* or writes them */
    DEVIATION_SKIP,     /* a page stays in the state that it had */
    DEVIATION_ASSIGN,
    DEVIATION_UNASSIGN,
    DEVIATION_RMPUPDATE,
    DEVIATION_PSMASH,
    DEVIATION_REMAP,
    DEVIATION_SWAP,
    DEVIATION_INJECT,
    DEVIATION_DOORBELL,
    DEVIATION_VCPU,   /* another vCPU or VMPL goes on, or one never does */
    DEVIATION_RENAME, /* an entry comes back as another page, which is taken and given anew */
    DEVIATION_KIND_COUNT,
};

/* Which parts of a record a kind looks at. */
enum deviation_part {
    PART_WHAT = 1,
    PART_INDEX = 2,
    PART_NTH = 4,     /* `when` is that of a read or a write */
    PART_DELAY = 8,   /* `when` is a delay */
    PART_VALUE = 16,  /* form and operand give a value */
    PART_CHOICE = 32, /* the operand alone, as the kind reads it */
    PART_EVERY = 64,  /* the flag: in each later exit of that name, too */
    PART_BACK = 128,  /* the flag: what was there comes back after that access */
};

/* What of a request can be of use as a value. */
enum deviation_source {
    SOURCE_FIELD, /* FIELD_COUNT of them */
    SOURCE_GHCB = SOURCE_FIELD + FIELD_COUNT,
    SOURCE_MSR,
    SOURCE_MSR_GPA,
    SOURCE_FIRST_ENTRY,
    SOURCE_LAST_ENTRY,
    SOURCE_FIRST_GPA,
    SOURCE_CUR_ENTRY,
    SOURCE_END_ENTRY,
    SOURCE_LIST_ROOM, /* how many IDs fit */
    SOURCE_COUNT,
};

/* Bytes that the host can reach, where Lua finds them, too. */
struct deviation_place {
    uint8_t row; /* what is there */
    uint32_t index;
    uint64_t offset, gpa;
    uint32_t size_bytes;
};

struct deviation_page {
    uint8_t row;    /* from which page of the exit */
    uint8_t entry;  /* of a page state change, from 0 */
    int8_t delta;   /* pages from there */
    uint64_t named; /* the address that the exit names */
    uint64_t gpa, size_bytes;
};

struct deviation_row;

struct deviation {
    const struct deviation_row *row;
    uint8_t what; /* below row->what_count */
    bool flag;
    bool on_page; /* the exit has a GHCB page */
    enum ghcb_field field;
    bool was_known; /* `was` is what an honest host has there */
    uint64_t value, was;
    uint64_t nth;
    uint64_t delay; /* instructions */
    uint32_t count; /* of IDs */
    struct deviation_place place;
    struct deviation_page page, other;
    struct reply_rmpupdate rmpupdate;
    struct reply_event event;
    struct reply_doorbell doorbell;
};

#define DEVIATION_LIST_PAGES 16 /* of a list that is lent, what is written at most */
#define DEVIATION_ROOM (DEVIATION_LIST_PAGES * 4096)

/* An exit with its answer so far. */
struct deviation_context {
    struct hypervisor *hypervisor;
    const struct exit *exit;
    struct reply *reply;
    const struct bytes_record *record;
    const uint64_t *last; /* SOURCE_COUNT values of the exit before */
    uint8_t *room;        /* DEVIATION_ROOM bytes to work in */
    void *owner;          /* who is told when a watch or a delay is over */
};

struct deviation_row {
    const char *name;
    unsigned parts;      /* enum deviation_part */
    uint16_t what_count; /* `what` counts modulo this */
    uint16_t what_often; /* a mutator should think of the first so many more often; 0: of none */
    uint8_t weight;      /* how often a mutator should think of it */
    bool alone;          /* there is no honest answer beside it */
    /* False: it has no meaning here. The deviation arrives with row, what, flag, nth and delay. */
    bool (*resolve)(const struct deviation_context *context, struct deviation *deviation);
    /* Of one that goes on in later exits: whether it has a meaning there. NULL: it has. */
    bool (*still)(const struct deviation_context *context, struct deviation *deviation);
    void (*apply)(const struct deviation_context *context, const struct deviation *deviation);
    void (*print)(const struct deviation *deviation, FILE *file);
};

extern const struct deviation_row *const deviation_rows[DEVIATION_KIND_COUNT];

/* The record's deviation in this exit; false when it has none. */
bool deviation_resolve(const struct deviation_context *context, struct deviation *deviation);
/* Whether it waits for the guest: context->owner is told when it is done. */
bool deviation_waits(const struct deviation *deviation);
/* Its statements in Lua, with a comment before them. */
void deviation_print(const struct deviation *deviation, FILE *file);

/* What the guest asks, as values. */
void deviation_sources(const struct exit *exit, uint64_t source[SOURCE_COUNT]);

#endif
