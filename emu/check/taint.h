/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The oracle trusted-unchecked: values that the hypervisor chose are followed from the read of
 * shared memory through registers and memory of one guest, until they are compared with something,
 * or do harm: as the size of an allocation, an index, an address, a loop's bound.
 *
 * It is shown the blocks that run as operations (check/flow.h), and each access to memory; blocks
 * alone while a value is followed. What it goes by:
 *
 *   - A value has one label: the read it comes from. Of two labels the first counts.
 *   - A comparison with anything but zero checks a label, and so all copies and sums of it: of
 * which branch is taken nothing is asked. Two values of the hypervisor's do not check each other.
 *   - A mask and a remainder have a bound.
 *   - A comparison that comes again with the same label, at the same instruction, against a
 * register that counts, is no check but a loop's end. So is counting down.
 *   - A label is reported once, and followed no more.
 */
#ifndef SNPEMU_CHECK_TAINT_H
#define SNPEMU_CHECK_TAINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check/flow.h"
#include "check/oracle.h"
#include "error.h"

#define TAINT_LABEL_MAX 8192 /* values that are followed at a time; more are not */
#define TAINT_PAGE_MAX 1024  /* pages that hold them; more are not looked at */
#define TAINT_ALLOCATOR_MAX 16

struct taint; /* opaque */

/* hit: check/oracle.h oracles_report. */
typedef void taint_hit(void *context, const struct oracle_hit *hit);

int taint_new(struct taint **taint, uint32_t page_count, uint32_t vcpu_count, taint_hit *hit,
              void *context, struct error *error);
void taint_free(struct taint *taint); /* takes NULL */

int taint_save(struct taint *taint, struct error *error);
void taint_restore(struct taint *taint);

/* A function that allocates, with the size in a register (its number in encodings). */
void taint_add_allocator(struct taint *taint, uint64_t gva, unsigned reg);

/* Whether a value is followed at all; when none is, only loads of shared memory count. */
bool taint_is_live(const struct taint *taint);

/* The block that ran has come to its end. Its operations need not be kept any longer. */
void taint_finish(struct taint *taint);

/* A block begins, at retired instructions `retired`. */
struct taint_block {
    uint32_t vcpu;
    uint64_t gva, retired;
    const struct flow_op *op; /* kept by the caller until taint_finish or taint_settle */
    size_t op_count;
};
void taint_begin(struct taint *taint, const struct taint_block *block);
/* The same in the middle of it, at code_gva, when nothing was followed before. */
void taint_enter(struct taint *taint, const struct taint_block *block, uint64_t code_gva);

/* In the block that has begun. `source`: a read of what the hypervisor chose. */
void taint_access(struct taint *taint, const struct oracle_access *access, bool source);

/* The block was left: the instruction at code_gva has not been executed, or not by the engine. */
void taint_settle(struct taint *taint, uint64_t code_gva);

/* The emulator has executed one instruction. `source`: RAX and RDX are now the hypervisor's. */
void taint_emulated(struct taint *taint, uint32_t vcpu, const struct flow_op *op, uint64_t code_gva,
                    uint64_t retired, bool source);

/* Something else was written to memory. */
void taint_clear(struct taint *taint, uint32_t page, uint32_t offset, uint32_t size_bytes);

#endif
