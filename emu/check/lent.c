/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory that the guest lends to the hypervisor: the rows of the exit tables say which. It counts
 * as lent until the same vCPU makes an exit of the same kind again. Whether it is shared at all is
 * looked at when it is used.
 */
#include <string.h>

#include "check/oracle_internal.h"

static void lent_drop(struct oracle_state *state, size_t i)
{
    state->lent_count--;
    memmove(&state->lent[i], &state->lent[i + 1], (state->lent_count - i) * sizeof(state->lent[0]));
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

bool lent_exit(struct oracles *oracles, const struct exit *exit, const struct exit_buffer *buffer,
               size_t count)
{
    struct oracle_state *state = &oracles->state;
    bool watch = false;

    for (size_t i = state->lent_count; i-- > 0;) {
        if (state->lent[i].row == exit->row && state->lent[i].vcpu == exit->vcpu) {
            lent_drop(state, i);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (state->lent_count == LENT_MAX) {
            lent_drop(state, 0);
        }
        state->lent[state->lent_count++] =
            (struct lent){.buffer = buffer[i], .row = exit->row, .vcpu = exit->vcpu};
        watch = watch || last_page(&buffer[i]) != exit->ghcb_gpa;
    }
    return watch;
}

struct lent *lent_at(struct oracles *oracles, uint64_t gpa, uint64_t size_bytes)
{
    struct oracle_state *state = &oracles->state;

    for (size_t i = state->lent_count; i-- > 0;) {
        struct lent *lent = &state->lent[i];

        if (ranges_meet(gpa, size_bytes, lent->buffer.gpa, lent->buffer.size_bytes)) {
            return lent;
        }
    }
    return NULL;
}

bool lent_ends_at(const struct oracles *oracles, uint64_t gpa)
{
    const struct oracle_state *state = &oracles->state;
    uint64_t page_gpa = gpa & ~PAGE_MASK;

    for (size_t i = 0; i < state->lent_count; i++) {
        const struct lent *lent = &state->lent[i];

        if (last_page(&lent->buffer) == page_gpa ||
            (lent->guard_gpa && lent->guard_gpa == page_gpa)) {
            return true;
        }
    }
    return false;
}

bool lent_seen(struct oracles *oracles, uint64_t gva, uint64_t gpa, bool shared)
{
    struct oracle_state *state = &oracles->state;
    uint64_t page_gva = gva & ~PAGE_MASK, page_gpa = gpa & ~PAGE_MASK;
    bool changed = false;

    for (size_t i = 0; i < state->lent_count; i++) {
        struct lent *lent = &state->lent[i];
        uint64_t end = lent->buffer.gpa + lent->buffer.size_bytes;

        if (shared && !lent->guard_gva && ends_with_page(&lent->buffer) &&
            page_gpa + PAGE_SIZE == end) {
            lent->guard_gva = page_gva + PAGE_SIZE;
            changed = true;
        } else if (lent->guard_gva && lent->guard_gva == page_gva) {
            lent->guard_gpa = page_gpa;
        }
    }
    return changed;
}
