/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A generated product of hostile answers to the APIC ID list event: what the host says to "how many
 * pages?", what it says to "write the list", what list it writes, and what it changes while the
 * guest reads. Each axis is a table of rows; each combination is a run of its own.
 */
#ifndef SNPEMU_PRODUCT_H
#define SNPEMU_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "check/outcome.h"
#include "error.h"
#include "ghcb/field.h"
#include "host/host.h"
#include "run.h"
#include "subject.h"

/* ---- what a host does, as data: host.c carries it out, script.c writes it as Lua ---- */

enum deed_kind {
    DEED_NONE,
    DEED_SET,        /* write `value` into the field and mark it */
    DEED_ADD,        /* RAX = the pages that the guest lends + `value`, and its mark */
    DEED_UNMARK,     /* take the mark off the field */
    DEED_KEEP_MARKS, /* the guest's own marks stay */
    DEED_NOTHING,    /* the GHCB page stays as the guest left it: first of its row */
    DEED_REPEAT,     /* the page gets the answer to the exit before: first of its row */
    DEED_READ,       /* change memory of `place` just before its nth read */
    DEED_ASSIGN,     /* of a page: give it to the guest, not validated */
    DEED_UNASSIGN,   /* of a page: take it from the guest */
    DEED_REMAP,      /* nested map: the first page of the list leads to where the page leads */
    DEED_SWAP,       /* nested map: the first page of the list and the page change places */
    DEED_KIND_COUNT,
};

enum deed_place {
    PLACE_LIST,
    PLACE_GHCB,
};

#define DEEDS_MAX 3

struct deed {
    enum deed_kind kind;
    unsigned exit; /* 1: the answer to "how many pages?", 2: to "write the list" */
    enum ghcb_field field;
    enum deed_place place;
    int64_t offset; /* bytes from the start of the place */
    unsigned size_bytes;
    uint64_t nth;
    uint64_t value;
};

#define ID_RUNS_MAX 4

/* `count` IDs: first, first + step, ... */
struct id_run {
    uint32_t first, step, count;
};

/* A row of the table of an axis, as it is for a number of CPUs. */
struct product_row {
    const char *name, *words;
    struct deed deed[DEEDS_MAX];
    /* Of the axis SHAPE: */
    uint32_t count; /* what the list says */
    struct id_run run[ID_RUNS_MAX];
};

enum product_axis {
    AXIS_FIRST,
    AXIS_SECOND,
    AXIS_SHAPE,
    AXIS_CHANGE,
    AXIS_COUNT,
};

#define PRODUCT_ROWS_MAX 64
#define PRODUCT_CPUS_MAX 1023 /* an honest list of one page */

struct product_axes {
    uint32_t cpus;
    struct product_row row[AXIS_COUNT][PRODUCT_ROWS_MAX]; /* of each axis the first is honest */
    size_t rows[AXIS_COUNT];
};

/* One row of each axis. */
struct combination {
    const struct product_row *row[AXIS_COUNT];
};

/* axes.c */
extern const char *const product_axis_names[AXIS_COUNT];
extern const char *const product_axis_words[AXIS_COUNT];
/* Rows that come to the same for so many CPUs stand there once. */
void product_axes_make(struct product_axes *axes, uint32_t cpus);
uint64_t product_axes_size(const struct product_axes *axes);
/* Where in each axis the combination `number` (from 1) stands. */
void product_axes_at(const struct product_axes *axes, uint64_t number, size_t index[AXIS_COUNT]);
void product_axes_pick(const struct product_axes *axes, uint64_t number,
                       struct combination *combination);
/* The IDs of a row as 32-bit words; at most `max`. Those of an honest list are overwritten, with
 * zero at least: so there are at least `cpus` of them. */
size_t product_row_ids(const struct product_row *row, uint32_t cpus, uint32_t *id, size_t max);

#define PRODUCT_IDS_MAX 8192
/* Of what the guest lends no more is filled; a list above it is none. Both: host.c and script.c. */
#define PRODUCT_LENT_MAX 64
#define PRODUCT_GPA_MAX 0xFFFFF00000000ULL

