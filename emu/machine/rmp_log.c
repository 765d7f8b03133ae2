/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/rmp_log.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_SIZE (4 * RMP_LOG_STATES_MAX) /* a power of two, never more than a quarter full */

/* ---- kinds ---- */

static const struct {
    const char *name, *meaning;
} kind_rows[RMP_KIND_COUNT] = {
    [RMP_KIND_HYPERVISOR] = {"hypervisor",
                             "Hypervisor-owned (Assigned = 0): what the guest calls shared."},
    [RMP_KIND_NOT_VALIDATED] = {"guest, not validated",
                                "Guest-owned (Assigned = 1), Validated = 0: an access is #VC."},
    [RMP_KIND_VMPL0] = {"guest, validated, VMPL0",
                        "Guest-owned, Validated = 1; VMPL1 to VMPL3 may do nothing with it."},
    [RMP_KIND_VMPLS] = {"guest, validated, other VMPLs",
                        "Guest-owned, Validated = 1; VMPL1, VMPL2 or VMPL3 has permissions."},
    [RMP_KIND_VMSA] = {"VMSA", "Guest-owned, VMSA = 1: may be run as a vCPU's save area."},
    [RMP_KIND_IMMUTABLE] = {"immutable", "Immutable = 1: no x86 instruction changes the entry."},
    [RMP_KIND_SP] = {"AMD-SP", "Assigned = 1 with ASID 0: the AMD-SP's."},
    [RMP_KIND_AWAY] = {"another owner or address",
                       "Another guest's, or this one's at another guest address."},
};

enum rmp_kind rmp_log_kind(const struct rmp_log_state *state)
{
    bool lower = false;

    for (unsigned vmpl = 1; vmpl < VMPL_COUNT; vmpl++) {
        lower = lower || state->perm[vmpl] != 0;
    }
    if (!(state->flags & RMP_ASSIGNED)) {
        return state->flags & RMP_IMMUTABLE ? RMP_KIND_IMMUTABLE : RMP_KIND_HYPERVISOR;
    }
    if (state->asid == RMP_ASID_SP) {
        return RMP_KIND_SP;
    }
    if (state->flags & RMP_AWAY) {
        return RMP_KIND_AWAY;
    }
    if (state->flags & RMP_IMMUTABLE) {
        return RMP_KIND_IMMUTABLE;
    }
    if (!(state->flags & RMP_VALIDATED)) {
        return RMP_KIND_NOT_VALIDATED;
    }
    if (state->flags & RMP_VMSA) {
        return RMP_KIND_VMSA;
    }
    return lower ? RMP_KIND_VMPLS : RMP_KIND_VMPL0;
}

const char *rmp_kind_name(enum rmp_kind kind)
{
    return kind_rows[kind].name;
}

const char *rmp_kind_meaning(enum rmp_kind kind)
{
    return kind_rows[kind].meaning;
}

/* ---- states ---- */

static uint32_t state_hash(const struct rmp_log_state *state)
{
    const uint8_t *byte = (const uint8_t *)state;
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < sizeof(*state); i++) {
        hash = (hash ^ byte[i]) * 16777619u;
    }
    return hash;
}

/* The number of what the entry says now; RMP_LOG_STATES_MAX when there are too many. */
static uint16_t log_state(struct rmp_log *log, uint32_t page)
{
    const struct rmp *rmp = &log->machine->rmp;
    struct rmp_log_state state = {.flags = rmp->entry[page].flags, .asid = rmp_asid(rmp, page)};
    uint32_t slot;

    memcpy(state.perm, rmp->entry[page].perm, sizeof(state.perm));
    slot = state_hash(&state) % INDEX_SIZE;
    while (log->state_index[slot] != 0) {
        if (memcmp(&log->state[log->state_index[slot] - 1], &state, sizeof(state)) == 0) {
            return (uint16_t)(log->state_index[slot] - 1);
        }
        slot = (slot + 1) % INDEX_SIZE;
    }
    if (log->state_count == RMP_LOG_STATES_MAX) {
        return RMP_LOG_STATES_MAX;
    }
    log->state[log->state_count++] = state;
    log->state_index[slot] = (uint16_t)log->state_count;
    return (uint16_t)(log->state_count - 1);
}

/* ---- changes ---- */

/* Room for one more of `count` things; the array moves. */
static bool log_reserve(void **array, size_t size, size_t count, size_t *capacity)
{
    size_t wanted = *capacity ? *capacity * 2 : 256;
    void *moved;

    if (count < *capacity) {
        return true;
    }
    moved = realloc(*array, wanted * size);
    if (!moved) {
        return false;
    }
    *array = moved;
    *capacity = wanted;
    return true;
}

/*
 * Neighbours that come to say the same one after the other become one change. Where the host has
 * remapped, neighbouring pages may be far from each other for the guest, and have events of their
 * own: then only those of one instruction do, until log_resolve knows.
 */
static void log_change(struct rmp_log *log, uint32_t page, uint16_t state)
{
    struct rmp_log_change *last = log->change_count ? &log->change[log->change_count - 1] : NULL;

    if (last && last->event == log->touched.event && last->state == state &&
        last->page + last->count == page &&
        (last->last == log->touched.time || !log->machine->memory.nested)) {
        last->count++;
        last->last = log->touched.time;
        return;
    }
    if (log->change_count == RMP_LOG_CHANGES_MAX) {
        log->lost++;
        return;
    }
    if (!log_reserve((void **)&log->change, sizeof(*log->change), log->change_count,
                     &log->change_capacity)) {
        log->status = SNPEMU_ERR_MEMORY;
        return;
    }
    log->change[log->change_count++] = (struct rmp_log_change){
        .first = log->touched.time,
        .last = log->touched.time,
        .page = page,
        .count = 1,
        .event = log->touched.event,
        .state = state,
    };
}

