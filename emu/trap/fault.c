/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trap/fault.h"

#include <stdio.h>
#include <string.h>

#include "abi/msr.h"
#include "abi/x86.h"
#include "trap/deliver.h"

#define DELIVERY_MAX 4 /* first fault, second, double fault, and one to spare */

static const char *fault_name(uint8_t vector)
{
    static const char *const names[32] = {
        [VECTOR_DE] = "#DE", [VECTOR_DB] = "#DB", [VECTOR_NMI] = "NMI", [VECTOR_BP] = "#BP",
        [VECTOR_UD] = "#UD", [VECTOR_NM] = "#NM", [VECTOR_DF] = "#DF",  [VECTOR_TS] = "#TS",
        [VECTOR_NP] = "#NP", [VECTOR_SS] = "#SS", [VECTOR_GP] = "#GP",  [VECTOR_PF] = "#PF",
        [VECTOR_MF] = "#MF", [VECTOR_AC] = "#AC", [VECTOR_MC] = "#MC",  [VECTOR_XM] = "#XM",
        [VECTOR_HV] = "#HV", [VECTOR_VC] = "#VC",
    };

    if (vector >= 32) {
        return "interrupt";
    }
    return names[vector] ? names[vector] : "exception";
}

static struct fault fault_with_code(uint8_t vector, uint32_t error_code)
{
    return (struct fault){.vector = vector, .has_error_code = true, .error_code = error_code};
}

/* Contributory exceptions. APM Vol 2 8.2.9; #VC is one: 15.35.5. */
static bool fault_is_contributory(uint8_t vector)
{
    return vector == VECTOR_DE || vector == VECTOR_VC || vector == VECTOR_HV ||
           (vector >= VECTOR_TS && vector <= VECTOR_GP);
}

static bool fault_makes_double(const struct fault *first, uint8_t second)
{
    if (first->software_length || first->interrupt) {
        return false; /* INT n is benign whatever n is */
    }
    if (first->vector == VECTOR_PF) {
        return second == VECTOR_PF || fault_is_contributory(second);
    }
    return fault_is_contributory(first->vector) && fault_is_contributory(second);
}

/* In the mode that the guest is in now. */
static enum attempt fault_attempt(struct trap_context *trap, const struct fault *fault,
                                  struct fault *next)
{
    struct mmu_context context;

    if (fault->sets_cr2) {
        vcpu_set(trap->machine->vcpu, VCPU_CR2, fault->cr2);
    }
    vcpu_mmu_context(trap->machine->vcpu, &context);
    if (context.efer & EFER_LMA) {
        return deliver_long(trap, fault, next);
    }
    return context.cr0 & CR0_PE ? deliver_protected(trap, fault, next)
                                : deliver_real(trap, fault, next);
}

static void fault_report(struct trap_context *trap, const struct fault *fault)
{
    struct event event;

    if (!trap_event_begin(trap, &event, "fault", fault_name(fault->vector))) {
        return;
    }
    event_dec(&event, "vector", fault->vector);
    if (fault->has_error_code) {
        event_hex(&event, "error", fault->error_code);
    }
    if (fault->sets_cr2) {
        event_hex(&event, "cr2", fault->cr2);
        event_full_only(&event); /* an address inside the guest: its compiler's choice */
    }
    snprintf(event.words, sizeof(event.words), "fault %s in %s", fault_name(fault->vector),
             event.symbol ? event.symbol : "unknown code");
    trap_event_emit(trap, &event);
}

/*
 * No guest has a double fault handled when the host has taken the tables that lead to the handler,
 * or one stack after the other; or the code, the handler's, too, which comes again until there is
 * no stack left. Where both faults were of one stack, it had no other: that is the guest's.
 */
static bool is_hosts(const struct fault *first, const struct fault *second,
                     const struct fault *third)
{
    return first->taken_code || (third->taken_gpa != 0 &&
                                 !(third->taken_stack && third->taken_gpa == second->taken_gpa));
}

enum trap_next fault_raise(struct trap_context *trap, const struct fault *first)
{
    struct fault fault = *first, second = {0};

    for (int i = 0; i < DELIVERY_MAX; i++) {
        struct fault next = {0};

        fault_report(trap, &fault);
        switch (fault_attempt(trap, &fault, &next)) {
        case ATTEMPT_DONE:
            return TRAP_RESUME;
        case ATTEMPT_ENDED:
            return TRAP_END;
        case ATTEMPT_FAULT:
            break;
        }
        /* Even when it ends in a double fault: Intel SDM Vol 3, #PF, footnote to CR2. */
        if (next.sets_cr2) {
            vcpu_set(trap->machine->vcpu, VCPU_CR2, next.cr2);
        }
        if (fault.vector == VECTOR_DF) {
            fault_report(trap, &next);
            trap->outcome->host_caused = is_hosts(first, &second, &next);
            break;
        }
        second = next;
        fault = fault_makes_double(&fault, next.vector) ? fault_with_code(VECTOR_DF, 0) : next;
    }
    return trap_end(trap, OUTCOME_TRIPLE_FAULT, "after %s", fault_name(first->vector));
}

enum trap_next fault_raise_software(struct trap_context *trap, uint8_t vector, uint8_t length)
{
    return fault_raise(trap, &(struct fault){.vector = vector, .software_length = length});
}

enum trap_next fault_raise_int1(struct trap_context *trap, uint8_t length)
{
    return fault_raise(
        trap, &(struct fault){.vector = VECTOR_DB, .software_length = length, .privileged = true});
}

enum trap_next fault_raise_ud(struct trap_context *trap)
{
    return fault_raise(trap, &(struct fault){.vector = VECTOR_UD});
}

enum trap_next fault_raise_gp(struct trap_context *trap, uint32_t error_code)
{
    struct fault fault = fault_with_code(VECTOR_GP, error_code);

    return fault_raise(trap, &fault);
}

enum trap_next fault_raise_vc(struct trap_context *trap, uint32_t error_code)
{
    struct fault fault = fault_with_code(VECTOR_VC, error_code);

    return fault_raise(trap, &fault);
}

enum trap_next fault_raise_mmu(struct trap_context *trap, const struct mmu_fault *mmu_fault)
{
    struct fault fault;

    switch (attempt_mmu(trap, mmu_fault, &fault)) {
    case ATTEMPT_FAULT:
        return fault_raise(trap, &fault);
    default:
        return TRAP_END;
    }
}
