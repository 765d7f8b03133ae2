/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/watch.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "abi/x86.h"

static uint8_t *watch_place(const struct watch *watch)
{
    struct memory *memory = &watch->list->trap->machine->memory;
    uint64_t gpa = watch->request.gpa;

    return memory_bytes_for_write(memory, memory_page(memory, gpa)) + (gpa & PAGE_MASK);
}

/* The host neither sees nor changes what has become the guest's since. */
static bool watch_is_shared(const struct watch *watch)
{
    const struct machine *machine = watch->list->trap->machine;

    return !(machine->rmp.entry[memory_page(&machine->memory, watch->request.gpa)].flags &
             RMP_ASSIGNED);
}

/* The event is the instruction's that was counted, which may lie behind. */
static void watch_report(const struct watch *watch)
{
    struct trap_context *trap = watch->list->trap;
    const struct reply_watch *request = &watch->request;
    struct event event;

    if (!trap_event_begin(trap, &event, request->on_write ? "on_write" : "on_read", NULL)) {
        return;
    }
    event.instructions = watch->last_retired - !request->on_write;
    event.vcpu = watch->vcpu;
    event.vmpl = watch->vmpl;
    trap_event_place(trap, &event, watch->rip);
    event.placed = event.placed && watch->vmpl == vcpu_vmpl(trap->machine->vcpu);
    event.symbol = watch->symbol;
    event_hex(&event, "gpa", request->gpa);
    event_dec(&event, "size", request->size_bytes);
    event_dec(&event, "nth", request->nth);
    event_hex(&event, "old", watch->old);
    event_hex(&event, "value", request->value);
    snprintf(event.words, sizeof(event.words),
             "%s %llu of gpa 0x%llx: the host changes 0x%llx to 0x%llx",
             request->on_write ? "write" : "read", (unsigned long long)request->nth,
             (unsigned long long)request->gpa, (unsigned long long)watch->old,
             (unsigned long long)request->value);
    trap_event_emit(trap, &event);
}

static void watch_fire(struct watch *watch)
{
    uint8_t *place = watch_place(watch);

    watch->old = 0;
    memcpy(&watch->old, place, watch->request.size_bytes);
    memcpy(place, &watch->request.value, watch->request.size_bytes);
    watch->due = false;
    watch->fired = true;
    watch->done = watch->request.sticky;
    watch->shown = !watch->request.on_write;
    watch->list->ticks++;
    watch_report(watch);
    if (watch->list->fired) {
        watch->list->fired(watch->list->context, watch->request.owner);
    }
}

/* What the guest itself stored there meanwhile stays. */
static void watch_bring_back(struct watch *watch)
{
    uint8_t *place;

    watch->done = true;
    watch->list->ticks++;
    if (!watch_is_shared(watch)) {
        return;
    }
    place = watch_place(watch);
    if (memcmp(place, &watch->request.value, watch->request.size_bytes) == 0) {
        memcpy(place, &watch->old, watch->request.size_bytes);
    }
}

/* What waited for the end of an instruction that has retired by now. */
static void watch_list_advance(struct watch_list *list, uint64_t retired)
{
    for (size_t i = 0; i < list->count; i++) {
        struct watch *watch = &list->watch[i];

        if (watch->done || retired < watch->last_retired) {
            continue;
        }
        if (watch->due) {
            watch_fire(watch);
        } else if (watch->fired && watch->shown) {
            watch_bring_back(watch);
        }
    }
}

/* One more of those that count: an instruction that reads, or writes, counts once. */
static void watch_count(struct watch *watch, const struct vcpu_watched *access)
{
    struct trap_context *trap = watch->list->trap;

    watch->last_retired = access->retired + 1;
    watch->list->ticks++;
    if (++watch->seen < watch->request.nth) {
        return;
    }
    watch->rip = access->rip;
    watch->symbol = trap->symbol ? trap->symbol(trap->symbol_context, access->rip) : NULL;
    watch->vcpu = trap->vcpu;
    watch->vmpl = (uint8_t)vcpu_vmpl(trap->machine->vcpu);
    if (watch->request.on_write) {
        watch->due = true; /* the store comes first */
    } else {
        watch_fire(watch);
    }
}

static void watch_on_access(void *context, const struct vcpu_watched *access)
{
    struct watch *watch = context;
    const struct reply_watch *request = &watch->request;

    watch_list_advance(watch->list, access->retired);
    if (watch->done || access->gpa + access->size_bytes <= request->gpa ||
        access->gpa >= request->gpa + request->size_bytes ||
        watch->last_retired == access->retired + 1 || !watch_is_shared(watch)) {
        return;
    }
    if (watch->fired) {
        if (!access->write && !watch->shown) {
            watch->shown = true;
            watch->last_retired = access->retired + 1;
        }
    } else if (access->write == request->on_write &&
               (!request->one_vcpu || request->vcpu == watch->list->trap->vcpu)) {
        watch_count(watch, access);
    }
}

static int watch_arm(struct watch *watch, struct error *error)
{
    return vcpu_watch_add(watch->list->trap->machine->vcpu, watch->request.gpa,
                          watch->request.size_bytes, watch->request.on_write, watch_on_access,
                          watch, error);
}

int watch_list_add(struct watch_list *list, const struct reply_watch *request, struct error *error)
{
    struct watch *watch = &list->watch[list->count];

    if (list->count == VCPU_WATCH_MAX) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "more than %d places watched at a time; watch fewer", VCPU_WATCH_MAX);
    }
    *watch = (struct watch){.request = *request, .list = list};
    list->count++;
    return watch_arm(watch, error);
}

/* A store that faulted after it was seen, in its second page, is no write: it comes again. */
static void watch_take_back(struct watch *watch)
{
    watch->seen--;
    watch->last_retired = 0;
    watch->due = false;
}

void watch_list_settle(struct watch_list *list)
{
    uint64_t retired = vcpu_retired(list->trap->machine->vcpu);
    bool waiting = false;

    if (list->count == 0) {
        return;
    }
    watch_list_advance(list, retired);
    for (size_t i = 0; i < list->count; i++) {
        struct watch *watch = &list->watch[i];

        if (watch->request.on_write && !watch->fired && watch->last_retired > retired) {
            watch_take_back(watch);
        }
        waiting = waiting || !watch->done;
    }
    if (!waiting) {
        vcpu_watch_clear(list->trap->machine->vcpu);
        list->count = 0;
    }
}

int watch_list_rearm(struct watch_list *list, struct error *error)
{
    int status = 0;

    vcpu_watch_clear(list->trap->machine->vcpu);
    for (size_t i = 0; status == 0 && i < list->count; i++) {
        list->watch[i].list = list;
        status = watch_arm(&list->watch[i], error);
    }
    return status;
}
