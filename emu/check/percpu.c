/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "check/percpu.h"

#include <inttypes.h>
#include <stdio.h>

#include "abi/msr.h"
#include "check/oracle_internal.h"

static const char *shared_by(const struct percpu_row *a, const struct percpu_row *b)
{
    if (a->apic_id == b->apic_id) {
        return "APIC ID";
    }
    if (a->index == b->index) {
        return "index";
    }
    if (a->ghcb && a->ghcb == b->ghcb) {
        return "GHCB";
    }
    return a->vmsa && a->vmsa == b->vmsa ? "save area" : NULL;
}

bool percpu_table_ok(const struct percpu_row *row, size_t count, uint32_t bsp_apic_id, size_t *at,
                     char *why, size_t size)
{
    *at = 0;
    if (count > 0 && row[0].apic_id != bsp_apic_id) {
        snprintf(why, size, "CPU 0 has APIC ID %" PRIu32 ", the boot CPU's is %" PRIu32,
                 row[0].apic_id, bsp_apic_id);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        *at = i;
        for (size_t j = 0; j < i; j++) {
            const char *what = shared_by(&row[i], &row[j]);

            if (what) {
                snprintf(why, size, "CPUs %zu and %zu have one %s", j, i, what);
                return false;
            }
        }
        if (row[i].index != i) {
            snprintf(why, size, "CPU %zu has index %" PRIu32, i, row[i].index);
            return false;
        }
    }
    return true;
}

/* A GHCB that the guest registers must be shared already: the hypervisor cannot read it else. */
void percpu_exit(struct oracles *oracles, const struct exit *exit)
{
    uint64_t gpa = exit->msr & ~GHCB_MSR_INFO_MASK;
    struct oracle_hit hit = {
        .kind = ORACLE_PERCPU, .vcpu = exit->vcpu, .retired = exit->time, .gpa = gpa};

    if (exit->protocol == EXIT_MSR && (exit->msr & GHCB_MSR_INFO_MASK) == GHCB_MSR_REGISTER_REQ &&
        !oracles->ops.shared_page(oracles->ops.context, gpa)) {
        snprintf(hit.what, sizeof(hit.what), "a GHCB is registered that is not shared");
        oracles_report(oracles, &hit);
    }
}
