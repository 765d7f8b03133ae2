/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The actions of a reply. */
#include <stdlib.h>
#include <string.h>

#include "ghcb/reply.h"

#define FIRST_ACTIONS 16
#define FIRST_DATA_BYTES 256

/* Double the capacity of a buffer of `item_size` items until it holds `need`; false at `max`. */
static bool grow(void **buffer, size_t *capacity, size_t need, size_t first, size_t max,
                 size_t item_size)
{
    size_t larger = *capacity ? *capacity : first;
    void *moved;

    if (need > max) {
        return false;
    }
    if (need <= *capacity) {
        return true;
    }
    while (larger < need) {
        larger *= 2;
    }
    moved = realloc(*buffer, larger * item_size);
    if (!moved) {
        return false;
    }
    *buffer = moved;
    *capacity = larger;
    return true;
}

static bool add_action(struct reply *reply, const struct reply_action *action)
{
    void *buffer = reply->action;

    if (!grow(&buffer, &reply->action_capacity, reply->action_count + 1, FIRST_ACTIONS,
              REPLY_ACTION_MAX, sizeof(*reply->action))) {
        reply->overflow = true;
        return false;
    }
    reply->action = buffer;
    reply->action[reply->action_count++] = *action;
    return true;
}

static bool add_with_data(struct reply *reply, enum reply_action_kind kind, uint64_t gpa,
                          const void *bytes, size_t size_bytes)
{
    struct reply_action action = {
        .kind = kind,
        .gpa = gpa,
        .size_bytes = size_bytes,
        .data_offset = reply->data_size_bytes,
    };
    void *buffer = reply->data;

    if (size_bytes == 0) {
        return true;
    }
    if (size_bytes > REPLY_DATA_MAX ||
        !grow(&buffer, &reply->data_capacity, reply->data_size_bytes + size_bytes, FIRST_DATA_BYTES,
              REPLY_DATA_MAX, 1)) {
        reply->overflow = true;
        return false;
    }
    reply->data = buffer;
    if (!add_action(reply, &action)) {
        return false;
    }
    memcpy(reply->data + reply->data_size_bytes, bytes, size_bytes);
    reply->data_size_bytes += size_bytes;
    return true;
}

bool reply_write(struct reply *reply, uint64_t gpa, const void *bytes, size_t size_bytes)
{
    return add_with_data(reply, REPLY_WRITE, gpa, bytes, size_bytes);
}

/* Bytes that follow each other make one action. */
bool reply_console(struct reply *reply, const void *bytes, size_t size_bytes)
{
    struct reply_action *last;
    size_t count = reply->action_count;

    if (!add_with_data(reply, REPLY_CONSOLE, 0, bytes, size_bytes)) {
        return false;
    }
    last = count ? &reply->action[count - 1] : NULL;
    if (last && reply->action_count > count && last->kind == REPLY_CONSOLE &&
        last->data_offset + last->size_bytes == reply->action[count].data_offset) {
        last->size_bytes += size_bytes;
        reply->action_count = count;
    }
    return true;
}

bool reply_assign(struct reply *reply, uint64_t gpa, uint64_t size_bytes)
{
    struct reply_action action = {.kind = REPLY_ASSIGN, .gpa = gpa, .size_bytes = size_bytes};

    return add_action(reply, &action);
}

bool reply_unassign(struct reply *reply, uint64_t gpa, uint64_t size_bytes)
{
    struct reply_action action = {.kind = REPLY_UNASSIGN, .gpa = gpa, .size_bytes = size_bytes};

    return add_action(reply, &action);
}

bool reply_watch_add(struct reply *reply, const struct reply_watch *watch)
{
    struct reply_action action = {
        .kind = REPLY_WATCH,
        .gpa = watch->gpa,
        .size_bytes = watch->size_bytes,
        .watch = *watch,
    };

    return add_action(reply, &action);
}

bool reply_vcpu_start(struct reply *reply, const struct reply_vcpu *vcpu, uint64_t vmsa_gpa)
{
    return add_action(
        reply, &(struct reply_action){.kind = REPLY_VCPU_START, .gpa = vmsa_gpa, .vcpu = *vcpu});
}

bool reply_vcpu_stop(struct reply *reply, const struct reply_vcpu *vcpu)
{
    return add_action(reply, &(struct reply_action){.kind = REPLY_VCPU_STOP, .vcpu = *vcpu});
}

bool reply_run_vmpl(struct reply *reply, unsigned vmpl, bool unasked)
{
    struct reply_action action = {
        .kind = REPLY_RUN_VMPL,
        .vcpu = {.vmpl = (uint8_t)vmpl, .now = unasked},
    };

    return add_action(reply, &action);
}

bool reply_run_vcpu(struct reply *reply, uint32_t number)
{
    return add_action(reply, &(struct reply_action){.kind = REPLY_RUN_VCPU, .vcpu.number = number});
}

bool reply_stop_vcpu(struct reply *reply, uint32_t number)
{
    return add_action(reply,
                      &(struct reply_action){.kind = REPLY_STOP_VCPU, .vcpu.number = number});
}

