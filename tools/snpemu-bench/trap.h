/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What each kind of trap costs, through the whole run loop, with an honest host and without a
 * trace; beside what the bare CPU engine takes to stop at an instruction and to start again.
 */
#ifndef SNPEMU_BENCH_TRAP_H
#define SNPEMU_BENCH_TRAP_H

#include <stdint.h>

#include "code.h"
#include "error.h"
#include "trap/decode.h"

#define TRAP_ROW_MAX 64
#define TRAP_PAGE_STATE "vmgexit_page_state_change" /* the row of PSC_ENTRY_MAX entries */

/* A new kind of trap is a row in trap_list.c. */
struct trap_row {
    const char *name, *words;
    enum insn_id insn;                /* that it measures; INSN_OTHER: none in particular */
    unsigned traps;                   /* in one round; 0: 1 */
    unsigned share;                   /* so many times fewer rounds; 0: 1 */
    void (*setup)(struct code *code); /* once, before the loop; may be NULL */
    void (*round)(struct code *code); /* NULL: */
    struct code_fault fault;          /* with a vector; else: */
    uint8_t size, bytes[8];           /* an instruction that retires */
};

extern const struct trap_row trap_rows[];
extern const size_t trap_row_count;

const struct trap_row *trap_row_by_name(const char *name); /* NULL: none */

struct trap_task {
    unsigned runs;
    uint32_t rounds;             /* of each run */
    const struct trap_row *only; /* NULL: all */
};

struct trap_result {
    double floor_ns; /* the bare engine */
    double ns[TRAP_ROW_MAX];
    double ratio[TRAP_ROW_MAX]; /* to the bare engine, of neighbouring runs */
};

/*
 * SNPEMU_ERR_INTERNAL when a loop does not trap as often as it should, or when an instruction that
 * traps has no row.
 */
int trap_measure(const struct trap_task *task, struct trap_result *result, struct error *error);

/* The bare engine's stops and starts: CPU time of a loop of that many rounds. */
struct floor; /* opaque */
int floor_open(struct floor **floor, uint32_t rounds, struct error *error);
void floor_close(struct floor *floor); /* takes NULL */
/* *ns of one stop and start, with the two instructions of the loop. */
int floor_run(struct floor *floor, double *ns, struct error *error);

#endif
