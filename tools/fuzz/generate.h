/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to the generator's files: an input under construction, and what it is made of.
 *
 *   generate.c         an input: header, changes, code
 *   generate_number.c  numbers that matter to somebody; bytes and records
 *   generate_code.c    snippets of code
 *   generate_page.c    changes to page tables, descriptors, the GHCB page
 *   generate_vcpu.c    save areas, and the code that makes vCPUs of them
 */
#ifndef SNPEMU_TOOLS_FUZZ_GENERATE_H
#define SNPEMU_TOOLS_FUZZ_GENERATE_H

#include "guest.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct generator {
    uint64_t state;
    uint8_t *data;
    size_t room, size;
    size_t length_at; /* of the open record */
};

/* Numbers. */
uint64_t gen_next(struct generator *gen);
uint32_t gen_below(struct generator *gen, size_t limit);
bool gen_one_in(struct generator *gen, unsigned n);
uint64_t gen_address(struct generator *gen); /* in or near what matters of the machine */
uint64_t gen_number(struct generator *gen);
uint32_t gen_msr_index(struct generator *gen);
uint64_t gen_exit_code(struct generator *gen);
uint64_t gen_ghcb_msr(struct generator *gen);

/* Bytes; what does not fit is dropped. A record has at most 255 of them. */
void gen_emit(struct generator *gen, uint64_t value, size_t width);
void gen_record_open(struct generator *gen, uint32_t position);
void gen_record_close(struct generator *gen);
size_t gen_record_size(const struct generator *gen);

/* Code. */
void gen_prefixes(struct generator *gen);
void gen_load(struct generator *gen, unsigned reg, uint64_t value);
/* mov dword [rdi + offset], imm32, sign extended to 64 bits; mov [rdi + offset], rax */
void gen_store_field(struct generator *gen, uint32_t offset, uint32_t value);
void gen_store_rax(struct generator *gen, uint32_t offset);
void gen_vmgexit(struct generator *gen);

typedef void gen_part(struct generator *gen);

gen_part snippet_group7, snippet_flow;
gen_part snippet_create, snippet_vmpl;
gen_part change_vmsa;

/* Snippets until the code is done. */
void gen_code(struct generator *gen);
/* One change of pages, whichever. */
void gen_change(struct generator *gen);
void gen_change_ghcb(struct generator *gen);
void gen_change_buffer(struct generator *gen);

#endif
