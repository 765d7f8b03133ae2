/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trace that goes to a file, in one of its formats.
 */
#ifndef SNPEMU_TRACE_WRITER_H
#define SNPEMU_TRACE_WRITER_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "error.h"
#include "trace/event.h"
#include "trace/text.h"

enum trace_format {
    TRACE_TEXT,
    TRACE_JSON,     /* an object a line: trace/json.h */
    TRACE_PERFETTO, /* trace-event JSON for Perfetto and chrome://tracing: trace/timeline.h */
    TRACE_FORMAT_COUNT,
};

struct trace_writer {
    struct trace_sink sink; /* first: the sink is the writer */
    /* The digest of the final state, where the form has it. */
    void (*digest)(struct trace_writer *writer, const uint8_t *digest, size_t size_bytes);
    /* Whether everything has been written: 0, SNPEMU_ERR_MEMORY, or SNPEMU_ERR_IO with errno's
       text. Nothing can be added after it. */
    int (*finish)(struct trace_writer *writer, struct error *error);
    void (*free)(struct trace_writer *writer);
};

/* `file` is not owned. A timeline has the full form only. NULL when out of memory. */
struct trace_writer *trace_writer_new(enum trace_format format, enum text_form form,
                                      const struct text_header *header, FILE *file);
void trace_writer_free(struct trace_writer *writer); /* takes NULL */

/* What finish says of a file: 0, or SNPEMU_ERR_IO. */
int trace_writer_flush(FILE *file, struct error *error);

const char *trace_format_name(enum trace_format format);
/* TRACE_FORMAT_COUNT when there is none of that name. */
enum trace_format trace_format_named(const char *name);

#endif
