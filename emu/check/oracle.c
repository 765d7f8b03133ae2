/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "check/oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/msr.h"
#include "check/oracle_internal.h"

/* One row an oracle: what it is told of. NULL: nothing of that kind. */
struct oracle_row {
    const char *name;
    const char *meaning;
    void (*access)(struct oracles *oracles, const struct oracle_access *access);
    void (*exit)(struct oracles *oracles, const struct exit *exit);
    void (*pvalidate)(struct oracles *oracles, const struct oracle_pvalidate *done);
    void (*end)(struct oracles *oracles, const struct oracle_end *end);
};

/* percpu and trusted-unchecked need more than this and report by themselves. */
static const struct oracle_row oracle_rows[ORACLE_COUNT] = {
    [ORACLE_DOUBLE_FETCH] =
        {
            .name = "double-fetch",
            .meaning = "The guest read the same shared bytes twice within one answer: the "
                       "hypervisor can give another value each time, and what was checked need "
                       "not be what is used.",
            .access = double_fetch_access,
        },
    [ORACLE_OVERRUN] =
        {
            .name = "overrun",
            .meaning = "The guest read or wrote on past the end of a buffer that it lent to the "
                       "hypervisor.",
            .access = overrun_access,
        },
    [ORACLE_UNMARKED] =
        {
            .name = "unmarked",
            .meaning = "The guest used a field of the GHCB that the hypervisor's answer did not "
                       "mark valid: what stands there may be the guest's own input.",
            .access = unmarked_access,
        },
    [ORACLE_TRUSTED_UNCHECKED] =
        {
            .name = "trusted-unchecked",
            .meaning = "A value that the hypervisor chose became an allocation's size, an index, "
                       "an address or a loop's bound without having been compared with anything.",
        },
    [ORACLE_LEAK] =
        {
            .name = "leak",
            .meaning = "Bytes of private memory, or of registers that the event does not pass, "
                       "stood in memory that the hypervisor can read.",
            .access = leak_access,
            .exit = leak_exit,
        },
    [ORACLE_STALE_PRIVATE] =
        {
            .name = "stale-private",
            .meaning = "The guest read a page that it had made private again before it wrote "
                       "there: what it finds is nobody's.",
            .access = stale_private_access,
            .pvalidate = stale_private_pvalidate,
        },
    [ORACLE_VALIDATED_TWICE] =
        {
            .name = "validated-twice",
            .meaning =
                "A page was validated a second time: PVALIDATE said so and the guest went on, "
                "or the hypervisor had taken the page between. Two addresses may lead to one "
                "page, or one to two.",
            .exit = validated_twice_exit,
            .pvalidate = validated_twice_pvalidate,
            .end = validated_twice_end,
        },
    [ORACLE_PERCPU] =
        {
            .name = "percpu",
            .meaning = "After the bring-up two CPUs share an ID, an index or an area, the boot CPU "
                       "is not the first, GS does not lead to the own area, or a GHCB was "
                       "registered that is not shared.",
        },
    [ORACLE_SILENT_HANG] =
        {
            .name = "silent-hang",
            .meaning = "The guest waits, without an exit, for a byte that only the hypervisor can "
                       "change.",
            .access = silent_hang_access,
            .exit = silent_hang_exit,
            .end = silent_hang_end,
        },
};

const char *oracle_name(enum oracle_kind kind)
{
    return oracle_rows[kind].name;
}

const char *oracle_meaning(enum oracle_kind kind)
{
    return oracle_rows[kind].meaning;
}

enum oracle_kind oracle_named(const char *name)
{
    int kind = 0;

    while (kind < ORACLE_COUNT && strcmp(oracle_rows[kind].name, name) != 0) {
        kind++;
    }
    return (enum oracle_kind)kind;
}

/* The mask that one name stands for; false when there is none of that name. */
static bool mask_named(const char *name, uint32_t *mask)
{
    static const struct {
        const char *name;
        uint32_t mask;
    } groups[] = {{"cheap", ORACLES_CHEAP}, {"all", ORACLES_ALL}, {"none", ORACLES_NONE}};
    enum oracle_kind kind = oracle_named(name);

    *mask = kind == ORACLE_COUNT ? 0 : ORACLE_BIT(kind);
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        if (strcmp(name, groups[i].name) == 0) {
            *mask = groups[i].mask;
            return true;
        }
    }
    return kind != ORACLE_COUNT;
}

