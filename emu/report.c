/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report.h"

#include <stdio.h>

#include "abi/nae.h"
#include "ghcb/table.h"

/* The fields that an honest answer always writes and marks. */
#define ANSWER_FIELDS                                                                              \
    (FIELD_BIT(FIELD_RAX) | FIELD_BIT(FIELD_RBX) | FIELD_BIT(FIELD_RCX) | FIELD_BIT(FIELD_RDX) |   \
     FIELD_BIT(FIELD_INFO1) | FIELD_BIT(FIELD_INFO2))

void report_exit(struct trap_context *trap, const struct exit *exit)
{
    struct event event;

    if (!trap_event_begin(trap, &event, "exit", exit->name)) {
        return;
    }
    event_dec(&event, "number", exit->number);
    event_full_only(&event);
    if (exit->protocol == EXIT_MSR) {
        event_hex(&event, "msr", exit->msr);
    }
    for (enum ghcb_field field = 0; field < FIELD_COUNT; field++) {
        bool common = field == FIELD_CODE || field == FIELD_SCRATCH;

        if (exit_marked(exit, field) && !common) {
            event_hex(&event, ghcb_field_rows[field].name, exit->field[field]);
        }
    }
    if (exit->row == &exit_row_unknown_nae) {
        event_hex(&event, "code", exit->field[FIELD_CODE]);
    }
    if (exit->row->describe) {
        exit->row->describe(exit, &event);
    }
    exit->row->say(exit, event.words, sizeof(event.words));
    trap_event_emit(trap, &event);
}

static void report_fields(struct event *event, const struct exit *exit, const struct reply *reply)
{
    for (enum ghcb_field field = 0; field < FIELD_COUNT; field++) {
        uint32_t bit = FIELD_BIT(field);
        const char *name = ghcb_field_rows[field].name;
        bool info = field == FIELD_INFO1 || field == FIELD_INFO2;
        bool changed = reply->field[field] != exit_field(exit, field);

        if ((reply->written & bit) && (reply->marked & bit)) {
            if (info || changed || !(ANSWER_FIELDS & bit)) {
                event_hex(event, name, reply->field[field]);
                if (reply->has_time && !info) {
                    event_full_only(event);
                }
            }
        } else if (reply->written & bit) {
            event_string(event, name, "unmarked");
        } else if (ANSWER_FIELDS & bit) {
            event_string(event, name, reply->marked & bit ? "left" : "left-unmarked");
        }
    }
    if (reply->keep_marks) {
        event_dec(event, "keep_marks", 1);
    }
    if (reply->unverified) {
        event_string(event, "unverified", reply->unverified);
    }
}

static void report_actions(struct event *event, const struct reply *reply)
{
    uint64_t assigned = 0, unassigned = 0, written = 0, reads = 0, writes = 0, later = 0;

    for (size_t i = 0; i < reply->action_count; i++) {
        const struct reply_action *action = &reply->action[i];

        if (action->delay.instructions) {
            later++;
            continue;
        }
        assigned += action->kind == REPLY_ASSIGN ? action->size_bytes / 4096 : 0;
        unassigned += action->kind == REPLY_UNASSIGN ? action->size_bytes / 4096 : 0;
        written += action->kind == REPLY_WRITE ? action->size_bytes : 0;
        reads += action->kind == REPLY_WATCH && !action->watch.on_write;
        writes += action->kind == REPLY_WATCH && action->watch.on_write;
    }
    if (assigned) {
        event_dec(event, "private_pages", assigned);
    }
    if (unassigned) {
        event_dec(event, "shared_pages", unassigned);
    }
    if (written) {
        event_dec(event, "bytes", written);
    }
    if (reads) {
        event_dec(event, "on_read", reads);
    }
    if (writes) {
        event_dec(event, "on_write", writes);
    }
    if (later) {
        event_dec(event, "after", later);
    }
}

/* The first bytes of what the host wrote: for an ID list, its count and first IDs. */
static void report_data(struct event *event, const struct exit *exit, const struct reply *reply)
{
    char text[3 * 16 + 1];
    size_t used = 0;

    for (size_t i = 0; i < reply->action_count && used < sizeof(text) - 1; i++) {
        const struct reply_action *action = &reply->action[i];

        for (size_t at = 0; action->kind == REPLY_WRITE && !action->delay.instructions &&
                            at < action->size_bytes && used + 2 < sizeof(text);
             at++) {
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%02x",
                                     reply->data[action->data_offset + at]);
        }
    }
    if (used) {
        event_string(event, "data", text);
        if (exit->row->flags & EXIT_MESSAGE) {
            event_full_only(event);
        }
    }
}

