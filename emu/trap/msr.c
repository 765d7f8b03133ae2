/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trap/msr.h"

#include "abi/msr.h"
#include "abi/x86.h"

#define PAT_ENTRIES 8
#define PAT_TYPES 0xF3u /* bit n: n is a memory type. 2 and 3 are reserved */

static uint64_t msr_get_ghcb(const struct machine *machine)
{
    return machine->state.ghcb_msr;
}

/* Writing has no effect of its own: only VMGEXIT makes the hypervisor look. APM Vol 2 15.35.7. */
static void msr_set_ghcb(struct machine *machine, uint64_t value)
{
    machine->state.ghcb_msr = value;
}

static uint64_t msr_get_virtual_tom(const struct machine *machine)
{
    return machine->state.virtual_tom;
}

/* A write flushes the guest's translations. */
static void msr_set_virtual_tom(struct machine *machine, uint64_t value)
{
    machine_set_virtual_tom(machine, value);
}

/* Whether a bit that reads as zero may be written is not known. */
static enum msr_result msr_check_virtual_tom(const struct machine *machine, uint64_t old,
                                             uint64_t value)
{
    (void)machine;
    (void)old;
    return value & ~VIRTUAL_TOM_MASK ? MSR_UNMODELLED : MSR_OK;
}

static uint64_t msr_get_sev_status(const struct machine *machine)
{
    return machine->state.sev_features << 2 | SEV_STATUS_SEV_ES | SEV_STATUS_SEV;
}

#define EFER_NOT_MODELLED                                                                          \
    (EFER_LMSLE | EFER_FFXSR | EFER_TCE | EFER_MCOMMIT | EFER_INTWB | EFER_UAIE | EFER_AIBRSE)

/*
 * LME cannot change under paging. LMA stays as it is whatever is written: so Linux
 * arch/x86/kvm/x86.c set_efer, Bochs bochs/cpu/crregs.cc SetEFER and QEMU target/i386
 * cpu_load_efer, against a recollection that it must be written as it is. Other bits that have a
 * name depend on what the processor supports, and the engine knows little of them.
 */
static enum msr_result msr_check_efer(const struct machine *machine, uint64_t old, uint64_t value)
{
    uint64_t changed = old ^ value;

    if ((changed & EFER_LME) && (vcpu_get(machine->vcpu, VCPU_CR0) & CR0_PG)) {
        return MSR_GP;
    }
    if (changed & EFER_NOT_MODELLED) {
        return MSR_UNMODELLED;
    }
    return changed & EFER_LMA ? MSR_GUESS : MSR_OK;
}

static enum msr_result msr_check_pat(const struct machine *machine, uint64_t old, uint64_t value)
{
    (void)machine;
    (void)old;
    for (unsigned i = 0; i < PAT_ENTRIES; i++) {
        unsigned type = (value >> (8 * i)) & 0xFF;

        if (type >= 8 || !(PAT_TYPES & (1u << type))) {
            return MSR_GP;
        }
    }
    return MSR_OK;
}

/* How many bits the register has differs between processors; nothing here uses it anyway. */
static enum msr_result msr_check_16(const struct machine *machine, uint64_t old, uint64_t value)
{
    (void)machine;
    (void)old;
    return value >> 16 ? MSR_UNMODELLED : MSR_OK;
}

static enum msr_result msr_check_32(const struct machine *machine, uint64_t old, uint64_t value)
{
    (void)machine;
    (void)old;
    return value >> 32 ? MSR_UNMODELLED : MSR_OK;
}

#define ALL (~0ULL)
#define KVM "Linux arch/x86/kvm/svm/svm.c svm_recalc_msr_intercepts"
#define KVM_ES "Linux arch/x86/kvm/svm/sev.c sev_es_recalc_msr_intercepts"
#define VC "#VC 0x7C"
#define NUMBERS "Linux arch/x86/include/asm/msr-index.h; "
#define SYSCALLS                                                                                   \
    NUMBERS "QEMU target/i386/seg_helper.c helper_syscall, helper_sysret; Bochs "                  \
            "bochs/cpu/proc_ctrl.cc SYSCALL"

/*
 * KVM intercepts what it does not list; the hypervisor answers the event `msr` then. Those that it
 * passes to an SNP guest have their value here or in the engine.
 */
