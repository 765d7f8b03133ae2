/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/bytes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ghcb/table.h"
#include "host/bytes_internal.h"

_Static_assert(BYTES_RECORD_MAX <= 64, "a bit each");

static uint64_t bit(size_t i)
{
    return 1ULL << i;
}

static bool has(const struct bytes_slot *slot, unsigned part)
{
    return deviation_rows[slot->record.kind]->parts & part;
}

/* ---- features ---- */

static void add_feature(struct bytes_host *host, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t hash = a;

    if (host->feature_count < BYTES_FEATURE_MAX) {
        hash = (hash ^ hash >> 32) * 0x9E3779B97F4A7C15ULL + b;
        hash = (hash ^ hash >> 29) * 0xBF58476D1CE4E5B9ULL + c;
        hash = (hash ^ hash >> 32) * 0x94D049BB133111EBULL;
        host->feature[host->feature_count++] = (uint32_t)(hash >> 32);
    }
}

static uint64_t row_number(const struct exit_row *row)
{
    return row->code << 1 | (row->protocol == EXIT_PAGE);
}

/* The first, the second, the fourth, the eighth... of its name. */
static void add_exit_feature(struct bytes_host *host, const struct exit *exit)
{
    if ((exit->nth & (exit->nth - 1)) == 0) {
        add_feature(host, row_number(exit->row), exit->nth, 0);
    }
}

/* On which side of the honest value: not more, or each value is new. */
static uint64_t value_class(const struct deviation *deviation)
{
    if (!(deviation->row->parts & PART_VALUE)) {
        return 0;
    }
    return deviation->value == 0                ? 1
           : deviation->value < deviation->was  ? 2
           : deviation->value == deviation->was ? 3
                                                : 4;
}

static void add_deviation_feature(struct bytes_host *host, const struct bytes_slot *slot)
{
    uint64_t what = (uint64_t)slot->record.kind << 8 | slot->deviation.what;

    add_feature(host, row_number(slot->row), what, 0x100 | value_class(&slot->deviation));
}

/* ---- which records an exit has ---- */

static uint64_t repeating(const struct bytes_host *host, const struct exit *exit)
{
    uint64_t due = 0;

    for (uint64_t left = host->repeating; left; left &= left - 1) {
        size_t i = (size_t)__builtin_ctzll(left);

        if (host->slot[i].row == exit->row) {
            due |= bit(i);
        }
    }
    return due;
}

/* Bit n: record n. Exits come in order. */
static uint64_t records_due(struct bytes_host *host, const struct exit *exit)
{
    uint64_t due = host->repeating ? repeating(host, exit) : 0;
    uint64_t number = exit->number - host->first_exit;

    if (host->next == host->count || exit->number < host->first_exit) {
        return due;
    }
    while (host->next < host->count && host->slot[host->order[host->next]].record.exit < number) {
        host->next++;
    }
    for (size_t i = host->next; i < host->count && host->slot[host->order[i]].record.exit == number;
         i++) {
        due |= bit(host->order[i]);
    }
    return due;
}

/* ---- the answer ---- */

static void slot_is_done(struct bytes_host *host, size_t i)
{
    if (!(host->done & bit(i))) {
        host->done |= bit(i);
        add_deviation_feature(host, &host->slot[i]);
    }
}

/* What waits for the guest is put in its way once: there is room for one a record. */
static void slot_start(struct bytes_slot *slot, const struct exit *exit)
{
    bool goes_on = has(slot, PART_EVERY) && slot->record.flag && !deviation_waits(&slot->deviation);

    slot->row = exit->row;
    slot->first_nth = exit->nth;
    slot->last_nth = goes_on ? UINT64_MAX : exit->nth;
}

/* One record: what it means is found out once, in the first of its exits. */
static void deviate(struct bytes_host *host, struct deviation_context *context, size_t i)
{
    struct bytes_slot *slot = &host->slot[i];
    struct deviation *deviation = &slot->deviation;
    bool again = host->repeating & bit(i);

    context->record = &slot->record;
    context->owner = slot;
    if (!again && !deviation_resolve(context, deviation)) {
        return;
    }
    if (again && deviation->row->still && !deviation->row->still(context, deviation)) {
        host->repeating &= ~bit(i);
        slot->last_nth = context->exit->nth - 1;
        return;
    }
    if (!again) {
        slot_start(slot, context->exit);
        host->repeating |= slot->last_nth == UINT64_MAX ? bit(i) : 0;
    }
    deviation->row->apply(context, deviation);
    if (!deviation_waits(deviation)) {
        slot_is_done(host, i);
    }
}

