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

static void watch_report(const struct watch *watch, uint64_t retired)
{
    struct trap_context *trap = watch->list->trap;
    struct event event;

    if (!trap_event_begin(trap, &event, "on_read", NULL)) {
        return;
    }
    event.instructions = retired;
    event_hex(&event, "gpa", watch->request.gpa);
    event_dec(&event, "size", watch->request.size_bytes);
    event_dec(&event, "nth", watch->request.nth);
    event_hex(&event, "old", watch->old);
    event_hex(&event, "value", watch->request.value);
    snprintf(event.words, sizeof(event.words),
             "read %llu of gpa 0x%llx: the host changes 0x%llx "
             "to 0x%llx",
             (unsigned long long)watch->request.nth, (unsigned long long)watch->request.gpa,
             (unsigned long long)watch->old, (unsigned long long)watch->request.value);
    trap_event_emit(trap, &event);
}

static void watch_fire(struct watch *watch, uint64_t retired)
{
    uint8_t *place = watch_place(watch);

    watch->old = 0;
    memcpy(&watch->old, place, watch->request.size_bytes);
    memcpy(place, &watch->request.value, watch->request.size_bytes);
    watch->fired = true;
    watch->done = watch->request.sticky;
    watch_report(watch, retired);
    if (watch->list->fired) {
        watch->list->fired(watch->list->context, watch->request.owner);
    }
}

/* What the guest itself stored there meanwhile stays. */
static void watch_bring_back(struct watch *watch)
{
    uint8_t *place;

    watch->done = true;
    if (!watch_is_shared(watch)) {
        return;
    }
    place = watch_place(watch);
    if (memcmp(place, &watch->request.value, watch->request.size_bytes) == 0) {
        memcpy(place, &watch->old, watch->request.size_bytes);
    }
}

static void watch_on_read(void *context, uint64_t gpa, uint32_t size_bytes, uint64_t rip,
                          uint64_t retired)
{
    struct watch *watch = context;

    (void)rip;
    if (watch->done || gpa + size_bytes <= watch->request.gpa ||
        gpa >= watch->request.gpa + watch->request.size_bytes ||
        watch->last_retired == retired + 1 || !watch_is_shared(watch)) {
        return;
    }
    if (watch->fired) {
        watch_bring_back(watch);
        return;
    }
    watch->last_retired = retired + 1;
    if (++watch->seen == watch->request.nth) {
        watch_fire(watch, retired);
    }
}

static int watch_arm(struct watch *watch, struct error *error)
{
    return vcpu_watch_add(watch->list->trap->machine->vcpu, watch->request.gpa,
                          watch->request.size_bytes, watch_on_read, watch, error);
}

int watch_list_add(struct watch_list *list, const struct reply_watch *request, struct error *error)
{
    struct watch *watch = &list->watch[list->count];

    if (list->count == VCPU_WATCH_MAX) {
        return error_set(error, SNPEMU_ERR_INPUT, "more than %d reads watched at a time",
                         VCPU_WATCH_MAX);
    }
    *watch = (struct watch){.request = *request, .list = list};
    list->count++;
    return watch_arm(watch, error);
}

void watch_list_settle(struct watch_list *list)
{
    bool waiting = false;

    for (size_t i = 0; i < list->count; i++) {
        struct watch *watch = &list->watch[i];

        if (watch->fired && !watch->done &&
            vcpu_retired(list->trap->machine->vcpu) >= watch->last_retired) {
            watch_bring_back(watch);
        }
        waiting = waiting || !watch->done;
    }
    if (list->count && !waiting) {
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