/* What was touched last has become what it is now. */
static void log_settle(struct rmp_log *log)
{
    uint32_t end = log->touched.page + log->touched.count;

    for (uint32_t page = log->touched.page; page < end; page++) {
        uint16_t state = log_state(log, page);

        if (state == RMP_LOG_STATES_MAX) {
            log->lost++;
        } else if (state != log->known[page]) {
            log->known[page] = state;
            log_change(log, page, state);
        }
    }
    log->touched.count = 0;
}

static void log_touched(void *context, uint32_t page, uint32_t count)
{
    struct rmp_log *log = context;

    log_settle(log);
    log->touched.page = page;
    log->touched.count = count;
    log->touched.event = (uint32_t)log->event_count;
    log->touched.time = vcpu_retired(log->machine->vcpu);
}

/* ---- events ---- */

/* Events that come after the change that they tell of; an exit's reply comes before its. */
static bool event_is_own(const char *name)
{
    static const char *const own[] = {"pvalidate", "rmpadjust", "rmpupdate", "psmash"};

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (strcmp(name, own[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void log_emit(struct trace_sink *sink, const struct event *event)
{
    struct rmp_log *log = (struct rmp_log *)((char *)sink - offsetof(struct rmp_log, sink));

    if (log->event_count == RMP_LOG_EVENTS_MAX) {
        return;
    }
    if (!log_reserve((void **)&log->event, sizeof(*log->event), log->event_count,
                     &log->event_capacity)) {
        log->status = SNPEMU_ERR_MEMORY;
        return;
    }
    log->event[log->event_count].time = event->instructions;
    log->event[log->event_count].own = event_is_own(event->name);
    log->event[log->event_count].oracle = strcmp(event->name, "oracle") == 0;
    log->event_count++;
}

/*
 * The event that a change belongs to, from how many events there were when it came. PVALIDATEs
 * that go alike are one event, told of when something else comes: what comes is then touched before
 * that event is counted.
 */
static uint32_t log_owner(const struct rmp_log *log, uint32_t event, uint64_t time)
{
    while (event < log->event_count && log->event[event].time < time) {
        event++;
    }
    for (uint32_t own = event; own < log->event_count && log->event[own].time == time; own++) {
        if (log->event[own].own) {
            return own;
        }
        if (!log->event[own].oracle) {
            break;
        }
    }
    return event > 0 ? event - 1 : RMP_LOG_LAUNCH;
}

/* Changes that turn out to belong to one event become one. */
static void log_resolve(struct rmp_log *log)
{
    size_t kept = 0;

    for (size_t i = 0; i < log->change_count; i++) {
        struct rmp_log_change change = log->change[i], *last = kept ? &log->change[kept - 1] : NULL;

        change.event = log_owner(log, change.event, change.first);
        if (last && last->event == change.event && last->state == change.state &&
            last->page + last->count == change.page) {
            last->count += change.count;
            last->last = change.last;
        } else {
            log->change[kept++] = change;
        }
    }
    log->change_count = kept;
}

/* ---- from launch to the end ---- */

struct rmp_log *rmp_log_new(void)
{
    struct rmp_log *log = calloc(1, sizeof(*log));

    if (log) {
        log->sink.emit = log_emit;
        log->observer = (struct rmp_observer){.touched = log_touched, .context = log};
    }
    return log;
}

void rmp_log_free(struct rmp_log *log)
{
    if (log) {
        free(log->state);
        free(log->start);
        free(log->change);
        free(log->event);
        free(log->known);
        free(log->state_index);
        free(log);
    }
}

struct trace_sink *rmp_log_sink(struct rmp_log *log)
{
    return &log->sink;
}

/* What the launch has made of all pages. */
static bool log_start(struct rmp_log *log)
{
    size_t capacity = 0;

    for (uint32_t page = 0; page < log->page_count; page++) {
        uint16_t state = log_state(log, page);
        struct rmp_log_span *last = log->start_count ? &log->start[log->start_count - 1] : NULL;

        /* A launch gives few different rights: these never run out. */
        assert(state < RMP_LOG_STATES_MAX);
        log->known[page] = state;
        if (last && last->state == state) {
            last->count++;
            continue;
        }
        if (!log_reserve((void **)&log->start, sizeof(*log->start), log->start_count, &capacity)) {
            return false;
        }
        log->start[log->start_count++] = (struct rmp_log_span){page, 1, state};
    }
    return true;
}

int rmp_log_open(struct rmp_log *log, struct machine *machine, struct error *error)
{
    const struct memory *memory = &machine->memory;

    assert(!log->machine && !log->known);
    log->machine = machine;
    log->page_count = machine->rmp.page_count;
    memcpy(log->slot, memory->slot, sizeof(log->slot));
    log->slot_count = memory->slot_count;
    log->state = calloc(RMP_LOG_STATES_MAX, sizeof(*log->state));
    log->state_index = calloc(INDEX_SIZE, sizeof(*log->state_index));
    log->known = calloc(log->page_count, sizeof(*log->known));
    if (!log->state || !log->state_index || !log->known || !log_start(log)) {
        log->machine = NULL;
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a log of the RMP");
    }
    machine->rmp.observer = &log->observer;
    return 0;
}

int rmp_log_close(struct rmp_log *log, struct error *error)
{
    if (log->machine) {
        log_settle(log);
        log->machine->rmp.observer = NULL;
        log->machine = NULL;
        log_resolve(log);
    }
    return log->status == 0 ? 0
                            : error_set(error, log->status, "out of memory for a log of the RMP");
}
