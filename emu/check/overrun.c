/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * overrun: one access that reaches over a lent buffer's end, or an instruction that has walked
 * through the buffer up to its end and goes on behind it. What stands there may be private memory,
 * through the page that is mapped behind the buffer's last one.
 */
#include "check/oracle_internal.h"

/* How far behind the buffer's end the access begins; UINT64_MAX when it is elsewhere. */
static uint64_t behind(const struct lent *lent, const struct oracle_access *access)
{
    uint64_t end = lent->buffer.gpa + lent->buffer.size_bytes;

    if (end & PAGE_MASK) {
        return access->gpa - end;
    }
    return lent->guard_gpa && lent->guard_gpa == (access->gpa & ~PAGE_MASK)
               ? access->gpa & PAGE_MASK
               : UINT64_MAX;
}

/* Compilers unroll loops: copies of one instruction, which the source has once. */
static bool is_one(const struct oracles *oracles, uint64_t a_gva, uint64_t b_gva)
{
    return a_gva == b_gva || (a_gva && oracles->ops.same_line &&
                              oracles->ops.same_line(oracles->ops.context, a_gva, b_gva));
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
        if (lent->trail[i].write == access->write && end - lent->trail[i].end < LENT_NEAR &&
            is_one(oracles, lent->trail[i].code_gva, access->code_gva)) {
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

        if (lent->vcpu == access->vcpu && behind(lent, access) < LENT_BEHIND) {
            return lent;
        }
    }
    return NULL;
}

static void overrun_hit(struct oracles *oracles, const struct lent *lent,
                        const struct oracle_access *access)
{
    oracle_hit_access(oracles, ORACLE_OVERRUN, access, 0,
                      access->write ? "written behind the end of a lent buffer"
                                    : "read behind the end of a lent buffer");
    /* The instruction may have come near the end at any time since it was lent. */
    oracle_suspect_since(oracles, lent->exit_number);
}

/* Go on with the sweep that ends here, or begin another. */
static const struct sweep *sweep_on(struct oracles *oracles, const struct oracle_access *access)
{
    struct sweep *sweep = &oracles->state.sweep[access->write];

    if (access->gpa != sweep->end) {
        sweep->start = access->gpa;
    }
    sweep->end = access->gpa + access->size_bytes;
    return sweep;
}

/* Exact: the buffer is but a part of what is gone through, as the GHCB's is when the page is
 * cleared. */
static bool began_before(const struct lent *lent, const struct sweep *sweep)
{
    return sweep->start < lent->buffer.gpa && sweep->end > lent->buffer.gpa;
}

void overrun_access(struct oracles *oracles, const struct oracle_access *access)
{
    struct lent *lent = access->shared ? lent_at(oracles, access->gpa, 1) : NULL;
    const struct sweep *sweep = access->shared && oracles->exact ? sweep_on(oracles, access) : NULL;
    uint64_t end = lent ? lent->buffer.gpa + lent->buffer.size_bytes : 0;

    if (lent) {
        uint64_t over = access->gpa + access->size_bytes + access->beyond_bytes;

        if (over > end && (access->beyond_bytes || !lent_at(oracles, end, over - end))) {
            overrun_hit(oracles, lent, access);
        }
        leave_trail(oracles, lent, access);
        return;
    }
    lent = ends_before(oracles, access);
    if (lent && came_near(oracles, lent, access) && !(sweep && began_before(lent, sweep)) &&
        (!access->shared || !lent_at(oracles, access->gpa, access->size_bytes))) {
        overrun_hit(oracles, lent, access);
    }
}