static void report_reply_words(struct event *event, const struct exit *exit,
                               const struct reply *reply)
{
    uint64_t info1 = reply->field[FIELD_INFO1];

    static const char *const endings[] = {
        [REPLY_REFUSE] = "refused",
        [REPLY_UNMODELLED] = "not modelled",
        [REPLY_FAIL] = "the host gives up",
        [REPLY_HOLD] = "the vCPU is not resumed",
    };

    if (reply->resume != REPLY_RESUME) {
        snprintf(event->words, sizeof(event->words), "%s: %s", endings[reply->resume],
                 reply->reason);
    } else if (exit->protocol == EXIT_MSR) {
        snprintf(event->words, sizeof(event->words), "GHCB MSR = 0x%llx",
                 (unsigned long long)reply->msr);
    } else if ((uint32_t)info1 == GHCB_INFO1_MALFORMED) {
        snprintf(event->words, sizeof(event->words), "malformed input, reason %llu",
                 (unsigned long long)reply->field[FIELD_INFO2]);
    } else if (info1 != GHCB_INFO1_OK) {
        snprintf(event->words, sizeof(event->words), "info1 0x%llx, info2 0x%llx",
                 (unsigned long long)info1, (unsigned long long)reply->field[FIELD_INFO2]);
    } else if ((reply->marked & FIELD_BIT(FIELD_RAX)) &&
               reply->field[FIELD_RAX] != exit_field(exit, FIELD_RAX)) {
        snprintf(event->words, sizeof(event->words), "rax = 0x%llx",
                 (unsigned long long)reply->field[FIELD_RAX]);
    } else {
        snprintf(event->words, sizeof(event->words), "done");
        if (exit->row->say_reply) {
            exit->row->say_reply(exit, reply, event->words, sizeof(event->words));
        }
    }
}

void report_reply(struct trap_context *trap, const struct exit *exit, const struct reply *reply)
{
    struct event event;

    if (!trap_event_begin(trap, &event, "reply", exit->name)) {
        return;
    }
    if (exit->protocol == EXIT_MSR) {
        if (reply->msr_written) {
            event_hex(&event, "msr", reply->msr);
        } else {
            event_string(&event, "msr", "left");
        }
    } else {
        report_fields(&event, exit, reply);
    }
    report_actions(&event, reply);
    report_data(&event, exit, reply);
    report_reply_words(&event, exit, reply);
    trap_event_emit(trap, &event);
}

bool report_is_console_byte(const struct exit *exit, const struct reply *reply)
{
    return exit->row->code == NAE_IOIO && exit->protocol == EXIT_PAGE && reply->action_count == 1 &&
           reply->action[0].kind == REPLY_CONSOLE && reply->written == ANSWER_FIELDS &&
           reply->marked == ANSWER_FIELDS && reply->field[FIELD_INFO1] == 0 &&
           reply->field[FIELD_INFO2] == 0 && !reply->keep_marks && reply->resume == REPLY_RESUME;
}

void report_console(struct trap_context *trap, const char *line)
{
    struct event event;

    if (trap_event_begin(trap, &event, "console", NULL)) {
        event_string(&event, "text", line);
        snprintf(event.words, sizeof(event.words), "console: %s", line);
        trap_event_emit(trap, &event);
    }
}

void report_outcome(struct trap_context *trap)
{
    const struct outcome *outcome = trap->outcome;
    struct event event;
    char phrase[64];

    if (!trap_event_begin(trap, &event, "outcome", NULL)) {
        return;
    }
    outcome_phrase(outcome, phrase, sizeof(phrase));
    event_string(&event, "what", phrase);
    if (outcome->detail[0]) {
        event_string(&event, "detail", outcome->detail);
    }
    if (outcome->panic[0]) {
        event_string(&event, "panic", outcome->panic);
    }
    if (outcome->oracles) {
        char hit[160];

        oracle_list(outcome->oracles, hit, sizeof(hit));
        event_string(&event, "oracles", hit);
    }
    event_string(&event, "verdict", verdict_name(outcome_verdict(outcome)));
    event_dec(&event, "instructions", outcome->instructions);
    event_full_only(&event);
    event_dec(&event, "exits", outcome->exits);
    event_full_only(&event);
    trap_event_emit(trap, &event);
}
