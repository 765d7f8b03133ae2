/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an image does when one single answer of the hypervisor goes astray: for each exit in turn,
 * and each way to go astray, a run of its own.
 */
#ifndef SNPEMU_SWEEP_H
#define SNPEMU_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "check/outcome.h"
#include "error.h"
#include "subject.h"

/* How an answer goes astray. */
struct sweep_kind {
    const char *name;
    const char *on;    /* the fields of an `on.any` besides `nth` */
    const char *words; /* what it means, for people */
};

#define SWEEP_KINDS 3
extern const struct sweep_kind sweep_kinds[SWEEP_KINDS];

/* One run with one answer gone astray. */
struct sweep_row {
    size_t kind;
    uint64_t exit; /* its number */
    char name[32]; /* of the exit; empty: the run ends with it, and nothing was answered */
    uint32_t vcpu;
    uint8_t vmpl;
    bool failed; /* the emulator's own failure: `why`; there is no outcome */
    char why[160];
    struct outcome outcome;
};

struct sweep {
    struct subject subject;
    uint64_t from, to, every;     /* exits: the first, the last, and of these each n-th */
    uint64_t margin_instructions; /* that a run may take beyond the honest one */
    uint64_t seconds_max;         /* of one run; one that takes longer has failed */
    size_t jobs;                  /* runs at a time */

    struct outcome honest;
    struct sweep_row *row;
    size_t row_count, row_capacity;
};

/* The run without a fault, then all the others. Rows come in the order of the exits. */
int sweep_run(struct sweep *sweep, struct error *error);
void sweep_release(struct sweep *sweep);

/* kind.c: the text of a scenario with this fault alone; `image` and `firmware` as a scenario has
 * them, firmware NULL when there is none. */
void sweep_print_scenario(FILE *file, const struct sweep *sweep, size_t kind, uint64_t exit,
                          const char *image, const char *firmware);
/* The `on` part alone, as a script; false when it does not fit. */
bool sweep_script(char *text, size_t size, size_t kind, uint64_t exit);

/* table.c: rows that go alike stand in one line unless `all`; then the totals. */
void sweep_print(FILE *file, const struct sweep *sweep, bool all);
size_t sweep_count_failed(const struct sweep *sweep);
size_t sweep_count_unmodelled(const struct sweep *sweep);

#endif