bool oracles_parse(const char *text, uint32_t *mask, char *why, size_t size)
{
    uint32_t found = 0;

    do {
        size_t length = strcspn(text, ",");
        char name[32];
        uint32_t bits;

        snprintf(name, sizeof(name), "%.*s", (int)(length < sizeof(name) ? length : sizeof(name)),
                 text);
        if (!mask_named(name, &bits)) {
            char all[200];

            oracle_list(ORACLES_ALL, all, sizeof(all));
            snprintf(why, size, "there is none of the name '%s'; it is cheap, all, none, or of: %s",
                     name, all);
            return false;
        }
        found |= bits;
        text += length + (text[length] == ',');
    } while (*text);
    *mask = found;
    return true;
}

void oracle_list(uint32_t mask, char *text, size_t size)
{
    size_t used = 0;

    snprintf(text, size, "none");
    for (int kind = 0; kind < ORACLE_COUNT && used < size; kind++) {
        if (mask & ORACLE_BIT(kind)) {
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
                                     oracle_rows[kind].name);
        }
    }
}

/* ---- making and keeping ---- */

/* Only memory that the hypervisor shares is of interest to most. */
static bool is_for_private(enum oracle_kind kind)
{
    return kind == ORACLE_OVERRUN || kind == ORACLE_LEAK || kind == ORACLE_STALE_PRIVATE;
}

static bool is_for_shared(enum oracle_kind kind)
{
    return kind != ORACLE_STALE_PRIVATE;
}

static void choose_access(struct oracles *oracles)
{
    for (int kind = 0; kind < ORACLE_COUNT; kind++) {
        if (!oracle_on(oracles, kind) || !oracle_rows[kind].access) {
            continue;
        }
        if (is_for_private(kind)) {
            oracles->access[false][oracles->access_count[false]++] = oracle_rows[kind].access;
        }
        if (is_for_shared(kind)) {
            oracles->access[true][oracles->access_count[true]++] = oracle_rows[kind].access;
        }
    }
}

