/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trap/msr.h"

#include "abi/msr.h"

static uint64_t msr_get_ghcb(const struct machine *machine)
{
    return machine->state.ghcb_msr;
}

/* Writing has no effect of its own: only VMGEXIT makes the hypervisor look. APM Vol 2 15.35.7. */
static void msr_set_ghcb(struct machine *machine, uint64_t value)
{
    machine->state.ghcb_msr = value;
}

static uint64_t msr_get_sev_status(const struct machine *machine)
{
    return machine->state.sev_features << 2 | SEV_STATUS_SEV_ES | SEV_STATUS_SEV;
}

#define MSR_APM_SYSTEM "AMD APM Vol 2 (24593) 3.1.7 and appendix A"

/*
 * EFER: SCE, LME, NXE may change; LMA follows paging; a write to SVME is ignored in a guest
 * (15.36.12 makes it the VMSA's run lock), so it may be written with any value.
 */
const struct msr_row msr_rows[] = {
    {MSR_EFER, "EFER", MSR_ENGINE, EFER_SCE | EFER_NXE, NULL, NULL, MSR_APM_SYSTEM},
    {MSR_STAR, "STAR", MSR_ENGINE, ~0ULL, NULL, NULL, MSR_APM_SYSTEM},
    {MSR_LSTAR, "LSTAR", MSR_ENGINE | MSR_CANONICAL, ~0ULL, NULL, NULL, MSR_APM_SYSTEM},
    {MSR_CSTAR, "CSTAR", MSR_ENGINE | MSR_CANONICAL, ~0ULL, NULL, NULL, MSR_APM_SYSTEM},
    {MSR_SFMASK, "SFMASK", MSR_ENGINE, 0xFFFFFFFFULL, NULL, NULL, MSR_APM_SYSTEM},
    {MSR_FS_BASE, "FS_BASE", MSR_ENGINE | MSR_CANONICAL, ~0ULL, NULL, NULL, MSR_APM_SYSTEM},
    {MSR_GS_BASE, "GS_BASE", MSR_ENGINE | MSR_CANONICAL, ~0ULL, NULL, NULL, MSR_APM_SYSTEM},
    {MSR_KERNEL_GS_BASE, "KERNEL_GS_BASE", MSR_ENGINE | MSR_CANONICAL, ~0ULL, NULL, NULL,
     MSR_APM_SYSTEM},
    {MSR_GHCB, "GHCB", 0, ~0ULL, msr_get_ghcb, msr_set_ghcb, "AMD APM Vol 2 (24593) 15.35.7"},
    {MSR_SEV_STATUS, "SEV_STATUS", MSR_READ_ONLY, 0, msr_get_sev_status, NULL,
     "AMD APM Vol 2 (24593) 15.34.10"},
};
const size_t msr_row_count = sizeof(msr_rows) / sizeof(msr_rows[0]);

const struct msr_row *msr_row_by_index(uint32_t index)
{
    for (size_t i = 0; i < msr_row_count; i++) {
        if (msr_rows[i].index == index) {
            return &msr_rows[i];
        }
    }
    return NULL;
}

static uint64_t msr_value(const struct machine *machine, const struct msr_row *row)
{
    return row->flags & MSR_ENGINE ? vcpu_get_msr(machine->vcpu, row->index) : row->get(machine);
}

enum msr_result msr_read(const struct machine *machine, uint32_t index, uint64_t *value)
{
    const struct msr_row *row = msr_row_by_index(index);

    if (!row) {
        return MSR_UNMODELLED;
    }
    *value = msr_value(machine, row);
    return MSR_OK;
}

static bool msr_canonical(uint64_t value)
{
    return (uint64_t)((int64_t)(value << 16) >> 16) == value;
}

enum msr_result msr_write(struct machine *machine, uint32_t index, uint64_t value)
{
    const struct msr_row *row = msr_row_by_index(index);
    uint64_t ignored = index == MSR_EFER ? EFER_SVME : 0;
    uint64_t old;

    if (!row) {
        return MSR_UNMODELLED;
    }
    if (row->flags & MSR_READ_ONLY) {
        return MSR_GP;
    }
    if ((row->flags & MSR_CANONICAL) && !msr_canonical(value)) {
        return MSR_GP;
    }
    old = msr_value(machine, row);
    value = (value & ~ignored) | (old & ignored);
    if ((value ^ old) & ~row->write_mask) {
        return row->index == MSR_EFER ? MSR_UNMODELLED : MSR_GP;
    }
    if (row->flags & MSR_ENGINE) {
        vcpu_set_msr(machine->vcpu, index, value);
    } else {
        row->set(machine, value);
    }
    return MSR_OK;
}
