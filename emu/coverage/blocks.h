/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How often code has run, as the vCPU tells it: pieces of code, which may overlap, with counts of
 * which the sum over all pieces that hold an instruction is how often that one ran.
 */
#ifndef SNPEMU_COVERAGE_BLOCKS_H
#define SNPEMU_COVERAGE_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BLOCKS_MAX (1u << 22) /* pieces: code that changes all the time would fill all memory */

/* Whose code: addresses of two programs may be the same. */
enum blocks_program {
    BLOCKS_SVSM,  /* at VMPL0 */
    BLOCKS_GUEST, /* at the others */
    BLOCKS_PROGRAMS,
};

struct block_count {
    uint64_t gva;
    uint32_t size_bytes;
    uint8_t program;
    int64_t times; /* may be negative for one piece, never in the sum */
};

struct blocks; /* opaque */

struct blocks *blocks_new(void);         /* NULL: out of memory */
void blocks_free(struct blocks *blocks); /* takes NULL */

void blocks_add(struct blocks *blocks, enum blocks_program program, uint64_t gva,
                uint32_t size_bytes, int64_t times);
/* There were more than can be kept; all later new ones are lost. */
bool blocks_overflowed(const struct blocks *blocks);

/* All of one program, by gva and size; `*count` of them. The caller frees them. NULL: out of
 * memory, or none. */
struct block_count *blocks_sorted(const struct blocks *blocks, enum blocks_program program,
                                  size_t *count);

/* How often each instruction ran, as steps. */
struct blocks_profile {
    struct block_step {
        uint64_t gva;
        int64_t times; /* from here to the next step */
    } * step;
    size_t count;
};
bool blocks_profile_make(struct blocks_profile *profile, const struct block_count *block,
                         size_t count); /* false: out of memory */
void blocks_profile_release(struct blocks_profile *profile);
/* How often the instruction in [gva, end) ran that ran most often. */
uint64_t blocks_profile_max(const struct blocks_profile *profile, uint64_t gva, uint64_t end);

#endif
