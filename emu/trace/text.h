/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trace as text: a first line that says what ran, then one event a line.
 *
 * full:    1234567 cpu0 0xffff808000012345 exit apic_id_list rax=0x0 info1=0x0 @vc_get_apic_ids
 * golden:  exit apic_id_list rax=0x0 info1=0x0 @vc_get_apic_ids
 *
 * The full form can have more of the address behind the symbol: @vc_get_apic_ids+0x40 (vc.c:12), or
 * (list.c:7 in list_read, inlined at vc.c:12).
 *
 * The full form begins with the virtual time, the vCPU and the instruction pointer and ends with a
 * line that holds the digest of the final state. The golden form has neither these nor fields that
 * are full_only; "cpuN" or "cpuN.vmplM" begins its line when it is not VMPL0 of the first vCPU. A
 * text value stands in quotes, with \xNN for what cannot be printed, unless it is one word.
 */
#ifndef SNPEMU_TRACE_TEXT_H
#define SNPEMU_TRACE_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "error.h"
#include "trace/event.h"

#define TEXT_TRACE_VERSION 1
#define TEXT_TRACE_MAX (1ULL << 30) /* bytes kept in memory; a longer trace goes to a file */

enum text_form {
    TEXT_FULL,
    TEXT_GOLDEN,
};

/* What the first line says. */
struct text_header {
    const char *image; /* its name, not its path */
    uint32_t cpus;
    uint64_t memory_mib;
    uint64_t seed;
    const char *firmware; /* its name; NULL: none, and nothing is said of it */
    uint64_t guest_memory_mib;
};

struct text_trace;

/*
 * A trace with its first line written. It goes to `file`, which is not owned, or to memory when
 * `file` is NULL. NULL when out of memory.
 */
struct text_trace *text_trace_new(enum text_form form, const struct text_header *header,
                                  FILE *file);
void text_trace_free(struct text_trace *trace); /* takes NULL */

struct trace_sink *text_trace_sink(struct text_trace *trace);

/* The closing line of the full form; nothing in the golden form. */
void text_trace_digest(struct text_trace *trace, const uint8_t *digest, size_t size_bytes);

/* Whether everything has been written: 0, SNPEMU_ERR_MEMORY, or SNPEMU_ERR_IO with errno's text. */
int text_trace_finish(struct text_trace *trace, struct error *error);

/* What is in memory; NUL-terminated, owned by the trace, valid until it is written to again. */
const char *text_trace_text(const struct text_trace *trace, size_t *size_bytes);
/* Forget all after the first size_bytes, a size that text_trace_text gave. Memory only. */
void text_trace_cut(struct text_trace *trace, size_t size_bytes);

/* Write one value as a trace does. Returns the length of the whole, as snprintf does. */
size_t text_quote(char *out, size_t size, const char *value);

const char *text_form_name(enum text_form form);

#endif
