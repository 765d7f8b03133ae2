/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the emulator knows of the specifications, row by row, and which fixture exercises each row.
 * Rows come from the emulator's own tables, cases from the built guests, proof from golden traces.
 */
#ifndef SNPEMU_COVERAGE_H
#define SNPEMU_COVERAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "image/image.h"

#define COVERAGE_ROW_MAX 1024
#define COVERAGE_CASE_MAX 8192
#define COVERAGE_GUEST_MAX 256
#define COVERAGE_KEY_MAX 64
#define COVERAGE_NAME_MAX 160

enum coverage_group {
    GROUP_MSR_PROTOCOL,
    GROUP_NAE,
    GROUP_PSP,
    GROUP_MSR,
    GROUP_INSN,
    GROUP_DEBUG,
    GROUP_PORT,
    GROUP_ACCESS,
    GROUP_COUNT,
};

enum coverage_status {
    STATUS_MODELLED,
    STATUS_UNVERIFIED, /* modelled, on a fact whose source nobody could read */
    STATUS_UNMODELLED, /* a run that meets it ends there */
    STATUS_COUNT,
};

/* A list of names without repetition, in the order of adding. */
struct name_list {
    char **name;
    size_t count;
};

struct coverage_row {
    char key[COVERAGE_KEY_MAX]; /* "insn/pvalidate": what a case names in `covers` */
    enum coverage_group group;
    enum coverage_status status;
    char code[24]; /* number in its protocol; empty when it has none */
    char does[96];
    const char *source;
    const char *exempt; /* why it needs no fixture; NULL: it needs one */
    struct name_list fixtures;
};

struct coverage_case {
    const char *guest, *name, *covers, *source; /* owned by the guest's image */
    uint32_t flags;
    bool proven; /* a golden trace shows it */
};

struct coverage {
    struct coverage_row row[COVERAGE_ROW_MAX];
    size_t row_count;
    struct coverage_case guest_case[COVERAGE_CASE_MAX];
    size_t case_count;
    struct image *image[COVERAGE_GUEST_MAX]; /* guests with cases, in the order of their names */
    size_t image_count;
    size_t fixture_count;
    size_t mistakes; /* each was printed */
};

/* As in fixtures/guests/lib/guest.h. */
enum case_flag {
    CASE_UNVERIFIED = 1,
    CASE_ALONE = 2,
};

/* Print a mistake to standard error, and count it. */
void coverage_mistake(struct coverage *coverage, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct coverage_row *coverage_find(struct coverage *coverage, const char *key, size_t key_length);
void name_list_add(struct name_list *list, const char *name);

/* rows.c, access.c: all rows of the emulator's tables. */
struct coverage_row *coverage_add(struct coverage *coverage, enum coverage_group group,
                                  const char *prefix, const char *name);
void coverage_add_rows(struct coverage *coverage);
void coverage_add_access(struct coverage *coverage);
/* exempt.c */
void coverage_exempt(struct coverage *coverage);
/* guests.c: the cases of all guests in a directory of images. */
void coverage_read_guests(struct coverage *coverage, const char *directory);
/* golden.c: what the golden traces below a directory show; then what the cases cover. */
void coverage_read_golden(struct coverage *coverage, const char *directory);
void coverage_count_cases(struct coverage *coverage);
/* check.c: rows without a fixture, exemptions without need, cases without proof. */
void coverage_check(struct coverage *coverage);
/* page.c: docs/SPEC-COVERAGE.md */
void coverage_write(const struct coverage *coverage, FILE *out);

#endif
