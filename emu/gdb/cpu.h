/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vCPU as a debugger sees it: a thread, whose number is the vCPU's plus one, with the registers
 * of the VMPL that it runs at. Those of the vCPU that runs are in the machine, the others' in their
 * save areas; here both are in the form of a save area.
 */
#ifndef SNPEMU_GDB_CPU_H
#define SNPEMU_GDB_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/vmsa.h"
#include "gdb/packet.h"
#include "machine/mmu.h"
#include "run.h"

struct gdb_cpu {
    uint32_t number; /* of the vCPU */
    bool runs;       /* the machine holds its registers */
    unsigned vmpl;
    uint8_t page[VMSA_SIZE];
    uint64_t ghcb_msr, sev_status, cr8;
    uint64_t retired;     /* virtual time, of all vCPUs */
    uint32_t memory_page; /* of the save area, unless it runs; MEMORY_NO_PAGE: the launch's */
};

/* Whether there is such a vCPU with registers to look at. Looks without touching. */
bool gdb_cpu_take(struct run *run, uint32_t number, struct gdb_cpu *cpu);
/* The registers that were changed in cpu->page become those of the vCPU. False: VMRUN would refuse
 * them. */
bool gdb_cpu_give(struct run *run, const struct gdb_cpu *cpu);
uint32_t gdb_cpu_count(struct run *run); /* vCPUs are numbered below it */
uint32_t gdb_cpu_current(struct run *run);
/* "runnable", "halted", ... */
const char *gdb_cpu_activity(struct run *run, uint32_t number);

/* The registers that a translation depends on. */
void gdb_cpu_context(const struct gdb_cpu *cpu, struct mmu_context *context);
uint64_t gdb_cpu_code_gva(const struct gdb_cpu *cpu);

/* ---- registers, in the order and the form of the target description ---- */

size_t gdb_register_count(void);
size_t gdb_register_size_bytes(size_t number); /* at most GDB_REGISTER_MAX */
#define GDB_REGISTER_MAX 16
/* False: it is not known of a vCPU that does not run. */
bool gdb_register_get(const struct gdb_cpu *cpu, size_t number, uint8_t bytes[GDB_REGISTER_MAX]);
/* False: it cannot be changed. Only cpu->page and cpu->ghcb_msr change. */
bool gdb_register_set(struct gdb_cpu *cpu, size_t number, const uint8_t bytes[GDB_REGISTER_MAX]);

/* The target description; NULL: out of memory. The caller frees it. */
char *gdb_target_xml(void);

#endif
