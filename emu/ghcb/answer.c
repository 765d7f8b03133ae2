/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/answer.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "abi/msr.h"
#include "abi/nae.h"
#include "abi/x86.h"
#include "ghcb/answer_internal.h"
#include "ghcb/history.h"
#include "ghcb/table.h"

void answer_denied(struct answer *answer, const char *what, uint64_t gpa, const char *why)
{
    struct event event;

    if (trap_event_begin(answer->trap, &event, "denied", what)) {
        event_hex(&event, "gpa", gpa);
        event_string(&event, "why", why);
        snprintf(event.words, sizeof(event.words), "host's %s at gpa 0x%llx denied: %s", what,
                 (unsigned long long)gpa, why);
        trap_event_emit(answer->trap, &event);
    }
}

/* The bytes of a shared page, for writing; NULL, with an event, when the host may not. */
static uint8_t *answer_shared(struct answer *answer, const char *what, uint64_t gpa)
{
    struct machine *machine = answer->trap->machine;

    if (!hypervisor_has(answer->hypervisor, gpa)) {
        answer_denied(answer, what, gpa, "there is no memory");
        return NULL;
    }
    if (!hypervisor_shares(answer->hypervisor, gpa)) {
        answer_denied(answer, what, gpa, "the page is the guest's");
        return NULL;
    }
    return memory_bytes_for_write(&machine->memory, memory_page(&machine->memory, gpa));
}

static int answer_write(struct answer *answer, const struct reply_action *action)
{
    const uint8_t *data = answer->reply->data + action->data_offset;
    uint64_t done = 0;

    while (done < action->size_bytes) {
        uint64_t gpa = action->gpa + done;
        uint64_t chunk = PAGE_SIZE - (gpa & PAGE_MASK);
        uint8_t *page = answer_shared(answer, "write", gpa & ~PAGE_MASK);

        if (!page) {
            return 0;
        }
        chunk = chunk < action->size_bytes - done ? chunk : action->size_bytes - done;
        memcpy(page + (gpa & PAGE_MASK), data + done, chunk);
        done += chunk;
    }
    return 0;
}

/*
 * Why RMPUPDATE leaves an entry of the range as it is although the change would be one; NULL when
 * nothing stands in the way. Linux arch/x86/include/asm/sev.h has the names.
 */
static const char *answer_obstacle(struct answer *answer, const struct reply_action *action,
                                   uint64_t *gpa)
{
    const struct machine *machine = answer->trap->machine;
    bool assign = action->kind == REPLY_ASSIGN;

    for (uint64_t at = 0; at < action->size_bytes; at += PAGE_SIZE) {
        uint32_t page = memory_page(&machine->memory, action->gpa + at);
        uint8_t flags = machine->rmp.entry[page].flags;

        *gpa = action->gpa + at;
        if (!assign && machine_in_use(machine, page)) {
            return "FAIL_INUSE, a VMSA that runs";
        }
        if ((flags & RMP_IMMUTABLE) && !(flags & RMP_ASSIGNED) == assign) {
            return "the page is immutable";
        }
    }
    return NULL;
}

static int answer_page_state(struct answer *answer, const struct reply_action *action)
{
    struct machine *machine = answer->trap->machine;
    const char *obstacle;
    uint64_t gpa;

    if (action->gpa % action->size_bytes || !hypervisor_has(answer->hypervisor, action->gpa) ||
        !hypervisor_has(answer->hypervisor, action->gpa + action->size_bytes - PAGE_SIZE)) {
        answer_denied(answer, "page state", action->gpa, "no such page");
        return 0;
    }
    obstacle = answer_obstacle(answer, action, &gpa);
    if (obstacle) {
        answer_denied(answer, "page state", gpa, obstacle);
    }
    if (action->kind == REPLY_ASSIGN) {
        machine_assign_gpa(machine, action->gpa, action->size_bytes == LARGE_PAGE_SIZE);
        return 0;
    }
    for (uint64_t at = 0; at < action->size_bytes; at += PAGE_SIZE) {
        machine_unassign_gpa(machine, action->gpa + at);
    }
    return 0;
}

static int answer_watch(struct answer *answer, const struct reply_action *action)
{
    if (!answer_shared(answer, "watch", action->watch.gpa & ~PAGE_MASK)) {
        return 0;
    }
    return answer->ops->watch(answer->ops->context, &action->watch, answer->error);
}

static int answer_console(struct answer *answer, const struct reply_action *action)
{
    answer->ops->console(answer->ops->context, answer->reply->data + action->data_offset,
                         action->size_bytes);
    return 0;
}

/* Without an exit nothing else says that the host acts, and what it does. */
static void answer_report_later(struct answer *answer, const struct reply_action *action)
{
    struct event event;

    if (trap_event_begin(answer->trap, &event, "after", reply_action_name(action->kind))) {
        if (action->gpa) {
            event_hex(&event, "gpa", action->gpa);
        }
        snprintf(event.words, sizeof(event.words), "now the host acts: %s",
                 reply_action_name(action->kind));
        trap_event_emit(answer->trap, &event);
    }
}

