/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gdb/cpu.h"

#include <string.h>

#include "abi/x86.h"
#include "ghcb/hypervisor.h"
#include "machine/machine.h"
#include "trap/msr.h"

#include "abi/msr.h"

uint32_t gdb_cpu_count(struct run *run)
{
    return run_hypervisor(run)->vcpus.count;
}

uint32_t gdb_cpu_current(struct run *run)
{
    return run_hypervisor(run)->vcpus.current;
}

const char *gdb_cpu_activity(struct run *run, uint32_t number)
{
    static const char *const names[] = {
        [VCPU_ABSENT] = "absent", [VCPU_RUNNABLE] = "runnable", [VCPU_HALTED] = "halted",
        [VCPU_HELD] = "held",     [VCPU_SPINS] = "spins",       [VCPU_STOPPED] = "stopped",
    };

    return names[run_hypervisor(run)->vcpus.slot[number].activity];
}

static void cpu_take_running(struct run *run, struct gdb_cpu *cpu)
{
    const struct machine *machine = run_machine(run);

    cpu->runs = true;
    memset(cpu->page, 0, sizeof(cpu->page));
    vmsa_store(machine->vcpu, &(struct vmsa_exit){0}, cpu->page);
    vmsa_set(cpu->page, VMSA_EFER, vmsa_get(cpu->page, VMSA_EFER) | EFER_SVME);
    cpu->vmpl = vcpu_vmpl(machine->vcpu);
    cpu->ghcb_msr = machine->state.ghcb_msr;
    cpu->cr8 = vcpu_get(machine->vcpu, VCPU_CR8);
    if (msr_read(machine, MSR_SEV_STATUS, &cpu->sev_status) != MSR_OK) {
        cpu->sev_status = 0;
    }
}

static bool cpu_take_saved(struct run *run, const struct vcpu_slot *slot, struct gdb_cpu *cpu)
{
    struct machine *machine = run_machine(run);
    const struct vcpu_level *level = &slot->level[slot->vmpl];
    const uint8_t *bytes = machine->state.launch_vmsa;

    if (!level->known) {
        return false;
    }
    cpu->memory_page = MEMORY_NO_PAGE;
    if (level->vmsa_gpa != MACHINE_LAUNCH_VMSA) {
        cpu->memory_page = memory_page(&machine->memory, level->vmsa_gpa);
        if (cpu->memory_page == MEMORY_NO_PAGE ||
            !(machine->memory.flags[cpu->memory_page] & MEMORY_TOUCHED)) {
            return false;
        }
        bytes = memory_bytes(&machine->memory, cpu->memory_page);
    }
    memcpy(cpu->page, bytes, sizeof(cpu->page));
    cpu->vmpl = slot->vmpl;
    cpu->ghcb_msr = level->ghcb_msr;
    return true;
}

bool gdb_cpu_take(struct run *run, uint32_t number, struct gdb_cpu *cpu)
{
    const struct vcpus *vcpus = &run_hypervisor(run)->vcpus;

    if (number >= vcpus->count) {
        return false;
    }
    cpu->number = number;
    cpu->runs = false;
    cpu->retired = run_instructions(run);
    if (number == vcpus->current) {
        cpu_take_running(run, cpu);
        return true;
    }
    return vcpus->slot[number].activity != VCPU_ABSENT &&
           cpu_take_saved(run, &vcpus->slot[number], cpu);
}

static void cpu_give_running(struct run *run, const struct gdb_cpu *cpu)
{
    struct machine *machine = run_machine(run);
    bool resuming = vcpu_expects_resume(machine->vcpu);

    machine->state.ghcb_msr = cpu->ghcb_msr;
    vmsa_load(machine->vcpu, cpu->page);
    vcpu_set(machine->vcpu, VCPU_CR8, cpu->cr8);
    if (resuming) {
        vcpu_expect_resume(machine->vcpu);
    }
}

bool gdb_cpu_give(struct run *run, const struct gdb_cpu *cpu)
{
    struct machine *machine = run_machine(run);
    struct vcpu_slot *slot = &run_hypervisor(run)->vcpus.slot[cpu->number];

    if (vmsa_check(cpu->page)) {
        return false;
    }
    if (cpu->runs) {
        cpu_give_running(run, cpu);
        return true;
    }
    slot->level[slot->vmpl].ghcb_msr = cpu->ghcb_msr;
    memcpy(cpu->memory_page == MEMORY_NO_PAGE
               ? machine->state.launch_vmsa
               : memory_bytes_for_write(&machine->memory, cpu->memory_page),
           cpu->page, sizeof(cpu->page));
    return true;
}

void gdb_cpu_context(const struct gdb_cpu *cpu, struct mmu_context *context)
{
    uint64_t efer = vmsa_get(cpu->page, VMSA_EFER), cr0 = vmsa_get(cpu->page, VMSA_CR0);

    *context = (struct mmu_context){
        .cr0 = cr0,
        .cr3 = vmsa_get(cpu->page, VMSA_CR3),
        .cr4 = vmsa_get(cpu->page, VMSA_CR4),
        .efer = (cr0 & CR0_PG) && (efer & EFER_LME) ? efer | EFER_LMA : efer & ~EFER_LMA,
        .vmpl = cpu->vmpl,
    };
}

uint64_t gdb_cpu_code_gva(const struct gdb_cpu *cpu)
{
    uint64_t attributes = vmsa_get(cpu->page, VMSA_CS) >> 16;
    uint64_t rip = vmsa_get(cpu->page, VMSA_RIP);
    struct mmu_context context;

    gdb_cpu_context(cpu, &context);
    return (context.efer & EFER_LMA) && (attributes & SEGMENT_LONG)
               ? rip
               : (rip + vmsa_get(cpu->page, VMSA_CS + VMSA_SEGMENT_BASE)) & UINT32_MAX;
}