/* A bit for each page. */
static size_t bits_size(uint32_t page_count)
{
    return page_count / 8 + 1;
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

static void copy_tables(struct oracle_tables *to, const struct oracle_tables *from,
                        const struct oracle_state *state)
{
    memcpy(to->lent, from->lent, state->lent_count * sizeof(from->lent[0]));
    memcpy(to->stale, from->stale, state->stale_count * sizeof(from->stale[0]));
    memcpy(to->store, from->store, state->store_count * sizeof(from->store[0]));
    memcpy(to->load, from->load, sizeof(from->load));
    memcpy(to->report, from->report, state->report_count * sizeof(from->report[0]));
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
    memcpy(oracles->validated, oracles->saved_validated, 2 * bits_size(oracles->page_count));
    memset(&oracles->vcpu[used], 0, (oracles->vcpu_used - used) * sizeof(*oracles->vcpu));
    memcpy(oracles->vcpu, oracles->saved_vcpu, used * sizeof(*oracles->vcpu));
    oracles->vcpu_used = used;
    oracles->flush_due = false;
    double_fetch_restore(oracles);
}

uint32_t oracles_hits(const struct oracles *oracles)
{
    return oracles->state.hits;
}

uint64_t oracles_suspect_from(const struct oracles *oracles)
{
    return oracles->state.from;
}

/* What was noted without instructions is of no use any more. */
void oracles_go_exact(struct oracles *oracles)
{
    double_fetch_forget(oracles);
    oracles->exact = true;
}

/* ---- hits ---- */

/* A mistake is made of what happened since the answer before the latest one. */
void oracle_suspect(struct oracles *oracles, enum oracle_kind kind, uint32_t vcpu)
{
    struct oracle_state *state = &oracles->state;
    uint64_t from = oracles->vcpu[vcpu].exit_before;

    if (state->hits == 0 || from < state->from) {
        state->from = from;
    }
    state->hits |= ORACLE_BIT(kind);
}

void oracle_suspect_since(struct oracles *oracles, uint64_t exit_number)
{
    if (exit_number < oracles->state.from) {
        oracles->state.from = exit_number;
    }
}

/* One instruction makes one mistake once, as far as the trace is concerned. */
static bool report_is_new(struct oracles *oracles, const struct oracle_hit *hit)
{
    struct report *report = oracles->table->report;
    size_t count = oracles->state.report_count;

    for (size_t i = 0; i < count; i++) {
        if (report[i].kind == hit->kind && report[i].code_gva == hit->code_gva) {
            return false;
        }
    }
    if (count == REPORT_MAX) {
        return false;
    }
    report[count] = (struct report){hit->kind, hit->code_gva};
    oracles->state.report_count++;
    return true;
}

void oracles_report(struct oracles *oracles, const struct oracle_hit *hit)
{
    if (!oracle_on(oracles, hit->kind)) {
        return;
    }
    oracle_suspect(oracles, hit->kind, hit->vcpu);
    if (oracles->exact && report_is_new(oracles, hit)) {
        oracles->ops.hit(oracles->ops.context, hit);
    }
}

void oracle_hit_access(struct oracles *oracles, enum oracle_kind kind,
                       const struct oracle_access *access, uint64_t other_gva, const char *what)
{
    struct oracle_hit hit;
    size_t size;

    oracle_suspect(oracles, kind, access->vcpu);
    if (!oracles->exact) {
        return; /* nobody is told */
    }
    hit = (struct oracle_hit){
        .kind = kind,
        .vcpu = access->vcpu,
        .code_gva = access->code_gva,
        .retired = access->retired,
        .other_gva = other_gva,
        .gpa = access->gpa,
        .size_bytes = access->size_bytes,
    };
    size = access->size_bytes < sizeof(hit.bytes) ? access->size_bytes : sizeof(hit.bytes);
    if (access->write) {
        memcpy(hit.bytes, &access->value, size < 8 ? size : 8);
    } else {
        memcpy(hit.bytes, access->bytes, size);
    }
    snprintf(hit.what, sizeof(hit.what), "%s", what);
    oracles_report(oracles, &hit);
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

enum oracle_view oracles_view(struct oracles *oracles, uint32_t vcpu, uint64_t gva, uint64_t gpa,
                              bool shared)
{
    bool ends = false;

    if (oracle_on(oracles, ORACLE_OVERRUN)) {
        if (lent_seen(oracles, gva, gpa, shared)) {
            oracles->ops.flush(oracles->ops.context);
        }
        ends = lent_ends_at(oracles, gpa);
    }
    if (ends || (shared && is_ghcb(oracles, vcpu, gpa & ~PAGE_MASK)) ||
        (!shared && stale_private_has(oracles, gpa))) {
        return ORACLE_VIEW_ALL;
    }
    if (shared) {
        return ORACLE_VIEW_READS;
    }
    return oracles->exact && oracle_on(oracles, ORACLE_LEAK) ? ORACLE_VIEW_LOADS : ORACLE_VIEW_NONE;
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
    bool known = false;
    uint64_t offset;

    if (!oracle_in_ghcb(oracles, access, &offset) || offset >= GHCB_SHARED_BUFFER) {
        return;
    }
    for (enum ghcb_field field = 0; field < FIELD_COUNT; field++) {
        const struct ghcb_field_row *row = &ghcb_field_rows[field];

        if (ranges_meet(offset, access->size_bytes, row->offset, row->size_bytes)) {
            vcpu->written |= FIELD_BIT(field);
            vcpu->store_gva[field] = access->code_gva;
            known = true;
        }
    }
    known =
        known || ranges_meet(offset, access->size_bytes, GHCB_VALID_BITMAP, GHCB_VALID_BITMAP_SIZE);
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
    if (access->write && access->shared) {
        note_fields(oracles, access);
    }
    for (size_t i = 0; i < oracles->access_count[access->shared]; i++) {
        oracles->access[access->shared][i](oracles, access);
    }
}

void oracles_exit(struct oracles *oracles, const struct exit *exit,
                  const struct exit_buffer *buffer, size_t buffer_count)
{
    if (lent_exit(oracles, exit, buffer, buffer_count) || oracles->flush_due) {
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

/* By the MSR protocol nothing is answered that stands in memory. */
void oracles_answer(struct oracles *oracles, const struct exit *exit, const struct reply *reply)
{
    struct oracle_vcpu *vcpu = oracle_vcpu_use(oracles, exit->vcpu);

    if (exit->protocol == EXIT_MSR) {
        if ((exit->msr & GHCB_MSR_INFO_MASK) == GHCB_MSR_REGISTER_REQ) {
            *vcpu = (struct oracle_vcpu){.ghcb_gpa = exit->msr & ~GHCB_MSR_INFO_MASK};
            leak_ghcb(oracles, vcpu);
            oracles->ops.flush(oracles->ops.context);
        }
        return;
    }
    vcpu->exit_before = vcpu->exit;
    vcpu->exit = exit->number;
    vcpu->answer = ++oracles->state.answer;
    vcpu->ghcb_gpa = exit->ghcb_gpa;
    vcpu->marked = reply->marked;
    vcpu->written = 0;
    vcpu->stray_count = 0;
    leak_answer(vcpu, exit);
}

void oracles_pvalidate(struct oracles *oracles, const struct oracle_pvalidate *done)
{
    if (done->validate && lent_taken_back(oracles, done->gpa, done->size_bytes)) {
        oracles->ops.flush(oracles->ops.context);
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
