/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile host's hands on the RMP and on its nested page table. The RMP says no by RMPUPDATE's
 * and PSMASH's status; the nested page table is the host's own, and never says no.
 */
#include <stdio.h>

#include "abi/x86.h"
#include "ghcb/answer_internal.h"

_Static_assert(REPLY_ASID_GUEST == RMP_ASID_GUEST, "replies name the guest as the RMP does");

/* Why RMPUPDATE fails, by its status. Names: Linux arch/x86/include/asm/sev.h. */
static const char *status_text(unsigned status)
{
    static const char *const text[] = {
        [RMP_FAIL_INPUT] = "RMPUPDATE: FAIL_INPUT",
        [RMP_FAIL_PERMISSION] = "RMPUPDATE: FAIL_PERMISSION, the page is immutable",
        [RMP_FAIL_INUSE] = "RMPUPDATE: FAIL_INUSE, a VMSA that runs",
        [RMP_FAIL_OVERLAP] = "RMPUPDATE: FAIL_OVERLAP, entries of another page size",
    };

    return status < sizeof(text) / sizeof(text[0]) && text[status] ? text[status] : "RMPUPDATE";
}

static bool rmp_gpa_ok(struct answer *answer, const char *what, uint64_t gpa)
{
    if (gpa & PAGE_MASK || !hypervisor_has(answer->hypervisor, gpa)) {
        answer_denied(answer, what, gpa, "no such page");
        return false;
    }
    return true;
}

static void rmpupdate_report(struct answer *answer, const struct reply_action *action)
{
    const struct reply_rmpupdate *operand = &action->rmpupdate;
    struct event event;

    if (!trap_event_begin(answer->trap, &event, "rmpupdate", "set")) {
        return;
    }
    event_hex(&event, "gpa", action->gpa);
    event_string(&event, "size", action->size_bytes == LARGE_PAGE_SIZE ? "2M" : "4K");
    event_dec(&event, "assigned", operand->assigned);
    event_dec(&event, "immutable", operand->immutable);
    event_dec(&event, "asid", operand->asid);
    event_hex(&event, "at", operand->at_gpa);
    snprintf(event.words, sizeof(event.words), "rmpupdate of gpa 0x%llx: ASID %u, gpa 0x%llx%s",
             (unsigned long long)action->gpa, operand->asid, (unsigned long long)operand->at_gpa,
             operand->immutable ? ", immutable" : "");
    trap_event_emit(answer->trap, &event);
}

int answer_rmpupdate(struct answer *answer, const struct reply_action *action)
{
    struct machine *machine = answer->trap->machine;
    const struct reply_rmpupdate *operand = &action->rmpupdate;
    unsigned status;

    if (!rmp_gpa_ok(answer, "rmpupdate", action->gpa) ||
        !rmp_gpa_ok(answer, "rmpupdate", operand->at_gpa)) {
        return 0;
    }
    status = machine_update(machine, memory_page(&machine->memory, action->gpa),
                            &(struct rmp_state){
                                .assigned = operand->assigned,
                                .large = action->size_bytes == LARGE_PAGE_SIZE,
                                .immutable = operand->immutable,
                                .asid = operand->asid,
                                .guest_page = memory_guest_page(&machine->memory, operand->at_gpa),
                            });
    if (status != RMP_SUCCESS) {
        answer_denied(answer, "rmpupdate", action->gpa, status_text(status));
        return 0;
    }
    answer_blame(answer, action->gpa, action->size_bytes);
    rmpupdate_report(answer, action);
    return 0;
}

/* Of an entry that is 4 KiB already, or immutable: refused. APM Vol 2 (24593) 15.36.11, 15.36.3. */
int answer_psmash(struct answer *answer, const struct reply_action *action)
{
    struct machine *machine = answer->trap->machine;
    struct event event;
    uint32_t page;

    if (!rmp_gpa_ok(answer, "psmash", action->gpa)) {
        return 0;
    }
    page = memory_page(&machine->memory, action->gpa);
    if ((machine->rmp.entry[page].flags & (RMP_LARGE | RMP_IMMUTABLE)) != RMP_LARGE) {
        answer_denied(answer, "psmash", action->gpa, "no 2 MiB entry that could be split");
        return 0;
    }
    rmp_psmash(&machine->rmp, page);
    if (trap_event_begin(answer->trap, &event, "psmash", "unasked")) {
        event_hex(&event, "gpa", action->gpa & ~(LARGE_PAGE_SIZE - 1));
        snprintf(event.words, sizeof(event.words),
                 "unasked, the host splits the entry of gpa 0x%llx",
                 (unsigned long long)action->gpa);
        trap_event_emit(answer->trap, &event);
    }
    return 0;
}

/* Both kinds of a change of the nested map. */
int answer_nested_map(struct answer *answer, const struct reply_action *action)
{
    struct machine *machine = answer->trap->machine;
    const char *what = action->kind == REPLY_SWAP ? "swap" : "remap";
    struct event event;
    int status;

    if (!rmp_gpa_ok(answer, what, action->gpa) || !rmp_gpa_ok(answer, what, action->other_gpa)) {
        return 0;
    }
    status = action->kind == REPLY_SWAP
                 ? machine_swap(machine, action->gpa, action->other_gpa, answer->error)
                 : machine_remap(machine, action->gpa, action->other_gpa, answer->error);
    if (status == 0 && answer->ops->remapped) {
        status = answer->ops->remapped(answer->ops->context, answer->error);
    }
    if (status == 0 && trap_event_begin(answer->trap, &event, "nested_map", what)) {
        event_hex(&event, "gpa", action->gpa);
        event_hex(&event, "other", action->other_gpa);
        snprintf(event.words, sizeof(event.words),
                 action->kind == REPLY_SWAP ? "gpa 0x%llx and gpa 0x%llx change places"
                                            : "gpa 0x%llx leads to where gpa 0x%llx leads",
                 (unsigned long long)action->gpa, (unsigned long long)action->other_gpa);
        trap_event_emit(answer->trap, &event);
    }
    return status;
}
