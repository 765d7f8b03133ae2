/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/vcpu_engine.h"

/* The engine's control macros shift into an int's sign bit, which UBSan reports. */
#define ENGINE_CONTROL __attribute__((no_sanitize("shift")))

ENGINE_CONTROL uc_err engine_use_vtlb(uc_engine *uc)
{
    return uc_ctl_tlb_mode(uc, UC_TLB_VIRTUAL);
}

/* Blocks that are translated from now on end before `gva`. NULL: none does. */
ENGINE_CONTROL uc_err engine_set_exit(uc_engine *uc, const uint64_t *gva)
{
    uint64_t exit = gva ? *gva : 0;

    return uc_ctl_set_exits(uc, &exit, gva ? 1 : 0);
}

ENGINE_CONTROL uc_err engine_use_no_exits(uc_engine *uc)
{
    uc_err err = uc_ctl_exits_enable(uc);

    return err ? err : engine_set_exit(uc, NULL);
}

ENGINE_CONTROL uc_err engine_set_model(uc_engine *uc)
{
    return uc_ctl_set_cpu_model(uc, UC_CPU_X86_EPYC_ROME);
}

ENGINE_CONTROL void engine_flush_tlb(uc_engine *uc)
{
    uc_ctl_flush_tlb(uc);
}

ENGINE_CONTROL void engine_flush_blocks(uc_engine *uc)
{
    uc_ctl_flush_tb(uc);
}

ENGINE_CONTROL void engine_remove_block(uc_engine *uc, uint64_t gva, uint32_t size)
{
    uc_ctl_remove_cache(uc, gva, gva + size);
}