static int answer_actions(struct answer *answer)
{
    static answer_action *const handlers[] = {
        [REPLY_WRITE] = answer_write,         [REPLY_ASSIGN] = answer_page_state,
        [REPLY_UNASSIGN] = answer_page_state, [REPLY_WATCH] = answer_watch,
        [REPLY_CONSOLE] = answer_console,     [REPLY_VCPU_START] = answer_vcpu,
        [REPLY_VCPU_STOP] = answer_vcpu,      [REPLY_RUN_VMPL] = answer_run_vmpl,
        [REPLY_RMPUPDATE] = answer_rmpupdate, [REPLY_PSMASH] = answer_psmash,
        [REPLY_REMAP] = answer_nested_map,    [REPLY_SWAP] = answer_nested_map,
        [REPLY_INJECT] = answer_inject,       [REPLY_DOORBELL] = answer_doorbell,
        [REPLY_RUN_VCPU] = answer_run_vcpu,   [REPLY_STOP_VCPU] = answer_stop_vcpu,
    };
    int status = 0;

    for (size_t i = 0; status == 0 && i < answer->reply->action_count; i++) {
        const struct reply_action *action = &answer->reply->action[i];

        if (action->delay.instructions) {
            status = answer->ops->later(answer->ops->context, action, answer->reply->data,
                                        answer->error);
            continue;
        }
        if (!answer->exit) {
            answer_report_later(answer, action);
        }
        status = handlers[action->kind](answer, action);
    }
    return status;
}

static void answer_fields(struct answer *answer)
{
    const struct reply *reply = answer->reply;
    uint8_t *page = answer_shared(answer, "answer", answer->exit->ghcb_gpa);

    if (!page) {
        return;
    }
    reply_keep(reply, true, &vcpus_current_level(&answer->hypervisor->vcpus)->answer);
    if (!reply->keep_marks) {
        memset(page + GHCB_VALID_BITMAP, 0, GHCB_VALID_BITMAP_SIZE);
    }
    for (enum ghcb_field field = 0; field < FIELD_COUNT; field++) {
        const struct ghcb_field_row *row = &ghcb_field_rows[field];
        unsigned bit = GHCB_VALID_BIT(row->offset);

        if (reply->written & FIELD_BIT(field)) {
            ghcb_field_store(row, page, reply->field[field]);
        }
        if (reply->marked & FIELD_BIT(field)) {
            page[GHCB_VALID_BITMAP + bit / 8] |= (uint8_t)(1u << bit % 8);
        }
    }
}

/* The host agreed to a registration when it echoes the address, whatever model answered. */
static void answer_msr(struct answer *answer)
{
    struct vcpu_level *level = vcpus_current_level(&answer->hypervisor->vcpus);
    uint64_t request = answer->exit->msr;

    answer->trap->machine->state.ghcb_msr = answer->reply->msr;
    if (answer->exit->protocol == EXIT_MSR) {
        reply_keep(answer->reply, false, &level->answer);
    }
    if ((request & GHCB_MSR_INFO_MASK) == GHCB_MSR_REGISTER_REQ &&
        answer->reply->msr == (request - GHCB_MSR_REGISTER_REQ + GHCB_MSR_REGISTER_RESP)) {
        level->registered = true;
        level->registered_gpa = request & ~GHCB_MSR_INFO_MASK;
    }
}

int ghcb_answer(struct trap_context *trap, struct hypervisor *hypervisor, const struct exit *exit,
                const struct reply *reply, const struct answer_ops *ops, struct error *error)
{
    struct answer answer = {
        .trap = trap,
        .hypervisor = hypervisor,
        .exit = exit,
        .reply = reply,
        .ops = ops,
        .error = error,
    };
    int status;

    if (reply->overflow) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "too large: at most %d actions, %u bytes; do less in one answer",
                         REPLY_ACTION_MAX, REPLY_DATA_MAX);
    }
    status = answer_actions(&answer);
    answer_judge_uninvited(&answer);
    answer_judge_request(&answer);
    if (exit->protocol == EXIT_PAGE) {
        answer_fields(&answer);
    }
    if (reply->msr_written) {
        answer_msr(&answer);
    }
    if (hypervisor->history && !history_keep(hypervisor->history, exit, reply)) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for an answer");
    }
    if (status == 0) {
        answer_resume(&answer);
    }
    return status;
}

int ghcb_act(struct trap_context *trap, struct hypervisor *hypervisor, const struct exit *exit,
             const struct reply *reply, const struct answer_ops *ops, struct error *error)
{
    struct answer answer = {
        .trap = trap,
        .hypervisor = hypervisor,
        .exit = exit,
        .reply = reply,
        .ops = ops,
        .error = error,
    };
    int status = answer_actions(&answer);

    answer_judge_uninvited(&answer);
    if (exit) {
        answer_drop_event(&answer);
    } else if (status == 0) {
        answer_resume(&answer);
    }
    return status;
}
