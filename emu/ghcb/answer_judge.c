/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose fault it is: pages that the host did not treat as the guest asked.
 */
#include <stdio.h>
#include <string.h>

#include "abi/msr.h"
#include "abi/nae.h"
#include "abi/x86.h"
#include "ghcb/answer_internal.h"
#include "ghcb/table.h"

void answer_blame(struct answer *answer, uint64_t gpa, uint64_t size_bytes)
{
    struct memory *memory = &answer->trap->machine->memory;

    for (uint64_t at = 0; at < size_bytes; at += PAGE_SIZE) {
        uint32_t page = memory_page(memory, gpa + at);

        if (page != MEMORY_NO_PAGE) {
            memory_set_flag(memory, page, MEMORY_HOST_FAULT);
        }
    }
}

struct page_request {
    uint64_t gpa, size_bytes, op;
};

/* Does the list lie where the host can read it? One that does not asks for nothing. */
static bool request_list(const struct exit *exit, uint32_t *cur, uint32_t *end)
{
    uint16_t header[2]; /* the first entry not yet done, and the last: both as the guest says */

    if (exit->row->code != NAE_PAGE_STATE_CHANGE || exit->scratch_size_bytes < PSC_HEADER_SIZE) {
        return false;
    }
    memcpy(header, exit->scratch, sizeof(header));
    *cur = header[0];
    *end = header[1];
    return *end < PSC_ENTRY_MAX &&
           PSC_HEADER_SIZE + (*end + 1) * PSC_ENTRY_SIZE <= exit->scratch_size_bytes;
}

/* The i-th page state change that the guest asks for in this exit; false when there is none. */
static bool request_at(const struct exit *exit, uint32_t i, struct page_request *request)
{
    uint64_t raw = exit->msr;

    if (exit->protocol == EXIT_PAGE) {
        uint32_t cur, end;

        if (!request_list(exit, &cur, &end) || cur + i > end) {
            return false;
        }
        memcpy(&raw, exit->scratch + PSC_HEADER_SIZE + (cur + i) * PSC_ENTRY_SIZE, 8);
    } else if (i > 0 || (raw & GHCB_MSR_INFO_MASK) != GHCB_MSR_PSC_REQ) {
        return false;
    }
    request->gpa = raw & PSC_GPA_MASK;
    request->size_bytes =
        exit->protocol == EXIT_PAGE && (raw & PSC_PAGE_SIZE_2M) ? LARGE_PAGE_SIZE : PAGE_SIZE;
    request->op = (raw >> PSC_OP_SHIFT) & PSC_OP_MASK;
    return true;
}

static bool request_covers(const struct exit *exit, uint32_t i, const struct reply_action *action)
{
    struct page_request request;

    return request_at(exit, i, &request) && action->gpa >= request.gpa &&
           action->gpa + action->size_bytes <= request.gpa + request.size_bytes &&
           (request.op == PSC_OP_PRIVATE) == (action->kind == REPLY_ASSIGN);
}

/*
 * Whether any request of the exit covers the action. `next` is where to look first: replies mostly
 * keep the order of the requests.
 */
static bool request_exists(const struct exit *exit, uint32_t *next,
                           const struct reply_action *action)
{
    struct page_request request;

    if (request_covers(exit, *next, action)) {
        *next += 1;
        return true;
    }
    for (uint32_t i = 0; request_at(exit, i, &request); i++) {
        if (request_covers(exit, i, action)) {
            *next = i + 1;
            return true;
        }
    }
    return false;
}

void answer_judge_request(struct answer *answer)
{
    struct page_request request;

    for (uint32_t i = 0; request_at(answer->exit, i, &request); i++) {
        if (request.op != PSC_OP_PRIVATE && request.op != PSC_OP_SHARED) {
            continue;
        }
        for (uint64_t at = 0; at < request.size_bytes; at += PAGE_SIZE) {
            if (hypervisor_has(answer->hypervisor, request.gpa + at) &&
                hypervisor_shares(answer->hypervisor, request.gpa + at) !=
                    (request.op == PSC_OP_SHARED)) {
                answer_blame(answer, request.gpa + at, PAGE_SIZE);
            }
        }
    }
}

void answer_judge_uninvited(struct answer *answer)
{
    uint32_t next = 0;

    for (size_t i = 0; i < answer->reply->action_count; i++) {
        const struct reply_action *action = &answer->reply->action[i];
        const char *what = action->kind == REPLY_ASSIGN ? "assign" : "unassign";
        struct event event;

        if ((action->kind != REPLY_ASSIGN && action->kind != REPLY_UNASSIGN) ||
            action->delay.instructions) {
            continue;
        }
        if (answer->exit && request_exists(answer->exit, &next, action)) {
            if (answer->ops->raced) {
                answer_blame(answer, action->gpa, action->size_bytes);
            }
            continue;
        }
        answer_blame(answer, action->gpa, action->size_bytes);
        if (trap_event_begin(answer->trap, &event, "rmpupdate", what)) {
            event_hex(&event, "gpa", action->gpa);
            event_hex(&event, "size", action->size_bytes);
            snprintf(event.words, sizeof(event.words), "unasked, the host %ss gpa 0x%llx", what,
                     (unsigned long long)action->gpa);
            trap_event_emit(answer->trap, &event);
        }
    }
}
