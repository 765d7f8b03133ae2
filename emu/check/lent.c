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

void lent_exit(struct oracles *oracles, const struct exit *exit, const struct exit_buffer *buffer,
               size_t count)
{
    struct oracle_state *state = &oracles->state;

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
    }
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

struct lent *lent_guard(struct oracles *oracles, uint64_t gva)
{
    struct oracle_state *state = &oracles->state;

    for (size_t i = state->lent_count; i-- > 0;) {
        if (state->lent[i].guard_gva && state->lent[i].guard_gva == (gva & ~PAGE_MASK)) {
            return &state->lent[i];
        }
    }
    return NULL;
}

bool lent_seen(struct oracles *oracles, uint64_t gva, uint64_t gpa)
{
    struct oracle_state *state = &oracles->state;
    bool made = false;

    for (size_t i = 0; i < state->lent_count; i++) {
        struct lent *lent = &state->lent[i];
        uint64_t end = lent->buffer.gpa + lent->buffer.size_bytes;

        if (!lent->guard_gva && (end & PAGE_MASK) == 0 && (gpa & ~PAGE_MASK) + PAGE_SIZE == end) {
            lent->guard_gva = (gva & ~PAGE_MASK) + PAGE_SIZE;
            made = true;
        }
    }
    return made;
}
