/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The oracles' state in a snapshot: what is in use of each table, and no more.
 */
#include <stdlib.h>
#include <string.h>

#include "check/oracle_internal.h"

static void copy_tables(struct oracle_tables *to, const struct oracle_tables *from,
                        const struct oracle_state *state)
{
    memcpy(to->lent, from->lent, state->lent_count * sizeof(from->lent[0]));
    memcpy(to->stale, from->stale, state->stale_count * sizeof(from->stale[0]));
    memcpy(to->store, from->store, state->store_count * sizeof(from->store[0]));
    memcpy(to->load, from->load, sizeof(from->load));
    memcpy(to->report, from->report, state->report_count * sizeof(from->report[0]));
}

static void restore_bits(struct oracles *oracles)
{
    if (oracles->bits_changed_count > BITS_CHANGED_MAX) {
        memcpy(oracles->validated, oracles->saved_validated, 2 * bits_size(oracles->page_count));
    } else {
        for (size_t i = 0; i < oracles->bits_changed_count; i++) {
            uint32_t at = oracles->bits_changed[i];

            oracles->validated[at] = oracles->saved_validated[at];
        }
    }
    oracles->bits_changed_count = 0;
}

int oracles_save(struct oracles *oracles, struct error *error)
{
    if (!oracles->saved_table) {
        oracles->saved_table = calloc(1, sizeof(*oracles->saved_table));
    }
    if (!oracles->saved_vcpu) {
        oracles->saved_vcpu = calloc(oracles->vcpu_count, sizeof(*oracles->saved_vcpu));
    }
    if (!oracles->saved_validated) {
        oracles->saved_validated = malloc(2 * bits_size(oracles->page_count));
    }
    if (!oracles->saved_table || !oracles->saved_vcpu || !oracles->saved_validated) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a snapshot");
    }
    oracles->saved_state = oracles->state;
    copy_tables(oracles->saved_table, oracles->table, &oracles->state);
    memcpy(oracles->saved_validated, oracles->validated, 2 * bits_size(oracles->page_count));
    oracles->bits_changed_count = 0;
    memcpy(oracles->saved_vcpu, oracles->vcpu, oracles->vcpu_used * sizeof(*oracles->vcpu));
    oracles->saved_vcpu_used = oracles->vcpu_used;
    oracles->saves++;
    oracles->flush_due = false; /* the machine's snapshot has done so */
    return SNPEMU_OK;
}

void oracles_restore(struct oracles *oracles)
{
    uint32_t used = oracles->saved_vcpu_used;

    oracles->state = oracles->saved_state;
    copy_tables(oracles->table, oracles->saved_table, &oracles->state);
    restore_bits(oracles);
    memset(&oracles->vcpu[used], 0, (oracles->vcpu_used - used) * sizeof(*oracles->vcpu));
    memcpy(oracles->vcpu, oracles->saved_vcpu, used * sizeof(*oracles->vcpu));
    oracles->vcpu_used = used;
    oracles->flush_due = false;
    double_fetch_restore(oracles);
}
