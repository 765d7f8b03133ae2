/* SPDX-License-Identifier: MIT */
/* What every file of the guest uses: types, addresses, the panic, checked arithmetic. */
#ifndef SVSM_SVSM_H
#define SVSM_SVSM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/rmp.h"
#include "abi/svsm.h"
#include "abi/x86.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

/* Files are compiled without inlining, so that a trap's symbol does not depend on the compiler. */
#define INLINE static inline __attribute__((always_inline))

/* One static image: no symbol is ever found through a table. Covers what is declared below too. */
#pragma GCC visibility push(hidden)

/* start.S, layout.S. Virtual addresses. */
extern const u64 early_ghcb;
extern const u64 svsm_begin, svsm_end;
extern const u64 dyn_mem_begin, dyn_mem_end;
extern u8 code_64[], bsp_guard_page[];
extern u64 gdt64[];
/* What start.S runs, on which stack; and not 0 when it is not the first CPU that comes. */
extern u64 hl_main, cpu_stack, cpu_mode;

/* svsm.lds */
extern u8 sbss[], ebss[], sdata[], edata[];

#define SVSM_PANIC_MESSAGE_SIZE 256
extern char svsm_panic_message[SVSM_PANIC_MESSAGE_SIZE];

/* Keep `message` for whoever looks at the guest's memory, then stay in svsm_panic for ever. */
_Noreturn void svsm_panic(void); /* panic_hang.S, or panic_end.c */
_Noreturn void panic(const char *message);
/* The same with numbers: "<message><value><then><other>". */
_Noreturn void panic_decimal(const char *message, u64 value, const char *then, u64 other);
_Noreturn void panic_hex(const char *message, u64 value, const char *then, u64 other);

/*
 * The published code is built with overflow checks, and some of its sums depend on what the
 * hypervisor said. The texts are those of the language it is written in.
 */
INLINE u64 add_checked(u64 a, u64 b)
{
    u64 sum;

    if (__builtin_add_overflow(a, b, &sum)) {
        panic("attempt to add with overflow");
    }
    return sum;
}

INLINE u64 multiply_checked(u64 a, u64 b)
{
    u64 product;

    if (__builtin_mul_overflow(a, b, &product)) {
        panic("attempt to multiply with overflow");
    }
    return product;
}

/* All memory is mapped at one offset. */
INLINE u64 va_to_gpa(u64 va)
{
    return va - SVSM_VA_OFFSET;
}

INLINE u64 gpa_to_va(u64 gpa)
{
    return add_checked(gpa, SVSM_VA_OFFSET);
}

void *memset(void *to, int byte, size_t size);
void *memcpy(void *to, const void *from, size_t size);

#pragma GCC visibility pop

#endif
