/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * double-fetch: of each byte that the hypervisor lent memory to is remembered under which answer it
 * was read. The valid bitmap is looked at again and again by design; what an exit's row calls a
 * poll is read until it changes.
 */
#include <stdlib.h>
#include <string.h>

#include "check/oracle_internal.h"

static struct fetch_marks *marks_new(const struct oracles *oracles)
{
    return calloc(1, oracles->exact ? sizeof(struct fetch_marks)
                                    : sizeof(((struct fetch_marks *)NULL)->answer));
}

/* Of the bytes from `low` on, before `high`. */
static void marks_copy(const struct oracles *oracles, struct fetch_marks *to,
                       const struct fetch_marks *from, size_t low, size_t high)
{
    size_t count = high > low ? high - low : 0;

    memcpy(to->answer + low, from->answer + low, count * sizeof(to->answer[0]));
    if (oracles->exact) {
        memcpy(to->code_gva + low, from->code_gva + low, count * sizeof(to->code_gva[0]));
        memcpy(to->retired + low, from->retired + low, count * sizeof(to->retired[0]));
    }
}

/* A page that may be marked. NULL: no room for another one, or out of memory. */
static struct fetched *fetched_page(struct oracles *oracles, uint32_t page)
{
    uint16_t *index = &oracles->fetched_index[page];
    struct fetched *fetched;

    if (*index == 0) {
        struct fetch_marks *marks =
            oracles->fetched_count < FETCHED_MAX ? marks_new(oracles) : NULL;

        if (!marks) {
            return NULL;
        }
        oracles->fetched[oracles->fetched_count++] = (struct fetched){.marks = marks};
        *index = (uint16_t)oracles->fetched_count;
    }
    fetched = &oracles->fetched[*index - 1];
    if (fetched->kept_at != oracles->saves) {
        if (!fetched->kept && !(fetched->kept = marks_new(oracles))) {
            return NULL;
        }
        marks_copy(oracles, fetched->kept, fetched->marks, 0, PAGE_SIZE);
        fetched->kept_at = oracles->saves;
        fetched->low = PAGE_SIZE;
        fetched->high = 0;
    }
    return fetched;
}

void double_fetch_restore(struct oracles *oracles)
{
    for (size_t i = 0; i < oracles->fetched_count; i++) {
        struct fetched *fetched = &oracles->fetched[i];

        if (fetched->kept_at == oracles->saves) {
            marks_copy(oracles, fetched->marks, fetched->kept, fetched->low, fetched->high);
            fetched->low = PAGE_SIZE;
            fetched->high = 0;
        }
    }
}

void double_fetch_forget(struct oracles *oracles)
{
    for (size_t i = 0; i < oracles->fetched_count; i++) {
        free(oracles->fetched[i].marks);
        free(oracles->fetched[i].kept);
    }
    oracles->fetched_count = 0;
    memset(oracles->fetched_index, 0, oracles->page_count * sizeof(*oracles->fetched_index));
}

void double_fetch_free(struct oracles *oracles)
{
    if (oracles->fetched_index) {
        double_fetch_forget(oracles);
    }
    free(oracles->fetched);
    free(oracles->fetched_index);
}

/* Is it memory that carries an answer? */
static bool fetch_counts(struct oracles *oracles, const struct oracle_access *access)
{
    const struct lent *lent;
    uint64_t offset;

    if (access->write || !access->shared || !oracles->vcpu[access->vcpu].answer) {
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
    struct fetch_marks *marks;
    bool again = false;

    if (!fetch_counts(oracles, access) || !(fetched = fetched_page(oracles, access->page))) {
        return;
    }
    marks = fetched->marks;
    fetched->low = at < fetched->low ? at : fetched->low;
    fetched->high =
        at + access->size_bytes > fetched->high ? at + access->size_bytes : fetched->high;
    for (uint64_t i = at; i < at + access->size_bytes; i++) {
        /* Pieces of one instruction are one read. */
        if (marks->answer[i] == vcpu->answer &&
            !(oracles->exact && marks->retired[i] == access->retired)) {
            again = true;
            first_gva = oracles->exact && !first_gva ? marks->code_gva[i] : first_gva;
            continue;
        }
        marks->answer[i] = vcpu->answer;
        if (oracles->exact) {
            marks->code_gva[i] = access->code_gva;
            marks->retired[i] = access->retired;
        }
    }
    if (again) {
        oracle_hit_access(oracles, ORACLE_DOUBLE_FETCH, access, first_gva,
                          "read again within one answer");
    }
}
