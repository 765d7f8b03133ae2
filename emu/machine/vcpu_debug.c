/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's own instruction breakpoints. The engine's are not used: it never gets to know DR7,
 * and a hook at each address says when it is reached. RF lets the guest get past one: it holds for
 * the first instruction after the IRET that set it, and the vCPU clears it there by itself.
 */
#include "abi/x86.h"
#include "machine/vcpu_engine.h"

bool vcpu_debug_attends(const struct vcpu *vcpu)
{
    return vcpu->resuming || vcpu->debug_count;
}

void vcpu_debug_resumed(struct vcpu *vcpu, uint64_t gva)
{
    vcpu->resumed_gva = gva;
    vcpu->resumed_at = vcpu_retired(vcpu);
}

void vcpu_debug_forget(struct vcpu *vcpu)
{
    vcpu->resumed_at = UINT64_MAX;
}

bool vcpu_debug_passes(const struct vcpu *vcpu)
{
    return vcpu->resumed_at == vcpu_retired(vcpu) && vcpu->resumed_gva == vcpu_code_gva(vcpu);
}

bool vcpu_debug_stops(struct vcpu *vcpu, uint64_t gva)
{
    for (uint32_t i = 0; i < vcpu->debug_count; i++) {
        if (vcpu->debug[i].gva == gva) {
            return gva != vcpu->resumed_gva || vcpu_retired_at(vcpu, gva) != vcpu->resumed_at;
        }
    }
    return false;
}

static void vcpu_on_debug(uc_engine *uc, uint64_t gva, uint32_t size, void *opaque)
{
    struct vcpu *vcpu = opaque;

    (void)size;
    if (vcpu_debug_stops(vcpu, gva)) {
        vcpu->stop.kind = VCPU_STOP_DEBUG;
        uc_emu_stop(uc);
    }
}

/* The addresses that DR7 enables as instruction breakpoints, each once. */
static uint32_t debug_wanted(const struct vcpu *vcpu, uint64_t gva[DEBUG_MAX])
{
    static const enum vcpu_register address[DEBUG_MAX] = {VCPU_DR0, VCPU_DR1, VCPU_DR2, VCPU_DR3};
    uint64_t dr7 = vcpu_get(vcpu, VCPU_DR7);
    uint32_t count = 0;

    for (unsigned i = 0; i < DEBUG_MAX; i++) {
        bool known = false;

        if (!(dr7 & DR7_ENABLE(i)) || DR7_TYPE(dr7, i) != DR7_TYPE_EXECUTE) {
            continue;
        }
        gva[count] = vcpu_get(vcpu, address[i]);
        for (uint32_t k = 0; k < count; k++) {
            known = known || gva[k] == gva[count];
        }
        count += !known;
    }
    return count;
}

static bool debug_same(const struct vcpu *vcpu, const uint64_t *gva, uint32_t count)
{
    if (vcpu->debug_count != count) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (vcpu->debug[i].gva != gva[i]) {
            return false;
        }
    }
    return true;
}

int vcpu_debug_update(struct vcpu *vcpu, struct error *error)
{
    uint64_t gva[DEBUG_MAX];
    uint32_t count = debug_wanted(vcpu, gva);

    vcpu->debug_stale = false;
    if (debug_same(vcpu, gva, count)) {
        return 0;
    }
    for (uint32_t i = 0; i < vcpu->debug_count; i++) {
        uc_hook_del(vcpu->uc, vcpu->debug[i].hook);
    }
    for (vcpu->debug_count = 0; vcpu->debug_count < count; vcpu->debug_count++) {
        struct site *site = &vcpu->debug[vcpu->debug_count];

        site->gva = gva[vcpu->debug_count];
        if (uc_hook_add(vcpu->uc, &site->hook, UC_HOOK_CODE, (void *)vcpu_on_debug, vcpu, site->gva,
                        site->gva)) {
            return error_set(error, SNPEMU_ERR_INTERNAL, "the CPU engine refuses a breakpoint");
        }
    }
    vcpu_code_changed(vcpu);
    return 0;
}
