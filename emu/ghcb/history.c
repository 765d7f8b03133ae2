/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/history.h"

#include <stdlib.h>
#include <string.h>

#include "abi/nae.h"
#include "ghcb/table.h"

static const uint8_t *answer_data(const struct history_answer *answer)
{
    return (const uint8_t *)(answer->write + answer->write_count);
}

/* ---- keeping ---- */

static void history_drop(struct history *history, size_t i)
{
    history->size_bytes -= history->answer[i].size_bytes;
    free(history->answer[i].write);
    history->count--;
    memmove(&history->answer[i], &history->answer[i + 1],
            (history->count - i) * sizeof(history->answer[0]));
}

static size_t history_count(const struct history *history, const struct exit_row *row)
{
    size_t count = 0;

    for (size_t i = 0; i < history->count; i++) {
        count += history->answer[i].row == row;
    }
    return count;
}

/* The oldest of the event that has most. */
static void history_drop_one(struct history *history)
{
    size_t most = 0, drop = 0;

    for (size_t i = 0; i < history->count; i++) {
        size_t count = history_count(history, history->answer[i].row);

        if (count > most) {
            most = count;
            drop = i;
        }
    }
    history_drop(history, drop);
}

static void history_make_room(struct history *history, size_t size)
{
    if (history->count == HISTORY_MAX) {
        history_drop_one(history);
    }
    for (size_t i = 0; history->size_bytes + size > HISTORY_DATA_MAX;) {
        if (history->answer[i].size_bytes) {
            history_drop(history, i);
        } else {
            i++;
        }
    }
}

static void exit_regions(const struct exit *exit, uint64_t region[HISTORY_REGION_COUNT])
{
    bool message = exit->row->flags & EXIT_MESSAGE;

    memset(region, 0, HISTORY_REGION_COUNT * sizeof(region[0]));
    if (exit->protocol != EXIT_PAGE) {
        return;
    }
    region[HISTORY_GHCB] = exit->ghcb_gpa;
    region[HISTORY_SCRATCH] = exit_field(exit, FIELD_SCRATCH);
    if (message || exit->row->code == NAE_APIC_ID_LIST) {
        region[HISTORY_INFO1] = exit_field(exit, FIELD_INFO1);
    }
    if (message) {
        region[HISTORY_INFO2] = exit_field(exit, FIELD_INFO2);
    }
    if (exit->row->code == NAE_EXT_GUEST_REQUEST) {
        region[HISTORY_RAX] = exit_field(exit, FIELD_RAX);
    }
}

static bool action_writes(const struct reply_action *action)
{
    return action->kind == REPLY_WRITE && !action->delay.instructions;
}

/* The bytes that the reply writes, into the answer; false: out of memory. */
static bool answer_take_writes(struct history_answer *answer, const struct reply *reply)
{
    size_t offset = 0;
    uint8_t *data;

    for (size_t i = 0; i < reply->action_count; i++) {
        if (action_writes(&reply->action[i])) {
            answer->write_count++;
            answer->size_bytes += reply->action[i].size_bytes;
        }
    }
    if (answer->write_count == 0) {
        return true;
    }
    answer->write = malloc(answer->write_count * sizeof(*answer->write) + answer->size_bytes);
    if (!answer->write) {
        return false;
    }
    data = (uint8_t *)(answer->write + answer->write_count);
    answer->write_count = 0;
    for (size_t i = 0; i < reply->action_count; i++) {
        const struct reply_action *action = &reply->action[i];

        if (action_writes(action)) {
            answer->write[answer->write_count++] =
                (struct history_write){action->gpa, action->size_bytes, offset};
            memcpy(data + offset, reply->data + action->data_offset, action->size_bytes);
            offset += action->size_bytes;
        }
    }
    return true;
}

bool history_keep(struct history *history, const struct exit *exit, const struct reply *reply)
{
    struct history_answer answer = {
        .row = exit->row,
        .nth = exit->nth,
        .protocol = exit->protocol,
    };

    if (!answer_take_writes(&answer, reply)) {
        return false;
    }
    reply_keep(reply, exit->protocol == EXIT_PAGE, &answer.bytes);
    answer.bytes.msr_given = reply->msr_written;
    answer.bytes.msr = reply->msr;
    exit_regions(exit, answer.region);
    history_make_room(history, answer.size_bytes);
    history->answer[history->count++] = answer;
    history->size_bytes += answer.size_bytes;
    return true;
}

/* ---- giving again ---- */

const struct history_answer *history_find(const struct history *history, const struct exit_row *row,
                                          uint64_t nth)
{
    for (size_t i = history->count; i > 0; i--) {
        const struct history_answer *answer = &history->answer[i - 1];

        if (answer->row == row && (nth == 0 || answer->nth == nth)) {
            return answer;
        }
    }
    return NULL;
}

/* A write belongs to the region that begins nearest below it. */
static uint64_t answer_moved(const struct history_answer *answer, const uint64_t *region,
                             uint64_t gpa)
{
    size_t nearest = HISTORY_REGION_COUNT;

    for (size_t i = 0; i < HISTORY_REGION_COUNT; i++) {
        if (answer->region[i] && answer->region[i] <= gpa &&
            (nearest == HISTORY_REGION_COUNT || answer->region[i] > answer->region[nearest])) {
            nearest = i;
        }
    }
    return nearest == HISTORY_REGION_COUNT || !region[nearest]
               ? gpa
               : region[nearest] + (gpa - answer->region[nearest]);
}

bool history_replay(const struct history_answer *answer, const struct exit *exit, bool here,
                    struct reply *reply)
{
    uint64_t region[HISTORY_REGION_COUNT];
    bool fits = true;

    exit_regions(exit, region);
    reply_drop_all_writes(reply);
    reply_repeat(reply, exit->protocol == EXIT_PAGE, &answer->bytes);
    reply->msr_written = answer->bytes.msr_given;
    reply->msr = answer->bytes.msr_given ? answer->bytes.msr : 0;
    for (size_t i = 0; fits && i < answer->write_count; i++) {
        const struct history_write *write = &answer->write[i];

        fits = reply_write(reply, here ? answer_moved(answer, region, write->gpa) : write->gpa,
                           answer_data(answer) + write->offset, write->size_bytes);
    }
    return fits;
}

/* ---- copies ---- */

void history_release(struct history *history)
{
    if (!history) {
        return;
    }
    for (size_t i = 0; i < history->count; i++) {
        free(history->answer[i].write);
    }
    history->count = 0;
    history->size_bytes = 0;
}

bool history_copy(struct history *to, const struct history *from)
{
    history_release(to);
    for (size_t i = 0; i < from->count; i++) {
        struct history_answer answer = from->answer[i];
        size_t size = answer.write_count * sizeof(*answer.write) + answer.size_bytes;

        if (answer.write) {
            answer.write = malloc(size);
            if (!answer.write) {
                history_release(to);
                return false;
            }
            memcpy(answer.write, from->answer[i].write, size);
        }
        to->answer[to->count++] = answer;
    }
    to->size_bytes = from->size_bytes;
    return true;
}