const struct msr_row msr_rows[] = {
    {MSR_TSC, .name = "TSC", .flags = MSR_INTERCEPT, .does = VC, .source = KVM},
    {MSR_APIC_BASE, .name = "APIC_BASE", .flags = MSR_INTERCEPT, .does = VC, .source = KVM},
    {MSR_MTRR_CAP, .name = "MTRR_CAP", .flags = MSR_INTERCEPT, .does = VC, .source = KVM},
    {MSR_SYSENTER_CS, .name = "SYSENTER_CS", .flags = MSR_ENGINE, .write_mask = ALL,
     .check = msr_check_16, .source = KVM},
    {MSR_SYSENTER_ESP, .name = "SYSENTER_ESP", .flags = MSR_ENGINE, .write_mask = ALL,
     .check = msr_check_32, .source = KVM},
    {MSR_SYSENTER_EIP, .name = "SYSENTER_EIP", .flags = MSR_ENGINE, .write_mask = ALL,
     .check = msr_check_32, .source = KVM},
    {MSR_MCG_CAP, MSR_MCG_CAP + 2, "MCG", MSR_INTERCEPT, .does = VC, .source = KVM},
    {MSR_MISC_ENABLE, .name = "MISC_ENABLE", .flags = MSR_INTERCEPT, .does = VC, .source = KVM},
    {MSR_MTRR_VARIABLE, MSR_MTRR_VARIABLE + 15, "MTRR_VARIABLE", MSR_INTERCEPT, .does = VC,
     .source = KVM},
    {MSR_MTRR_FIXED_64K, .name = "MTRR_FIXED_64K", .flags = MSR_INTERCEPT, .does = VC,
     .source = KVM},
    {MSR_MTRR_FIXED_16K, MSR_MTRR_FIXED_16K + 1, "MTRR_FIXED_16K", MSR_INTERCEPT, .does = VC,
     .source = KVM},
    {MSR_MTRR_FIXED_4K, MSR_MTRR_FIXED_4K + 7, "MTRR_FIXED_4K", MSR_INTERCEPT, .does = VC,
     .source = KVM},
    {MSR_PAT, .name = "PAT", .flags = MSR_ENGINE, .reset = PAT_RESET, .write_mask = ALL,
     .check = msr_check_pat, .does = "a reserved memory type: #GP(0)",
     .source = "Linux arch/x86/kvm/x86.h kvm_pat_valid; Bochs bochs/cpu/msr.cc "
               "isValidMSR_PAT; " KVM_ES},
    {MSR_MTRR_DEF_TYPE, .name = "MTRR_DEF_TYPE", .flags = MSR_INTERCEPT, .does = VC, .source = KVM},
    {MSR_X2APIC, MSR_X2APIC + 0xFF, "X2APIC", MSR_INTERCEPT, .does = VC,
     .source = "AMD APM Vol 2 (24593) 15.36.16 and 15.36.21; " KVM},
    {MSR_XSS, .name = "XSS", .flags = MSR_INTERCEPT, .does = VC ": the processor has no XSAVES",
     .source = KVM_ES},
    {MSR_EFER, .name = "EFER", .flags = MSR_ENGINE, .reset = EFER_SVME,
     .write_mask = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_NOT_MODELLED,
     .ignored = EFER_SVME, .check = msr_check_efer,
     .does = "reserved bits, and LME under paging: #GP(0); SVME and LMA are ignored",
     .source =
         "Linux arch/x86/kvm/x86.c set_efer; Bochs bochs/cpu/crregs.cc SetEFER; AMD APM Vol 2 "
         "(24593) 15.36.12; " KVM_ES},
    {MSR_STAR, .name = "STAR", .flags = MSR_ENGINE, .write_mask = ALL, .source = SYSCALLS},
    {MSR_LSTAR, .name = "LSTAR", .flags = MSR_ENGINE | MSR_CANONICAL, .write_mask = ALL,
     .source = SYSCALLS},
    {MSR_CSTAR, .name = "CSTAR", .flags = MSR_ENGINE | MSR_CANONICAL, .write_mask = ALL,
     .source = SYSCALLS},
    {MSR_SFMASK, .name = "SFMASK", .flags = MSR_ENGINE, .write_mask = ALL, .check = msr_check_32,
     .source = SYSCALLS},
    {MSR_FS_BASE, .name = "FS_BASE", .flags = MSR_ENGINE | MSR_CANONICAL, .write_mask = ALL,
     .source = NUMBERS "arch/x86/kvm/x86.c __kvm_set_msr"},
    {MSR_GS_BASE, .name = "GS_BASE", .flags = MSR_ENGINE | MSR_CANONICAL, .write_mask = ALL,
     .source = NUMBERS "arch/x86/kvm/x86.c __kvm_set_msr"},
    {MSR_KERNEL_GS_BASE, .name = "KERNEL_GS_BASE", .flags = MSR_ENGINE | MSR_CANONICAL,
     .write_mask = ALL, .source = NUMBERS "arch/x86/kvm/x86.c __kvm_set_msr"},
    {MSR_TSC_AUX, .name = "TSC_AUX", .flags = MSR_INTERCEPT,
     .does = VC ": the processor does not virtualize it", .source = KVM_ES},
    {MSR_SYSCFG, .name = "SYSCFG", .flags = MSR_INTERCEPT, .does = VC, .source = KVM},
    {MSR_HWCR, .name = "HWCR", .flags = MSR_INTERCEPT, .does = VC, .source = KVM},
    {MSR_VM_CR, .name = "VM_CR", .flags = MSR_INTERCEPT, .does = VC, .source = KVM},
    {MSR_VM_HSAVE_PA, .name = "VM_HSAVE_PA", .flags = MSR_INTERCEPT, .does = VC, .source = KVM},
    {MSR_VM_PAGE_FLUSH, .name = "VM_PAGE_FLUSH", .flags = MSR_INTERCEPT, .does = VC, .source = KVM},
    {MSR_GHCB, .name = "GHCB", .write_mask = ALL, .get = msr_get_ghcb, .set = msr_set_ghcb,
     .source = "AMD APM Vol 2 (24593) 15.35.7"},
    {MSR_SEV_STATUS, .name = "SEV_STATUS", .flags = MSR_READ_ONLY, .get = msr_get_sev_status,
     .does = "from SEV_FEATURES; written: #GP(0)", .source = "AMD APM Vol 2 (24593) 15.34.10"},
    {MSR_RMP_BASE, MSR_RMP_END, "RMP_BASE", MSR_INTERCEPT, .does = VC, .source = KVM},
    {MSR_GUEST_TSC_FREQ, .name = "GUEST_TSC_FREQ", .flags = MSR_INTERCEPT,
     .does = VC ": secure TSC is not active", .source = KVM_ES},
    {MSR_VIRTUAL_TOM, .name = "VIRTUAL_TOM", .write_mask = ALL, .check = msr_check_virtual_tom,
     .get = msr_get_virtual_tom, .set = msr_set_virtual_tom,
     .does = "#GP(0) unless SEV_FEATURES has it; written: flushes",
     .source = "AMD APM Vol 2 (24593) 15.36.8"},
    {MSR_SECURE_AVIC, .name = "SECURE_AVIC", .flags = MSR_INTERCEPT | MSR_UNVERIFIED, .does = VC,
     .source = KVM},
    {MSR_SVSM_CAA, .name = "SVSM_CAA", .flags = MSR_INTERCEPT | MSR_UNVERIFIED,
     .does = VC ", which the guest's own handler answers",
     .source = "tianocore/edk2 MdePkg/Include/Register/Amd/SvsmMsr.h; " KVM},
};
const size_t msr_row_count = sizeof(msr_rows) / sizeof(msr_rows[0]);

