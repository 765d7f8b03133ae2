/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * double-fetch: of each byte that the hypervisor lent memory to is remembered under which answer it
 * was read. The valid bitmap is looked at again and again by design; what an exit's row calls a
 * poll is read until it changes.
 */
#include <stdlib.h>

#include "check/oracle_internal.h"

static struct fetched *fetched_page(struct oracles *oracles, uint32_t page)
{
    if (!oracles->fetched[page]) {
        oracles->fetched[page] = calloc(1, oracles->exact ? sizeof(struct fetched)
                                                          : sizeof(oracles->fetched[0]->answer));
    }
    return oracles->fetched[page];
}

/* Is it memory that carries an answer? */
static bool fetch_counts(struct oracles *oracles, const struct oracle_access *access)
{
    const struct lent *lent;
    uint64_t offset;

    if (access->write || !access->shared || !oracles->vcpu[access->vcpu].answered) {
        return false;
    }
    if (oracle_in_ghcb(oracles, access, &offset)) {
        return offset + access->size_bytes <= GHCB_VALID_BITMAP ||
               (offset >= GHCB_SHARED_BUFFER &&
                offset < GHCB_SHARED_BUFFER + GHCB_SHARED_BUFFER_SIZE);
    }
    lent = lent_at(oracles, access->gpa, access->size_bytes);
    return lent && !lent->buffer.poll;
}

void double_fetch_access(struct oracles *oracles, const struct oracle_access *access)
{
    const struct oracle_vcpu *vcpu = &oracles->vcpu[access->vcpu];
    uint64_t at = access->gpa & PAGE_MASK, first_gva = 0;
    struct fetched *fetched;
    bool again = false;

    if (!fetch_counts(oracles, access) || !(fetched = fetched_page(oracles, access->page))) {
        return;
    }
    for (uint64_t i = at; i < at + access->size_bytes; i++) {
        bool known =
            fetched->answer[i] == vcpu->answer || fetched->answer[i] == vcpu->answer_before;

        /* Pieces of one instruction are one read. */
        if (known && !(oracles->exact && fetched->retired[i] == access->retired)) {
            again = true;
            first_gva = oracles->exact && !first_gva ? fetched->code_gva[i] : first_gva;
            continue;
        }
        fetched->answer[i] = vcpu->answer;
        if (oracles->exact) {
            fetched->code_gva[i] = access->code_gva;
            fetched->retired[i] = access->retired;
        }
    }
    if (again) {
        oracle_hit_access(oracles, ORACLE_DOUBLE_FETCH, access, first_gva,
                          "read again within one answer");
    }
}