bool reply_rmpupdate(struct reply *reply, uint64_t gpa, uint64_t size_bytes,
                     const struct reply_rmpupdate *operand)
{
    struct reply_action action = {
        .kind = REPLY_RMPUPDATE,
        .gpa = gpa,
        .size_bytes = size_bytes,
        .rmpupdate = *operand,
    };

    return add_action(reply, &action);
}

bool reply_psmash(struct reply *reply, uint64_t gpa)
{
    struct reply_action action = {.kind = REPLY_PSMASH, .gpa = gpa};

    return add_action(reply, &action);
}

bool reply_remap(struct reply *reply, uint64_t gpa, uint64_t other_gpa)
{
    struct reply_action action = {.kind = REPLY_REMAP, .gpa = gpa, .other_gpa = other_gpa};

    return add_action(reply, &action);
}

bool reply_swap(struct reply *reply, uint64_t gpa, uint64_t other_gpa)
{
    struct reply_action action = {.kind = REPLY_SWAP, .gpa = gpa, .other_gpa = other_gpa};

    return add_action(reply, &action);
}

bool reply_inject(struct reply *reply, const struct reply_event *event)
{
    struct reply_action action = {.kind = REPLY_INJECT, .event = *event};

    return add_action(reply, &action);
}

bool reply_doorbell(struct reply *reply, const struct reply_doorbell *doorbell)
{
    struct reply_action action = {.kind = REPLY_DOORBELL, .doorbell = *doorbell};

    return add_action(reply, &action);
}

bool reply_add(struct reply *reply, const struct reply_action *action, const uint8_t *data)
{
    size_t count = reply->action_count;
    bool added =
        action->kind == REPLY_WRITE
            ? reply_write(reply, action->gpa, data + action->data_offset, action->size_bytes)
            : add_action(reply, action);

    if (added) {
        reply_defer(reply, count, &(struct reply_delay){.owner = action->delay.owner});
    }
    return added;
}

void reply_defer(struct reply *reply, size_t first, const struct reply_delay *delay)
{
    for (size_t i = first; i < reply->action_count; i++) {
        reply->action[i].delay = *delay;
    }
}

const char *reply_action_name(enum reply_action_kind kind)
{
    static const char *const names[] = {
        [REPLY_WRITE] = "write",         [REPLY_ASSIGN] = "assign",
        [REPLY_UNASSIGN] = "unassign",   [REPLY_WATCH] = "watch",
        [REPLY_CONSOLE] = "console",     [REPLY_VCPU_START] = "vcpu_start",
        [REPLY_VCPU_STOP] = "vcpu_stop", [REPLY_RUN_VMPL] = "run_vmpl",
        [REPLY_RMPUPDATE] = "rmpupdate", [REPLY_PSMASH] = "psmash",
        [REPLY_REMAP] = "remap",         [REPLY_SWAP] = "swap",
        [REPLY_INJECT] = "inject",       [REPLY_DOORBELL] = "doorbell",
        [REPLY_RUN_VCPU] = "run_vcpu",   [REPLY_STOP_VCPU] = "stop_vcpu",
    };

    return names[kind];
}

/* Whether two (start, length) ranges share a byte, without overflow at the top of the space. */
static bool overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
    return a < b ? b - a < a_size : a - b < b_size;
}

size_t reply_drop_page_state(struct reply *reply, uint64_t gpa, uint64_t size_bytes)
{
    size_t kept = 0;
    size_t dropped = 0;

    for (size_t i = 0; i < reply->action_count; i++) {
        const struct reply_action *action = &reply->action[i];
        bool page_state = (action->kind == REPLY_ASSIGN || action->kind == REPLY_UNASSIGN) &&
                          !action->delay.instructions;

        if (page_state && overlap(action->gpa, action->size_bytes, gpa, size_bytes)) {
            dropped++;
        } else {
            reply->action[kept++] = *action;
        }
    }
    reply->action_count = kept;
    return dropped;
}

const struct reply_action *reply_find_write(const struct reply *reply, uint64_t gpa)
{
    const struct reply_action *found = NULL;

    for (size_t i = 0; i < reply->action_count; i++) {
        const struct reply_action *action = &reply->action[i];

        if (action->kind == REPLY_WRITE && action->gpa == gpa && !action->delay.instructions) {
            found = action;
        }
    }
    return found;
}

static void drop_writes(struct reply *reply, bool all, uint64_t gpa)
{
    size_t kept = 0;

    for (size_t i = 0; i < reply->action_count; i++) {
        const struct reply_action *action = &reply->action[i];

        if (action->kind != REPLY_WRITE || !(all || action->gpa == gpa) ||
            action->delay.instructions) {
            reply->action[kept++] = *action;
        }
    }
    reply->action_count = kept;
}

void reply_drop_writes(struct reply *reply, uint64_t gpa)
{
    drop_writes(reply, false, gpa);
}

void reply_drop_all_writes(struct reply *reply)
{
    drop_writes(reply, true, 0);
}
