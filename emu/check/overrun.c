/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * overrun: one access that reaches over a lent buffer's end, or an instruction that has walked
 * through the buffer up to its end and goes on behind it. What stands there may be private memory,
 * through the page that is mapped behind the buffer's last one.
 */
#include "check/oracle_internal.h"

/* Where the buffer ends, as far as this access is concerned: its end stands at the page's start
   when the access is in the page behind it. */
static uint64_t behind(const struct lent *lent, const struct oracle_access *access)
{
    uint64_t end = lent->buffer.gpa + lent->buffer.size_bytes;

    return access->guard ? access->gpa & PAGE_MASK : access->gpa - end;
}

/* Has this instruction come near the end? Where instructions are not known: has any? */
static bool came_near(const struct oracles *oracles, const struct lent *lent,
                      const struct oracle_access *access)
{
    uint64_t end = lent->buffer.gpa + lent->buffer.size_bytes;

    if (!oracles->exact) {
        return lent->end[access->write] && end - lent->end[access->write] < LENT_NEAR;
    }
    for (size_t i = 0; i < LENT_TRAIL; i++) {
        if (lent->trail[i].code_gva == access->code_gva && lent->trail[i].write == access->write &&
            end - lent->trail[i].end < LENT_NEAR) {
            return true;
        }
    }
    return false;
}

static void leave_trail(const struct oracles *oracles, struct lent *lent,
                        const struct oracle_access *access)
{
    uint64_t end = access->gpa + access->size_bytes;
    size_t at = 0;

    lent->end[access->write] = end;
    if (!oracles->exact) {
        return;
    }
    while (at < LENT_TRAIL && (lent->trail[at].code_gva != access->code_gva ||
                               lent->trail[at].write != access->write)) {
        at++;
    }
    if (at == LENT_TRAIL) {
        at = lent->trail_next++ % LENT_TRAIL;
    }
    lent->trail[at].code_gva = access->code_gva;
    lent->trail[at].write = access->write;
    lent->trail[at].end = end;
}

/* The buffer that ends right before the access; NULL: none does. */
static struct lent *ends_before(struct oracles *oracles, const struct oracle_access *access)
{
    for (size_t i = oracles->state.lent_count; i-- > 0;) {
        struct lent *lent = &oracles->table->lent[i];

        if (lent->vcpu == access->vcpu && access->guard == (lent->guard_gva != 0) &&
            behind(lent, access) < LENT_BEHIND) {
            return lent;
        }
    }
    return NULL;
}

static void overrun_hit(struct oracles *oracles, const struct oracle_access *access)
{
    oracle_hit_access(oracles, ORACLE_OVERRUN, access, 0,
                      access->write ? "written behind the end of a lent buffer"
                                    : "read behind the end of a lent buffer");
}

void overrun_access(struct oracles *oracles, const struct oracle_access *access)
{
    struct lent *lent = access->shared && !access->guard ? lent_at(oracles, access->gpa, 1) : NULL;
    uint64_t end = lent ? lent->buffer.gpa + lent->buffer.size_bytes : 0;

    if (lent) {
        uint64_t over = access->gpa + access->size_bytes + access->beyond_bytes;

        if (over > end && (access->beyond_bytes || !lent_at(oracles, end, over - end))) {
            overrun_hit(oracles, access);
        }
        leave_trail(oracles, lent, access);
        return;
    }
    lent = ends_before(oracles, access);
    if (lent && came_near(oracles, lent, access) &&
        (!access->shared || !lent_at(oracles, access->gpa, access->size_bytes))) {
        overrun_hit(oracles, access);
    }
}
