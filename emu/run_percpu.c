/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the oracle percpu looks at: the guest's per-CPU table, read through the image's symbols, and
 * where GS of each vCPU leads.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/nae.h"
#include "abi/vmsa.h"
#include "check/percpu.h"
#include "run_internal.h"

#define PERCPU_NUMBERS_SIZE 8 /* index and APIC ID */

/* With the first bytes of the CPU's row, which has its numbers. */
static void percpu_hit(struct run *run, uint64_t gva, const char *what)
{
    struct oracle_hit hit = {
        .kind = ORACLE_PERCPU,
        .vcpu = run->trap.vcpu,
        .code_gva = run->outcome.kind == OUTCOME_NONE ? 0 : run->outcome.rip,
        .retired = vcpu_retired(run->machine.vcpu),
        .size_bytes = PERCPU_NUMBERS_SIZE,
    };
    struct mmu_context context;

    machine_launch_context(&run->machine, &context);
    mmu_peek_gpa(&run->machine.mmu, &context, gva, &hit.gpa);
    run_peek(run, gva, hit.bytes, hit.size_bytes);
    snprintf(hit.what, sizeof(hit.what), "%s", what);
    oracles_report(run->oracles, &hit);
}

static uint32_t bsp_apic_id(const struct run *run)
{
    return run->state.bsp_asked ? run->state.bsp_told : run->hypervisor.vcpus.slot[0].apic_id;
}

/* GS of a vCPU that has an area must lead to it. `apic_id`: the one that the guest knows it by. */
static void percpu_check_gs(struct run *run, const struct percpu_row *row, size_t count,
                            uint32_t apic_id, uint64_t gs_base)
{
    char what[112];

    for (size_t i = 0; i < count; i++) {
        if (row[i].apic_id == apic_id && row[i].gva != gs_base) {
            snprintf(what, sizeof(what), "GS of the CPU with APIC ID %u leads to 0x%llx", apic_id,
                     (unsigned long long)gs_base);
            percpu_hit(run, row[i].gva, what);
            return;
        }
    }
}

static void percpu_check_table(struct run *run, const struct percpu_row *row, size_t count)
{
    char what[112];
    size_t at;

    if (!percpu_table_ok(row, count, bsp_apic_id(run), &at, what, sizeof(what))) {
        percpu_hit(run, row[at].gva, what);
    }
    if (run->trap.vcpu == 0) {
        percpu_check_gs(run, row, count, bsp_apic_id(run),
                        vcpu_get(run->machine.vcpu, VCPU_GS_BASE));
    }
}

/* The save area with which a vCPU is to start. */
static void percpu_check_start(struct run *run, const struct percpu_row *row, size_t count)
{
    const struct exit *exit = &run->exit;
    uint64_t gpa = exit_field(exit, FIELD_INFO2), info1 = exit_field(exit, FIELD_INFO1), gs_base;
    uint32_t page = memory_page(&run->machine.memory, gpa);

    if (page == MEMORY_NO_PAGE || !(run->machine.memory.flags[page] & MEMORY_TOUCHED) ||
        (gpa & PAGE_MASK) || ((info1 >> AP_CREATE_VMPL_SHIFT) & AP_CREATE_VMPL_MASK) != 0) {
        return;
    }
    memcpy(&gs_base, memory_bytes(&run->machine.memory, page) + VMSA_GS + VMSA_SEGMENT_BASE,
           sizeof(gs_base));
    percpu_check_gs(run, row, count, (uint32_t)(info1 >> AP_CREATE_APIC_ID_SHIFT), gs_base);
}

/* Could the guest read the row? What the host has moved away or taken it cannot, and says so then.
 */
static bool percpu_readable(const struct run *run, const struct mmu_context *context, uint64_t gva)
{
    const struct memory *memory = &run->machine.memory;
    uint64_t gpa;
    uint32_t page, flags;

    if (!mmu_peek_gpa(&run->machine.mmu, context, gva, &gpa)) {
        return false;
    }
    page = memory_page(memory, gpa);
    if (page == MEMORY_NO_PAGE || memory_gpa(memory, page) != (gpa & ~PAGE_MASK)) {
        return false;
    }
    flags = run->machine.rmp.entry[page].flags;
    return (flags & RMP_ASSIGNED) && (flags & RMP_VALIDATED);
}

typedef void percpu_look(struct run *run, const struct percpu_row *row, size_t count);

static void percpu_examine(struct run *run, percpu_look *look)
{
    size_t count = run_percpu_count(run);
    struct run_percpu *table = calloc(count + 1, sizeof(*table));
    struct percpu_row *row = calloc(count + 1, sizeof(*row));
    struct mmu_context context;

    machine_launch_context(&run->machine, &context);
    count = table && row ? run_percpu_table(run, table, count) : 0;

    for (size_t i = 0; i < count; i++) {
        bool known = i > 0 && (table[i].gva ^ table[i - 1].gva) >> PAGE_SHIFT == 0;

        if (!known && !percpu_readable(run, &context, table[i].gva)) {
            count = 0;
            break;
        }
        row[i] = (struct percpu_row){
            .index = table[i].index,
            .apic_id = table[i].apic_id,
            .gva = table[i].gva,
            .ghcb = table[i].ghcb,
            .tss = table[i].tss,
        };
        memcpy(row[i].vmsa, table[i].vmsa, sizeof(row[i].vmsa));
        memcpy(row[i].caa, table[i].caa, sizeof(row[i].caa));
    }
    if (count > 0) {
        look(run, row, count);
    }
    free(table);
    free(row);
}

/* The bring-up is over when the first of the others is started, or the guest run. */
void run_percpu_exit(struct run *run)
{
    bool starts = run->exit.row->code == NAE_AP_CREATION,
         runs = run->exit.row->code == NAE_RUN_VMPL;

    if (run->exit.protocol != EXIT_PAGE || (!starts && !runs)) {
        return;
    }
    if (!run->state.percpu_checked) {
        run->state.percpu_checked = true;
        percpu_examine(run, percpu_check_table);
    }
    if (starts) {
        percpu_examine(run, percpu_check_start);
    }
}

void run_percpu_end(struct run *run)
{
    percpu_examine(run, percpu_check_table);
}