const struct msr_row *msr_row_by_index(uint32_t index)
{
    for (size_t i = 0; i < msr_row_count; i++) {
        uint32_t last = msr_rows[i].last ? msr_rows[i].last : msr_rows[i].index;

        if (index >= msr_rows[i].index && index <= last) {
            return &msr_rows[i];
        }
    }
    return NULL;
}

/* What both directions have in common. MSR_OK: go on. */
static enum msr_result msr_reach(const struct machine *machine, const struct msr_row *row)
{
    if (!row) {
        return MSR_UNMODELLED;
    }
    if (row->index == MSR_VIRTUAL_TOM && !(machine->state.sev_features & SEV_FEATURE_VTOM)) {
        return MSR_GP;
    }
    if (row->flags & MSR_INTERCEPT) {
        return MSR_VC;
    }
    return row->get || (row->flags & MSR_ENGINE) ? MSR_OK : MSR_GP;
}

static uint64_t msr_value(const struct machine *machine, const struct msr_row *row)
{
    return row->flags & MSR_ENGINE ? vcpu_get_msr(machine->vcpu, row->index) : row->get(machine);
}

enum msr_result msr_read(const struct machine *machine, uint32_t index, uint64_t *value)
{
    const struct msr_row *row = msr_row_by_index(index);
    enum msr_result result = msr_reach(machine, row);

    if (result == MSR_OK) {
        *value = msr_value(machine, row);
    }
    return result;
}

enum msr_result msr_write(struct machine *machine, uint32_t index, uint64_t value)
{
    const struct msr_row *row = msr_row_by_index(index);
    enum msr_result result = msr_reach(machine, row);
    uint64_t old;

    if (result != MSR_OK) {
        return result;
    }
    if ((row->flags & MSR_READ_ONLY) || ((row->flags & MSR_CANONICAL) && !mmu_canonical(value))) {
        return MSR_GP;
    }
    old = msr_value(machine, row);
    value = (value & ~row->ignored) | (old & row->ignored);
    if ((value ^ old) & ~row->write_mask) {
        return MSR_GP;
    }
    result = row->check ? row->check(machine, old, value) : MSR_OK;
    if (result != MSR_OK && result != MSR_GUESS) {
        return result;
    }
    if (row->flags & MSR_ENGINE) {
        vcpu_set_msr(machine->vcpu, index, value);
    } else {
        row->set(machine, value);
    }
    return result;
}