/* host.c: the host of one combination after the other. */
struct product_host {
    struct host host; /* first: the two are cast into each other */
    uint32_t cpus;
    const struct combination *combination;
    bool asked; /* the guest asked for the list */
    bool met;   /* the change took place: memory was read, a page was taken */
    uint32_t word[1 + PRODUCT_IDS_MAX];
};

void product_host_init(struct product_host *host, uint32_t cpus);
/* As before the first answer. */
void product_host_begin(struct host *host);

/* script.c: a scenario with which snpemu run --until plays it, to the same outcome. */
struct product_script {
    const struct subject *subject;
    const char *image, *firmware; /* as a scenario has them; firmware NULL: none */
    const char *until;
    const struct outcome *outcome;
};

void product_print_scenario(FILE *file, const struct product_script *script,
                            const struct combination *combination);

/* ---- the runs ---- */

/* Runs that end alike. */
struct product_class {
    char phrase[160];
    enum verdict verdict;
    uint32_t oracles; /* ORACLE_BIT()s of those that hit */
    char why[96];     /* the guest's panic or the outcome's detail, numbers left out */
    uint64_t runs;
};

#define PRODUCT_CLASSES_MAX 250

/* How one combination ended. */
struct product_result {
    uint8_t class;
    bool done, asked, met;
};

struct product {
    struct subject subject;
    const char *until; /* function that ends a run */
    uint64_t margin_instructions;
    uint64_t from, to, every; /* combinations, from 1 */
    struct product_axes axes;

    struct outcome honest;
    struct outcome last;           /* of the last run */
    struct product_result *result; /* by number - 1 */
    uint64_t runs, again;          /* `again`: of these, suspected and played once more, exactly */
    double seconds;
    struct product_class class[PRODUCT_CLASSES_MAX];
    size_t class_count;
};

/* product.c */
/*
 * A machine that stands at the first exit that its host handles, kept as the snapshot. Oracles that
 * suspect something are asked once more on a second one, which is exact and slower, made when it is
 * first needed: the first says no only when there is nothing.
 */
struct product_stage {
    const struct product *product;
    struct run *fast, *exact;
    bool fast_watches, exact_watches; /* ready for watched memory */
    uint64_t again;                   /* runs on the exact one */
};

int product_stage_open(struct product_stage *stage, struct product *product, struct host *host,
                       struct error *error);
void product_stage_close(struct product_stage *stage);
/* Play on with the host as it is now. `begin` makes it ready, for each time anew. `watches`: it may
 * change memory at a read. *last: the run that says what became of the guest. */
int product_stage_play(struct product_stage *stage, struct host *host,
                       void (*begin)(struct host *host), bool watches, struct outcome *outcome,
                       struct run **last, struct error *error);
int product_run(struct product *product, struct error *error);
void product_release(struct product *product);
/* Runs with this verdict; all but pass and contained when VERDICT_COUNT. */
uint64_t product_count(const struct product *product, enum verdict verdict);

/* table.c */
void product_print(FILE *file, const struct product *product);
void product_print_rest(FILE *file, const struct product *product, uint64_t most);

/* honest.c */
#define HONEST_CPUS_MAX 1024 /* the published code has no memory for more: 0xf:0x1 */

struct honest_list {
    uint32_t bsp, count;
    uint32_t id[HONEST_CPUS_MAX];
};

struct honest {
    struct product product; /* subject, until, margin */
    uint64_t seed, lists;
    uint64_t passed;
    uint64_t cpus;
    double seconds;
};

/* List `number` (from 1) of the seed. */
void honest_list_make(struct honest_list *list, uint64_t seed, uint64_t number);
/* Alarms are printed as they come, at most `most`. */
int honest_run(struct honest *honest, FILE *file, uint64_t most, struct error *error);
void honest_print_scenario(FILE *file, const struct product_script *script,
                           const struct honest_list *list);

#endif
