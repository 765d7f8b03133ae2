/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trap/trap.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum trap_next trap_end(struct trap_context *trap, enum outcome_kind kind, const char *format, ...)
{
    struct outcome *outcome = trap->outcome;

    outcome->kind = kind;
    if (format) {
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(outcome->detail, sizeof(outcome->detail), format, arguments);
        va_end(arguments);
    }
    return TRAP_END;
}

bool trap_is_guess(struct trap_context *trap, const char *what)
{
    if (trap->strict) {
        trap_end(trap, OUTCOME_UNMODELLED, "%s: strict, and it rests on an unverified fact", what);
    }
    return trap->strict;
}

bool trap_event_begin(struct trap_context *trap, struct event *event, const char *name,
                      const char *topic)
{
    if (!trap->trace || !trace_active(trap->trace)) {
        return false;
    }
    trap_event_flush(trap);
    event_begin(event, name, topic);
    event->vcpu = trap->vcpu;
    event->vmpl = (uint8_t)vcpu_vmpl(trap->machine->vcpu);
    event->instructions = vcpu_retired(trap->machine->vcpu);
    trap_event_place(trap, event, vcpu_code_gva(trap->machine->vcpu));
    return true;
}

void trap_event_place(const struct trap_context *trap, struct event *event, uint64_t gva)
{
    event->rip = gva;
    event->symbol = trap->symbol ? trap->symbol(trap->symbol_context, gva) : NULL;
    event->placed = trap->place && trap->trace->places;
    if (event->placed) {
        trap->place(trap->symbol_context, gva, &event->place);
    }
}

void trap_event_flush(struct trap_context *trap)
{
    struct trap_pvalidate_run *run = &trap->pvalidate;
    struct event *event = &run->event;

    if (run->count == 0) {
        return;
    }
    event_hex(event, "gpa", run->gpa);
    event_dec(event, "pages", run->count);
    event_string(event, "size", run->large ? "2M" : "4K");
    event_dec(event, "status", run->status);
    event_dec(event, "cf", run->unchanged);
    snprintf(event->words, sizeof(event->words), "pvalidate: %s %llu x %s from gpa 0x%llx%s",
             run->validate ? "validate" : "rescind", (unsigned long long)run->count,
             run->large ? "2 MiB" : "4 KiB", (unsigned long long)run->gpa,
             run->status      ? ", refused"
             : run->unchanged ? ", no change"
                              : "");
    run->count = 0;
    trap_event_emit(trap, event);
}

void trap_event_emit(const struct trap_context *trap, const struct event *event)
{
    trace_emit(trap->trace, event);
}

bool trap_host_fault(const struct trap_context *trap, uint64_t gpa)
{
    const struct memory *memory = &trap->machine->memory;
    uint32_t page = memory_page(memory, gpa);

    return page != MEMORY_NO_PAGE && (memory->flags[page] & MEMORY_HOST_FAULT);
}

enum trap_next trap_nested_fault(struct trap_context *trap, const struct mmu_fault *fault)
{
    static const char *const access[] = {
        [MMU_READ] = "read", [MMU_WRITE] = "write", [MMU_FETCH] = "fetch"};
    const char *reason = fault->absent ? "there is no memory" : rmp_result_text(fault->reason);
    struct event event;

    if (trap_event_begin(trap, &event, "nested_fault", access[fault->access])) {
        event_hex(&event, "gpa", fault->gpa);
        event_dec(&event, "private", fault->private_access);
        event_dec(&event, "walk", fault->walk);
        event_string(&event, "reason", reason);
        snprintf(event.words, sizeof(event.words), "nested page fault at gpa 0x%llx: %s",
                 (unsigned long long)fault->gpa, reason);
        trap_event_emit(trap, &event);
    }
    trap->outcome->host_caused = trap_host_fault(trap, fault->gpa);
    return trap_end(trap, OUTCOME_NESTED_FAULT, "%s of gpa 0x%llx: %s", access[fault->access],
                    (unsigned long long)fault->gpa, reason);
}
