/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to the files of the table of deviations:
 *
 *   deviation.c         the table
 *   deviation_answer.c  fields, marks, errors, the MSR, and answers that are none
 *   deviation_memory.c  bytes in memory that the host and the guest share
 *   deviation_page.c    pages: page states, the RMP, the nested map
 *   deviation_rename.c  entries of a page state change that come back as others
 *   deviation_event.c   events that the guest takes, and who runs
 *   deviation_place.c   where: bytes in regions that an exit has
 *   deviation_named.c   where: pages that an exit names
 *   deviation_value.c   what: values
 */
#ifndef SNPEMU_HOST_DEVIATION_INTERNAL_H
#define SNPEMU_HOST_DEVIATION_INTERNAL_H

#include "host/deviation.h"

/* deviation_answer.c */
extern const struct deviation_row deviation_field, deviation_own, deviation_unmark, deviation_leave,
    deviation_marks, deviation_error, deviation_exception, deviation_nothing, deviation_repeat,
    deviation_late, deviation_msr;
/* deviation_memory.c */
extern const struct deviation_row deviation_write, deviation_ids, deviation_on_read,
    deviation_on_write;
/* deviation_page.c */
extern const struct deviation_row deviation_skip, deviation_assign, deviation_unassign,
    deviation_rmpupdate, deviation_psmash, deviation_remap, deviation_swap;
/* deviation_rename.c */
extern const struct deviation_row deviation_rename;
/* deviation_event.c */
extern const struct deviation_row deviation_inject, deviation_doorbell, deviation_vcpu;

/* ---- values ---- */

/* The record's value for `size_bytes` bytes in which an honest host has `honest`. */
uint64_t deviation_value(const struct deviation_context *context, uint64_t honest,
                         unsigned size_bytes);

/* ---- places ---- */

#define DEVIATION_GPA_LIMIT (1ULL << 52) /* AMD APM Vol 2, 5.3 */

/* Where an exit has no such place, or names no such page, the next kind of it stands for it. */
#define DEVIATION_PLACE_COUNT 13
#define DEVIATION_PLACE_ENTRY 4 /* an entry of a page state change */
#define DEVIATION_PLACE_OFTEN 6 /* of the lists that come and go with requests */
bool deviation_place(const struct deviation_context *context, unsigned what, unsigned index,
                     struct deviation_place *place);
#define DEVIATION_WORDS 88
/* "ID 3 of the list" */
const char *deviation_place_words(const struct deviation_place *place, char text[DEVIATION_WORDS]);
const char *deviation_place_region(const struct deviation_place *place);
/* The same place in another exit; false when it is not there. */
bool deviation_place_again(const struct deviation_context *context, struct deviation_place *place);
/* What stands there when the guest goes on, if the host does nothing more; false where the host
 * can neither read nor write. */
bool deviation_honest(const struct deviation_context *context, const struct deviation_place *place,
                      uint64_t *value);
/* Whether the answer's fields or marks go there, after all else: what is written there is lost. */
bool deviation_answered(const struct deviation_context *context,
                        const struct deviation_place *place);
/* How many IDs fit into the list that the guest lends; 0: it lends none. */
uint32_t deviation_list_room(const struct exit *exit);
/* Entry i of a page state change, from 0; false when there is none. */
bool deviation_entry(const struct exit *exit, unsigned i, uint64_t *entry);
unsigned deviation_entries(const struct exit *exit); /* how many there are */

#define DEVIATION_PAGE_COUNT 10
#define DEVIATION_PAGE_LARGE 0x80 /* of `what`: the 2 MiB page around it */
/* `delta` pages from where `what` leads. */
bool deviation_page(const struct deviation_context *context, unsigned what, unsigned entry,
                    int8_t delta, struct deviation_page *page);
const char *deviation_page_words(const struct deviation_page *page, char text[DEVIATION_WORDS]);
/* An expression in Lua that gives its address. */
const char *deviation_page_lua(const struct deviation_page *page, char text[DEVIATION_WORDS]);

/* ---- Lua ---- */

#define DEVIATION_INDENT "        "
/* A sentence as a comment. */
void deviation_comment(FILE *file, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same of what happens at once, or after the deviation's delay. */
void deviation_say(const struct deviation *deviation, FILE *file, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* One line. */
void deviation_line(FILE *file, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A number as one would write it. */
#define DEVIATION_NUMBER 24
const char *deviation_number(char text[DEVIATION_NUMBER], uint64_t value);
/* reply:NAME{ ... }, or the same put off. */
void deviation_action(const struct deviation *deviation, FILE *file, const char *name,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
