/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "check/oracle.h"

#include <stdlib.h>
#include <string.h>

#include "abi/msr.h"
#include "check/oracle_internal.h"

/* One row an oracle: what it is told of. NULL: nothing of that kind. */
struct oracle_row {
    void (*access)(struct oracles *oracles, const struct oracle_access *access);
    void (*exit)(struct oracles *oracles, const struct exit *exit);
    void (*pvalidate)(struct oracles *oracles, const struct oracle_pvalidate *done);
    void (*end)(struct oracles *oracles, const struct oracle_end *end);
};

/* percpu and trusted-unchecked need more than this and report by themselves. */
static const struct oracle_row oracle_rows[ORACLE_COUNT] = {
    [ORACLE_DOUBLE_FETCH] =
        {
            .access = double_fetch_access,
        },
    [ORACLE_OVERRUN] =
        {
            .access = overrun_access,
        },
    [ORACLE_UNMARKED] =
        {
            .access = unmarked_access,
        },
    [ORACLE_LEAK] =
        {
            .access = leak_access,
            .exit = leak_exit,
        },
    [ORACLE_STALE_PRIVATE] =
        {
            .access = stale_private_access,
            .pvalidate = stale_private_pvalidate,
        },
    [ORACLE_VALIDATED_TWICE] =
        {
            .exit = validated_twice_exit,
            .pvalidate = validated_twice_pvalidate,
            .end = validated_twice_end,
        },
    [ORACLE_SILENT_HANG] =
        {
            .access = silent_hang_access,
            .exit = silent_hang_exit,
            .end = silent_hang_end,
        },
};

/* ---- making ---- */

static void choose(struct oracles *oracles, enum oracle_kind kind, bool shared, bool write)
{
    size_t *count = &oracles->access_count[shared][write];

    oracles->access[shared][write][(*count)++] = oracle_rows[kind].access;
}

/* Most look at what the hypervisor can change, when it is read. */
static void choose_access(struct oracles *oracles)
{
    for (enum oracle_kind kind = 0; kind < ORACLE_COUNT; kind++) {
        bool private = kind == ORACLE_OVERRUN || kind == ORACLE_STALE_PRIVATE;
        bool write = private || kind == ORACLE_LEAK;

        if (!oracle_on(oracles, kind) || !oracle_rows[kind].access) {
            continue;
        }
        if (kind != ORACLE_STALE_PRIVATE) {
            choose(oracles, kind, true, false);
        }
        if (kind != ORACLE_STALE_PRIVATE && write) {
            choose(oracles, kind, true, true);
        }
        if (private || kind == ORACLE_LEAK) {
            choose(oracles, kind, false, false);
        }
        if (private) {
            choose(oracles, kind, false, true);
        }
    }
}

int oracles_new(struct oracles **out, uint32_t enabled, bool exact, uint32_t page_count,
                uint32_t vcpu_count, const struct oracle_ops *ops, struct error *error)
{
    struct oracles *oracles = calloc(1, sizeof(*oracles));

    if (oracles) {
        *oracles = (struct oracles){
            .enabled = enabled,
            .exact = exact,
            .ops = *ops,
            .page_count = page_count,
            .vcpu_count = vcpu_count,
            .fetched_index = calloc(page_count, sizeof(*oracles->fetched_index)),
            .fetched = calloc(FETCHED_MAX, sizeof(*oracles->fetched)),
            .validated = calloc(2, bits_size(page_count)),
            .table = calloc(1, sizeof(*oracles->table)),
            .vcpu = calloc(vcpu_count, sizeof(*oracles->vcpu)),
        };
    }
    if (!oracles || !oracles->fetched_index || !oracles->fetched || !oracles->validated ||
        !oracles->table || !oracles->vcpu) {
        oracles_free(oracles);
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for the oracles");
    }
    oracles->given = oracles->validated + bits_size(page_count);
    choose_access(oracles);
    *out = oracles;
    return SNPEMU_OK;
}

void oracles_free(struct oracles *oracles)
{
    if (!oracles) {
        return;
    }
    double_fetch_free(oracles);
    free(oracles->validated);
    free(oracles->saved_validated);
    free(oracles->table);
    free(oracles->vcpu);
    free(oracles->saved_table);
    free(oracles->saved_vcpu);
    free(oracles);
}

