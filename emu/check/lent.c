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

/* Where a buffer ends with a page another page stands behind it, and it takes the guest's tables to
   say which. */
static bool ends_with_page(const struct exit_buffer *buffer)
{
    return ((buffer->gpa + buffer->size_bytes) & PAGE_MASK) == 0;
}

static uint64_t last_page(const struct exit_buffer *buffer)
{
    return (buffer->gpa + buffer->size_bytes - 1) & ~PAGE_MASK;
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
        table->lent[state->lent_count++] = (struct lent){
            .buffer = buffer[i], .row = exit->row, .exit_number = exit->number, .vcpu = exit->vcpu};
        if (last_page(&buffer[i]) != exit->ghcb_gpa) { /* that one is watched at all times */
            oracles->ops.forget_page(oracles->ops.context, last_page(&buffer[i]));
        }
    }
}

/* The guest has its pages back: they are lent no more. */
void lent_taken_back(struct oracles *oracles, uint64_t gpa, uint64_t size_bytes)
{
    struct oracle_state *state = &oracles->state;
    struct oracle_tables *table = oracles->table;

    for (size_t i = state->lent_count; i-- > 0;) {
        const struct exit_buffer *buffer = &table->lent[i].buffer;
        uint64_t guard_gva = table->lent[i].guard_gva;

        if (ranges_meet(gpa, size_bytes, buffer->gpa, buffer->size_bytes)) {
            lent_drop(oracles, i);
            if (guard_gva) {
                oracles->ops.forget_address(oracles->ops.context, guard_gva);
            }
        }
    }
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

bool lent_ends_at(const struct oracles *oracles, uint64_t gpa)
{
    uint64_t page_gpa = gpa & ~PAGE_MASK;

    for (size_t i = 0; i < oracles->state.lent_count; i++) {
        const struct lent *lent = &oracles->table->lent[i];

        if (last_page(&lent->buffer) == page_gpa ||
            (lent->guard_gpa && lent->guard_gpa == page_gpa)) {
            return true;
        }
    }
    return false;
}

bool lent_waits_for(const struct oracles *oracles, uint64_t gva, uint64_t gpa)
{
    for (size_t i = 0; i < oracles->state.lent_count; i++) {
        const struct lent *lent = &oracles->table->lent[i];

        if ((!lent->guard_gva && ends_with_page(&lent->buffer) &&
             last_page(&lent->buffer) == (gpa & ~PAGE_MASK)) ||
            (lent->guard_gva && lent->guard_gva == (gva & ~PAGE_MASK))) {
            return true;
        }
    }
    return false;
}

uint64_t lent_seen(struct oracles *oracles, uint64_t gva, uint64_t gpa, bool shared)
{
    struct oracle_state *state = &oracles->state;
    struct oracle_tables *table = oracles->table;
    uint64_t page_gva = gva & ~PAGE_MASK, page_gpa = gpa & ~PAGE_MASK;
    uint64_t guard_gva = 0;

    for (size_t i = 0; i < state->lent_count; i++) {
        struct lent *lent = &table->lent[i];
        uint64_t end = lent->buffer.gpa + lent->buffer.size_bytes;

        if (shared && !lent->guard_gva && ends_with_page(&lent->buffer) &&
            page_gpa + PAGE_SIZE == end) {
            lent->guard_gva = page_gva + PAGE_SIZE;
            guard_gva = lent->guard_gva;
        } else if (lent->guard_gva && lent->guard_gva == page_gva) {
            lent->guard_gpa = page_gpa;
        }
    }
    return guard_gva;
}
