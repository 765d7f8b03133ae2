/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A run as one HTML file that needs nothing else: its events, who had which page when, the per-CPU
 * table, the console, how it ended, and the source of what is named where it can be read. What
 * guest, host and script chose goes into it as JSON, which the page's script shows as text.
 *
 * The template (template/) becomes part of the program when it is built.
 */
#ifndef SNPEMU_PAGE_H
#define SNPEMU_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "check/outcome.h"
#include "error.h"
#include "image/firmware.h"
#include "image/image.h"
#include "machine/rmp_log.h"
#include "run.h"
#include "trace/event.h"
#include "trace/text.h"

#define PAGE_VERSION 1            /* of the data in it */
#define PAGE_EVENTS_MAX 200000u   /* later ones are counted only */
#define PAGE_CONSOLE_MAX 1048576u /* bytes; of a longer one the end is shown */
#define PAGE_SOURCE_DIRS_MAX 32u

struct page;

/* What is said of the run as a whole. Nothing is owned. */
struct page_facts {
    const char *path; /* of the scenario or image, as given */
    const struct text_header *header;
    const struct outcome *outcome;
    const uint8_t *digest; /* RUN_DIGEST_SIZE bytes */
    const char *console;
    const struct run_percpu *percpu;
    size_t percpu_count;
    const struct run_frame *frame; /* who called whom at the end, the innermost first */
    size_t frame_count;
    const struct rmp_log *rmp_log; /* closed */
    bool expectation, met;         /* the scenario has one; it holds */
    const char *why;               /* it does not */
    /* Where files of source are looked for that have no absolute path, or are not there. */
    const char *source_dir[PAGE_SOURCE_DIRS_MAX];
    size_t source_dir_count;
    bool no_sources; /* none is read */
};

/* Image and firmware (NULL: none) must outlive the page. NULL when out of memory. */
struct page *page_new(const struct image *image, const struct firmware *firmware);
void page_free(struct page *page); /* takes NULL */

struct trace_sink *page_sink(struct page *page);
/* How many events there were. */
size_t page_event_count(const struct page *page);

/* 0, SNPEMU_ERR_MEMORY, or SNPEMU_ERR_IO with errno's text. */
int page_write(struct page *page, const struct page_facts *facts, FILE *file, struct error *error);

#endif