/* What is said of a vCPU, which counts from now on. */
static struct oracle_vcpu *oracle_vcpu_use(struct oracles *oracles, uint32_t vcpu)
{
    if (oracles->vcpu_used <= vcpu) {
        oracles->vcpu_used = vcpu + 1;
    }
    return &oracles->vcpu[vcpu];
}

const uint8_t *oracle_shared_bytes(const struct oracles *oracles, uint64_t gpa)
{
    const uint8_t *page = oracles->ops.shared_page(oracles->ops.context, gpa & ~PAGE_MASK);

    return page ? page + (gpa & PAGE_MASK) : NULL;
}

bool oracle_in_ghcb(const struct oracles *oracles, const struct oracle_access *access,
                    uint64_t *offset)
{
    const struct oracle_vcpu *vcpu = &oracles->vcpu[access->vcpu];

    *offset = access->gpa & PAGE_MASK;
    return vcpu->ghcb_gpa && (access->gpa & ~PAGE_MASK) == vcpu->ghcb_gpa;
}

/* ---- what they see, what they are told ---- */

/* In a fast run writes to another's are to be seen, too: of an exact one they always are. */
static bool is_ghcb(const struct oracles *oracles, uint32_t vcpu, uint64_t page_gpa)
{
    bool is = oracles->vcpu[vcpu].ghcb_gpa == page_gpa;

    for (uint32_t i = 0; !is && !oracles->exact && i < oracles->vcpu_used; i++) {
        is = oracles->vcpu[i].ghcb_gpa == page_gpa;
    }
    return is;
}

static enum oracle_view view_of(const struct oracles *oracles, uint32_t vcpu, uint64_t gpa,
                                bool shared)
{
    bool ends = oracle_on(oracles, ORACLE_OVERRUN) && lent_ends_at(oracles, gpa);

    if (ends || (shared && is_ghcb(oracles, vcpu, gpa & ~PAGE_MASK)) ||
        (!shared && stale_private_has(oracles, gpa))) {
        return ORACLE_VIEW_ALL;
    }
    if (shared) {
        return ORACLE_VIEW_READS;
    }
    return oracles->exact && oracle_on(oracles, ORACLE_LEAK) ? ORACLE_VIEW_LOADS : ORACLE_VIEW_NONE;
}

enum oracle_view oracles_view(struct oracles *oracles, uint32_t vcpu, uint64_t gva, uint64_t gpa,
                              bool shared)
{
    uint64_t guard_gva;

    if (oracle_on(oracles, ORACLE_OVERRUN) &&
        (guard_gva = lent_seen(oracles, gva, gpa, shared)) != 0) {
        oracles->ops.forget_address(oracles->ops.context, guard_gva);
    }
    return view_of(oracles, vcpu, gpa, shared);
}

bool oracles_view_settled(const struct oracles *oracles, uint32_t vcpu, uint64_t gva, uint64_t gpa,
                          bool shared, enum oracle_view view)
{
    return view_of(oracles, vcpu, gpa, shared) == view &&
           !(oracle_on(oracles, ORACLE_OVERRUN) && lent_waits_for(oracles, gva, gpa));
}

/* A word of the GHCB page that is no field of any event. */
static void note_stray(struct oracle_vcpu *vcpu, uint64_t offset, uint64_t code_gva)
{
    uint32_t i = 0;

    while (i < vcpu->stray_count && vcpu->stray[i].offset != offset) {
        i++;
    }
    if (i < STRAY_MAX) {
        vcpu->stray[i].offset = offset;
        vcpu->stray[i].code_gva = code_gva;
        vcpu->stray_count = i < vcpu->stray_count ? vcpu->stray_count : i + 1;
    }
}

/* What the guest stores in its GHCB page. */
static void note_fields(struct oracles *oracles, const struct oracle_access *access)
{
    struct oracle_vcpu *vcpu = &oracles->vcpu[access->vcpu];
    uint32_t fields;
    uint64_t offset;
    bool known;

    if (!oracle_in_ghcb(oracles, access, &offset) || offset >= GHCB_SHARED_BUFFER) {
        return;
    }
    fields = ghcb_fields_at(offset, access->size_bytes);
    vcpu->written |= fields;
    for (uint32_t left = oracles->exact ? fields : 0; left; left &= left - 1) {
        vcpu->store_gva[__builtin_ctz(left)] = access->code_gva;
    }
    known = fields ||
            ranges_meet(offset, access->size_bytes, GHCB_VALID_BITMAP, GHCB_VALID_BITMAP_SIZE);
    if (!known && access->value) {
        note_stray(vcpu, offset & ~7ULL, access->code_gva);
    }
}

