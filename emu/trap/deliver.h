/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One attempt to enter the handler of an exception: private to fault.c and the ways there are.
 *
 *   deliver_long.c    long mode, from 64-bit and from compatibility-mode code
 *   deliver_legacy.c  protected mode without long mode, and real mode
 *   deliver.c         what they share
 */
#ifndef SNPEMU_TRAP_DELIVER_H
#define SNPEMU_TRAP_DELIVER_H

#include "trap/fault.h"

#define SELECTOR_ERROR_MASK 0xFFFCu /* a selector in an error code: without its RPL */
#define SEGMENT_PRESENT 0x80u       /* of a segment's attributes */
#define SEGMENT_IS_CODE(attributes) (((attributes)&0x18) == 0x18)
#define SEGMENT_CONFORMING 0x04u /* code */
#define SEGMENT_WRITABLE 0x02u   /* data */
#define SEGMENT_EXPAND_DOWN 0x04u

/* What became of one attempt to enter a handler. */
enum attempt {
    ATTEMPT_DONE,
    ATTEMPT_FAULT, /* another exception on the way: `next` */
    ATTEMPT_ENDED, /* the outcome is set */
};

typedef enum attempt attempt_deliver(struct trap_context *trap, const struct fault *fault,
                                     struct fault *next);
attempt_deliver deliver_long, deliver_protected, deliver_real;

/* `next` is that exception. Always ATTEMPT_FAULT. */
enum attempt attempt_refuse(struct fault *next, uint8_t vector, uint32_t error_code);
/* A translation that failed during delivery. */
enum attempt attempt_mmu(struct trap_context *trap, const struct mmu_fault *fault,
                         struct fault *next);
/* Read as the processor does during delivery: at CPL 0 whatever the current one is. */
enum attempt attempt_read(struct trap_context *trap, uint64_t gva, void *bytes, size_t size_bytes,
                          struct fault *next);
/* Push: written at privilege level cpl. */
enum attempt attempt_write(struct trap_context *trap, unsigned cpl, uint64_t gva, const void *bytes,
                           size_t size_bytes, struct fault *next);
/* The descriptor that a selector names, from GDT or LDT; when there is none, exception `vector`
   with the selector. */
enum attempt attempt_descriptor(struct trap_context *trap, const struct fault *fault,
                                uint16_t selector, uint8_t vector, struct vcpu_segment *segment,
                                struct fault *next);
/*
 * A handler's code segment, and the privilege level that it runs at. APM Vol 2,
 * chapter 8, privilege checks.
 * mask, want: what the attributes must show besides.
 */
enum attempt attempt_code_segment(struct trap_context *trap, const struct fault *fault,
                                  uint16_t selector, unsigned mask, unsigned want,
                                  struct vcpu_segment *code, unsigned *cpl, struct fault *next);

uint64_t load_le(const uint8_t *bytes, size_t size_bytes);
/* EXT of the error codes on the way, and a selector's with it. APM Vol 2, selector error code. */
uint32_t deliver_external(const struct fault *fault);
uint32_t deliver_selector(const struct fault *fault, uint16_t selector);
/* RF is set in the image that a fault pushes, not in that of INT n, a trap or an instruction
   breakpoint. That it is not set for what the host injects is unverified. */
bool deliver_sets_resume(const struct fault *fault);
uint64_t deliver_rflags(const struct trap_context *trap, const struct fault *fault);

#endif