static bool answers_alone(const struct bytes_host *host, uint64_t due)
{
    for (; due; due &= due - 1) {
        if (deviation_rows[host->slot[__builtin_ctzll(due)].record.kind]->alone) {
            return true;
        }
    }
    return false;
}

static void answer_otherwise(struct bytes_host *host, struct hypervisor *hypervisor,
                             const struct exit *exit, struct reply *reply, uint64_t due)
{
    struct deviation_context context = {
        .hypervisor = hypervisor,
        .exit = exit,
        .reply = reply,
        .last = host->last,
        .room = host->room,
    };

    if (!answers_alone(host, due)) {
        hypervisor_answer(hypervisor, exit, reply);
    }
    /* Nothing can be changed in an answer that does not let the guest go on. */
    for (; due && reply->resume == REPLY_RESUME; due &= due - 1) {
        deviate(host, &context, (size_t)__builtin_ctzll(due));
    }
}

/* What the guest put into shared memory may ask for more than a reply holds. */
static void refuse_too_large(struct bytes_host *host, const struct exit *exit, struct reply *reply)
{
    reply_refuse(reply, BYTES_TOO_LARGE);
    host->refused = exit->row;
    host->refused_nth = exit->nth;
}

static int bytes_answer(struct host *base, struct hypervisor *hypervisor, const struct exit *exit,
                        struct reply *reply, struct error *error)
{
    struct bytes_host *host = (struct bytes_host *)base;
    uint64_t due = records_due(host, exit);

    (void)error;
    add_exit_feature(host, exit);
    if (due) {
        answer_otherwise(host, hypervisor, exit, reply, due);
    } else {
        hypervisor_answer(hypervisor, exit, reply);
    }
    if (host->remembers && exit->number >= host->first_exit) {
        deviation_sources(exit, host->last);
    }
    if (reply->overflow) {
        refuse_too_large(host, exit, reply);
    }
    return SNPEMU_OK;
}

static bool bytes_handles(struct host *base, const struct exit *exit)
{
    return records_due((struct bytes_host *)base, exit) != 0;
}

/* Of a run that another host began: not ours. */
static void bytes_watch_fired(struct host *base, void *owner)
{
    struct bytes_host *host = (struct bytes_host *)base;
    uintptr_t at = (uintptr_t)owner - (uintptr_t)host->slot;

    if (at < sizeof(host->slot) && at / sizeof(host->slot[0]) < host->count) {
        slot_is_done(host, at / sizeof(host->slot[0]));
    }
}

/* ---- one run after the other ---- */

static void bytes_free(struct host *host)
{
    free(host);
}

struct host *host_bytes_new(void)
{
    struct bytes_host *host = calloc(1, sizeof(*host));

    if (!host) {
        return NULL;
    }
    host->host = (struct host){
        .answer = bytes_answer,
        .watch_fired = bytes_watch_fired,
        .handles = bytes_handles,
        .free = bytes_free,
    };
    return &host->host;
}

/* Into the order of their exits; those of one exit stay in the order of the input. */
static void order_add(struct bytes_host *host, size_t i)
{
    size_t at = i;

    while (at > 0 && host->slot[host->order[at - 1]].record.exit > host->slot[i].record.exit) {
        host->order[at] = host->order[at - 1];
        at--;
    }
    host->order[at] = (uint8_t)i;
}

/* It looks back at the exit before its own. */
static bool looks_back(const struct bytes_slot *slot)
{
    return (has(slot, PART_VALUE) && slot->record.form == FORM_LAST_REQUEST) ||
           slot->record.kind >= DEVIATION_ASSIGN;
}

void host_bytes_set(struct host *base, const uint8_t *input, size_t size_bytes, uint64_t first_exit)
{
    struct bytes_host *host = (struct bytes_host *)base;

    host->count = bytes_record_count(size_bytes);
    host->next = 0;
    host->repeating = 0;
    host->done = 0;
    host->feature_count = 0;
    host->refused = NULL;
    host->first_exit = first_exit;
    host->remembers = false;
    for (size_t i = 0; i < host->count; i++) {
        bytes_record_read(input, size_bytes, i, &host->slot[i].record);
        order_add(host, i);
        host->remembers = host->remembers || looks_back(&host->slot[i]);
    }
    if (host->remembers) {
        memset(host->last, 0, sizeof(host->last));
    }
}

uint64_t host_bytes_done(const struct host *host)
{
    return ((const struct bytes_host *)host)->done;
}

size_t host_bytes_features(const struct host *base, uint32_t *feature, size_t max)
{
    const struct bytes_host *host = (const struct bytes_host *)base;
    size_t count = host->feature_count < max ? host->feature_count : max;

    memcpy(feature, host->feature, count * sizeof(*feature));
    return count;
}
