/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trace as JSON, one object a line (docs/TRACE.md): what ran, then each event, then in the full
 * form the digest. The same fields as in the text form, by the same names.
 *
 * All is ASCII. An address or another value that is written in hexadecimal is a string, since
 * readers of JSON keep 53 bits; so is a decimal number beyond these.
 */
#ifndef SNPEMU_TRACE_JSON_H
#define SNPEMU_TRACE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "trace/event.h"
#include "trace/text.h"
#include "trace/writer.h"

#define JSON_TRACE_VERSION 1

/* A writer of that form to `file`, which is not owned. NULL when out of memory. */
struct trace_writer *json_trace_new(enum text_form form, const struct text_header *header,
                                    FILE *file);

/* ---- for others that write JSON; NULL when out of memory ---- */

json_t *json_event(const struct event *event, enum text_form form);
/* Lines of source, the innermost first: a list, empty without DWARF. Files without directories. */
json_t *json_lines(const struct image_place *place);
/* The event's fields alone. */
json_t *json_event_fields(const struct event *event, enum text_form form);
json_t *json_header(const struct text_header *header);
/* Any bytes: what is no UTF-8 becomes U+FFFD. */
json_t *json_text(const char *text);
json_t *json_hex(uint64_t value);
json_t *json_decimal(uint64_t value);
json_t *json_digest(const uint8_t *digest, size_t size_bytes);

/*
 * Write it without spaces. `in_page`: so that it can stand in a script element of a page, whatever
 * is in it. False when that failed; errors of the file are the caller's to see.
 */
bool json_write(FILE *file, const json_t *value, bool in_page);

#endif
