/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unmarked: a read of a GHCB field for which the hypervisor's last answer set no mark, and which
 * the guest has not written since. A mark that the guest made before the exit says nothing: a
 * hypervisor may leave the bitmap alone. See own.c for one that changes it in memory.
 *
 * Source: GHCB specification (AMD 56421), as far as Linux arch/x86/include/asm/sev-common.h and
 * arch/x86/kvm/svm/sev.c show it: a field counts only when its bit is set.
 */
#include <stdio.h>

#include "check/oracle_internal.h"

void unmarked_access(struct oracles *oracles, const struct oracle_access *access)
{
    const struct oracle_vcpu *vcpu = &oracles->vcpu[access->vcpu];
    uint64_t offset;
    char what[64];

    /* Who knows which marks the guest has found there. */
    if (oracles->state.moved) {
        return;
    }
    if (access->write || !access->shared || !vcpu->answer ||
        !oracle_in_ghcb(oracles, access, &offset) || offset >= GHCB_VALID_BITMAP) {
        return;
    }
    for (uint32_t left =
             ghcb_fields_at(offset, access->size_bytes) & ~(vcpu->marked | vcpu->written);
         left; left &= left - 1) {
        snprintf(what, sizeof(what), "%s used, which the answer did not mark",
                 ghcb_field_rows[__builtin_ctz(left)].name);
        oracle_hit_access(oracles, ORACLE_UNMARKED, access, 0, what);
    }
}
