/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loops for a tiny guest, written twice: with traps, and with the same instructions but without
 * them. What the guest itself costs is in both and goes away when one is taken from the other.
 *
 * A trap that retires as an instruction is left out of the second loop. For one that goes through
 * the IDT the second loop pushes the frame itself and jumps to the same handler, whose IRETQ is so
 * part of both; the few instructions for that count against the emulator's favour, not for it.
 */
#ifndef SNPEMU_BENCH_CODE_H
#define SNPEMU_BENCH_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "image/image.h"

#define CODE_BYTES_MAX 4096
#define CODE_HANDLER_MAX 32

/* Pages of the guest, each at its own address. It is the machine of the guest fuzzer. */
#define CODE_PRIVATE 0x40030000ULL   /* private and validated */
#define CODE_RESCINDED 0x40031000ULL /* the same, for who rescinds it */
#define CODE_UNMAPPED 0x40032000ULL  /* its page table entry is not present */
#define CODE_USER 0x40033000ULL      /* for CPL 3; SYSCALL, then a jump back to it */
#define CODE_SYSCALL 0x400063E0ULL   /* where code_handler puts what SYSCALL leads to */
#define CODE_MISSES 0x40020000ULL    /* 16 private pages */
#define CODE_GHCB 0x40200000ULL      /* filled with valid marks, registered */
#define CODE_SHARED 0x40210000ULL    /* PSC_ENTRY_MAX pages that are the hypervisor's */

enum code_register {
    CODE_RAX = 0,
    CODE_RCX = 1,
    CODE_RDX = 2,
    CODE_RSP = 4,
    CODE_RSI = 6,
    CODE_RDI = 7,
    CODE_R8 = 8,
    CODE_R9 = 9,
    CODE_R11 = 11,
    CODE_ROUNDS = 15, /* counts down; the loop's own */
};

struct code {
    bool with;    /* traps */
    bool no_ghcb; /* nothing traps before the loop */
    uint32_t rounds;
    uint8_t bytes[CODE_BYTES_MAX];
    size_t size;
    int64_t extra; /* instructions of a round that only this one of the two loops has */
    unsigned vector;
    uint8_t handler[CODE_HANDLER_MAX];
    size_t handler_size;
};

void code_bytes(struct code *code, const void *bytes, size_t size);
#define CODE(code, ...)                                                                            \
    code_bytes((code), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
void code_move(struct code *code, enum code_register reg, uint64_t value);
/* mov dword [rdi + offset], value */
void code_store(struct code *code, uint32_t offset, uint32_t value);

/* An instruction that traps and retires. */
void code_trap(struct code *code, const void *bytes, size_t size);

/* jmp */
void code_jump(struct code *code, uint64_t target);

/* An instruction that is answered by an exception, or by an interrupt when it retires. */
struct code_fault {
    uint8_t bytes[8];
    uint8_t size;
    uint8_t vector;
    bool has_error_code;
    bool retires; /* INT n: RIP in the frame is after it */
};
void code_fault(struct code *code, const struct code_fault *fault);

/* What runs at CODE_SYSCALL. */
void code_syscall(struct code *code, const void *bytes, size_t size);

/* CODE_ROUNDS times what comes in between; then HLT. */
size_t code_loop(struct code *code);
void code_end(struct code *code, size_t loop);

/* An image that runs the code. */
int code_image(struct image **image, const struct code *code, struct error *error);

#endif
