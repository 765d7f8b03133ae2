/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small machine for tests: 8 MiB of memory, page tables, GDT, IDT and TSS made by hand, and a
 * few bytes of code. Every exception has a gate to a handler that halts, so that a test sees
 * which one was taken and finds its frame at RSP.
 *
 * What is mapped at first, guest virtual to guest physical = gva + GUEST_GPA, 4 KiB pages:
 */
#ifndef SNPEMU_TESTS_GUEST_BUILDER_H
#define SNPEMU_TESTS_GUEST_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/x86.h"
#include "check/outcome.h"
#include "machine/machine.h"
#include "trap/trap.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define GUEST_GPA 0x40000000ULL /* so aligned that a 1 GiB page can lead to it */
#define GUEST_PAGES 2048
#define GUEST_REGION(n) (GUEST_GPA + (n)*LARGE_PAGE_SIZE) /* 0 is in use, 1 to 3 are free */

#define GUEST_CODE 0x100000ULL  /* 16 pages, private, writable and executable */
#define GUEST_STACK 0x110000ULL /* 4 pages, private */
#define GUEST_STACK_TOP 0x114000ULL
#define GUEST_IST 0x116000ULL /* 2 pages, private */
#define GUEST_IST_TOP 0x118000ULL
#define GUEST_SYSTEM 0x118000ULL /* GDT, TSS; then the IDT */
#define GUEST_GDT GUEST_SYSTEM
#define GUEST_TSS (GUEST_SYSTEM + 0x800)
#define GUEST_IDT (GUEST_SYSTEM + 0x1000)
#define GUEST_HANDLERS 0x11A000ULL /* 1 page, private: 16 bytes for each of 32 vectors */
#define GUEST_DATA 0x120000ULL     /* 64 pages, private */
#define GUEST_SHARED 0x160000ULL   /* 16 pages, C = 0, the hypervisor's */
#define GUEST_UNMAPPED 0x180000ULL /* from here to 0x200000: no translation, but page tables */

/* Selectors. */
#define GUEST_CS 0x08
#define GUEST_CS_OTHER 0x38 /* the same once more */
#define GUEST_CS_NOT_PRESENT 0x40
#define GUEST_CS_32 0x48
#define GUEST_DS 0x10
#define GUEST_USER_CS 0x1B
#define GUEST_USER_DS 0x23
#define GUEST_TR 0x28
#define GUEST_GDT_SIZE 0x50

#define GUEST_GATE_INTERRUPT 0x8E
#define GUEST_GATE_TRAP 0x8F
#define GUEST_GATE_PRESENT 0x80

#define GUEST_PRIVATE (PTE_PRESENT | PTE_WRITE | CBIT_MASK)
#define GUEST_PUBLIC (PTE_PRESENT | PTE_WRITE) /* C = 0 */

struct guest {
    struct machine machine;
    struct outcome outcome;
    struct trap_context trap;
    struct vcpu_stop stop; /* the last one */
    struct error error;
    uint32_t table_count; /* pages used up for page tables */
};

/* Both end the test when something fails. */
void guest_open(struct guest *guest);
void guest_open_seed(struct guest *guest, uint64_t seed);
void guest_close(struct guest *guest);

/* Number of the page at gpa, and its entry in the RMP. */
uint32_t guest_page(const struct guest *guest, uint64_t gpa);
struct rmp_entry *guest_rmp(struct guest *guest, uint64_t gpa);

/* Make the page table entry for gva; size is 4 KiB, 2 MiB or 1 GiB. flags: PTE_*, CBIT_MASK. */
void guest_map(struct guest *guest, uint64_t gva, uint64_t gpa, uint64_t size, uint64_t flags);
/* The entry that gva uses at that level: 4 is the root, 1 the last. Tables down to it must exist.
 */
uint64_t *guest_entry(struct guest *guest, uint64_t gva, unsigned level);
/* The registers that a translation depends on, as the vCPU has them. */
struct mmu_context guest_context(const struct guest *guest);

/* The byte at gva in host memory, to look at it or to change it. Good up to the page's end. */
uint8_t *guest_at(struct guest *guest, uint64_t gva);
uint64_t guest_load(struct guest *guest, uint64_t gva);
void guest_store(struct guest *guest, uint64_t gva, uint64_t value);
/* Copy code or data in, across pages, as the launcher or a debugger would. */
void guest_copy(struct guest *guest, uint64_t gva, const void *bytes, size_t size_bytes);

/* Put code at GUEST_CODE and point RIP at it; RSP is GUEST_STACK_TOP. */
void guest_code(struct guest *guest, const void *bytes, size_t size_bytes);
#define GUEST_CODE_BYTES(guest, ...)                                                               \
    guest_code((guest), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* One entry of the IDT: `type` is the byte with present bit, DPL and gate type. */
void guest_gate(struct guest *guest, unsigned vector, uint16_t selector, uint64_t target,
                uint8_t ist, uint8_t type);
/* Replace the handler of a vector (16 bytes at most). */
void guest_handler(struct guest *guest, unsigned vector, const void *bytes, size_t size_bytes);

uint64_t guest_get(const struct guest *guest, enum vcpu_register reg);
void guest_set(struct guest *guest, enum vcpu_register reg, uint64_t value);

/* Handle the last stop as the only vCPU's: HLT and a jump to itself end the run, PAUSE does not. */
enum trap_next guest_handle(struct guest *guest);

/* One run of the vCPU, without handling what stopped it. */
enum vcpu_stop_kind guest_stop(struct guest *guest);
/* Run and handle traps until one is an exit or ends the run. */
enum trap_next guest_run(struct guest *guest);
/* The vector whose handler halted, or -1. */
int guest_halted_in(const struct guest *guest);

#endif