bool oracles_is_hosts(const struct oracles *oracles, const struct oracle_access *access)
{
    uint64_t offset;

    return access->shared && !access->write &&
           !(oracle_in_ghcb(oracles, access, &offset) &&
             ranges_meet(offset, access->size_bytes, GHCB_VALID_BITMAP, GHCB_VALID_BITMAP_SIZE));
}

void oracles_access(struct oracles *oracles, const struct oracle_access *access)
{
    if (access->shared) {
        own_access(oracles, access);
    }
    if (access->write && access->shared) {
        note_fields(oracles, access);
    }
    for (size_t i = 0; i < oracles->access_count[access->shared][access->write]; i++) {
        oracles->access[access->shared][access->write][i](oracles, access);
    }
}

void oracles_exit(struct oracles *oracles, const struct exit *exit,
                  const struct exit_buffer *buffer, size_t buffer_count)
{
    lent_exit(oracles, exit, buffer, buffer_count);
    if (oracles->flush_due) {
        oracles->ops.flush(oracles->ops.context);
        oracles->flush_due = false;
    }
    memset(oracles->state.sweep, 0, sizeof(oracles->state.sweep));
    percpu_exit(oracles, exit);
    for (int kind = 0; kind < ORACLE_COUNT; kind++) {
        if (oracle_on(oracles, kind) && oracle_rows[kind].exit) {
            oracle_rows[kind].exit(oracles, exit);
        }
    }
}

static uint32_t exit_kind(const struct exit_row *row)
{
    return 1 + ((uint32_t)row->code << 1) + (row->protocol == EXIT_PAGE);
}

/* By the MSR protocol nothing is answered that stands in memory. */
void oracles_answer(struct oracles *oracles, const struct exit *exit, const struct reply *reply)
{
    struct oracle_vcpu *vcpu = oracle_vcpu_use(oracles, exit->vcpu);
    bool known = vcpu->ghcb_gpa == exit->ghcb_gpa;

    if (exit->protocol == EXIT_MSR) {
        if ((exit->msr & GHCB_MSR_INFO_MASK) == GHCB_MSR_REGISTER_REQ) {
            *vcpu = (struct oracle_vcpu){.ghcb_gpa = exit->msr & ~GHCB_MSR_INFO_MASK};
            vcpu->after = exit_kind(exit->row);
            leak_ghcb(oracles, vcpu);
            own_ghcb(oracles, vcpu);
            oracles->ops.flush(oracles->ops.context);
        }
        return;
    }
    vcpu->exit_before = vcpu->exit;
    vcpu->exit = exit->number;
    vcpu->answer = ++oracles->state.answer;
    vcpu->after = exit_kind(exit->row);
    vcpu->ghcb_gpa = exit->ghcb_gpa;
    vcpu->marked = reply->marked;
    vcpu->written = 0;
    vcpu->stray_count = 0;
    oracles->state.raced = false;
    own_answer(oracles, vcpu, reply, known);
    leak_answer(vcpu, exit);
}

void oracles_raced(struct oracles *oracles)
{
    oracles->state.raced = true;
}

void oracles_pvalidate(struct oracles *oracles, const struct oracle_pvalidate *done)
{
    if (done->validate) {
        lent_taken_back(oracles, done->gpa, done->size_bytes);
    }
    for (int kind = 0; kind < ORACLE_COUNT; kind++) {
        if (oracle_on(oracles, kind) && oracle_rows[kind].pvalidate) {
            oracle_rows[kind].pvalidate(oracles, done);
        }
    }
}

void oracles_end(struct oracles *oracles, const struct oracle_end *end)
{
    for (int kind = 0; kind < ORACLE_COUNT; kind++) {
        if (oracle_on(oracles, kind) && oracle_rows[kind].end) {
            oracle_rows[kind].end(oracles, end);
        }
    }
}
