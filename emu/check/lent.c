/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that the guest lends to the hypervisor: the rows of the exit tables say which. It counts
 * as lent until the same vCPU makes an exit of the same kind again, or validates any of it. Whether
 * it is shared at all is looked at when it is used.
 */
#include <string.h>

#include "check/oracle_internal.h"

static void lent_drop(struct oracles *oracles, size_t i)
{
    struct lent *lent = oracles->table->lent;

    oracles->state.lent_count--;
    memmove(&lent[i], &lent[i + 1], (oracles->state.lent_count - i) * sizeof(*lent));
}

void lent_exit(struct oracles *oracles, const struct exit *exit, const struct exit_buffer *buffer,
               size_t count)
{
    struct oracle_state *state = &oracles->state;
    struct oracle_tables *table = oracles->table;

    for (size_t i = state->lent_count; i-- > 0;) {
        if (table->lent[i].row == exit->row && table->lent[i].vcpu == exit->vcpu) {
            lent_drop(oracles, i);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (state->lent_count == LENT_MAX) {
            lent_drop(oracles, 0);
        }
        table->lent[state->lent_count++] =
            (struct lent){.buffer = buffer[i], .row = exit->row, .vcpu = exit->vcpu};
    }
}

/* The guest has its pages back: they are lent no more. */
bool lent_taken_back(struct oracles *oracles, uint64_t gpa, uint64_t size_bytes)
{
    struct oracle_state *state = &oracles->state;
    struct oracle_tables *table = oracles->table;
    bool guarded = false;

    for (size_t i = state->lent_count; i-- > 0;) {
        const struct exit_buffer *buffer = &table->lent[i].buffer;

        if (ranges_meet(gpa, size_bytes, buffer->gpa, buffer->size_bytes)) {
            guarded = guarded || table->lent[i].guard_gva;
            lent_drop(oracles, i);
        }
    }
    return guarded;
}

struct lent *lent_at(struct oracles *oracles, uint64_t gpa, uint64_t size_bytes)
{
    struct oracle_state *state = &oracles->state;
    struct oracle_tables *table = oracles->table;

    for (size_t i = state->lent_count; i-- > 0;) {
        struct lent *lent = &table->lent[i];

        if (ranges_meet(gpa, size_bytes, lent->buffer.gpa, lent->buffer.size_bytes)) {
            return lent;
        }
    }
    return NULL;
}

struct lent *lent_guard(struct oracles *oracles, uint64_t gva)
{
    struct oracle_state *state = &oracles->state;
    struct oracle_tables *table = oracles->table;

    for (size_t i = state->lent_count; i-- > 0;) {
        if (table->lent[i].guard_gva && table->lent[i].guard_gva == (gva & ~PAGE_MASK)) {
            return &table->lent[i];
        }
    }
    return NULL;
}

bool lent_seen(struct oracles *oracles, uint64_t gva, uint64_t gpa)
{
    struct oracle_state *state = &oracles->state;
    struct oracle_tables *table = oracles->table;
    bool made = false;

    for (size_t i = 0; i < state->lent_count; i++) {
        struct lent *lent = &table->lent[i];
        uint64_t end = lent->buffer.gpa + lent->buffer.size_bytes;

        if (!lent->guard_gva && (end & PAGE_MASK) == 0 && (gpa & ~PAGE_MASK) + PAGE_SIZE == end) {
            lent->guard_gva = (gva & ~PAGE_MASK) + PAGE_SIZE;
            made = true;
        }
    }
    return made;
}
