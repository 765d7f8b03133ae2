/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Faults that nobody ends. Two kinds, neither of which a budget would end well: a handler that
 * begins with a fault never begins, so that no instruction retires; and handlers that all need a
 * page that the host took go in a circle, which is the host's doing, and not a guest's that hangs.
 */
#include "run_internal.h"

#define STILL_SAME_MAX 16      /* faults alike, one after the other: all that follow are */
#define STILL_FAULTS_MAX 65536 /* in turns: frames that fill no stack go in a circle */
#define ROUND_FAULTS_MAX 256   /* on the same few pages: nobody is going to give them back */

static bool is_host_fault(const struct run *run, const struct vcpu_stop *stop)
{
    return stop->kind == VCPU_STOP_FAULT && trap_host_fault(&run->trap, stop->fault.gpa);
}

/* On a stack that each frame begins anew, or in turns on several. */
static bool stands_still(struct run *run, const struct vcpu_stop *stop)
{
    uint64_t retired = vcpu_retired(run->machine.vcpu);
    uint64_t rsp = vcpu_get(run->machine.vcpu, VCPU_RSP);
    bool moved = run->state.still.retired != retired;
    bool same = !moved && run->state.still.rip == stop->rip && run->state.still.rsp == rsp;

    run->state.still.faults = moved ? 0 : run->state.still.faults + 1;
    run->state.still.same = same ? run->state.still.same + 1 : 0;
    run->state.still.retired = retired;
    run->state.still.rip = stop->rip;
    run->state.still.rsp = rsp;
    return run->state.still.same >= STILL_SAME_MAX || run->state.still.faults >= STILL_FAULTS_MAX;
}

/* Who takes pages back one after the other, as they are needed, does not come to the same ones. */
static bool goes_round(struct run *run, const struct vcpu_stop *stop)
{
    uint64_t gpa = stop->fault.gpa & ~PAGE_MASK;
    uint32_t known;

    if (!is_host_fault(run, stop)) {
        return false;
    }
    if (run->state.round.exits != run->state.exits) {
        run->state.round.exits = run->state.exits;
        run->state.round.page_count = 0;
    }
    known = run->state.round.page_count < ROUND_PAGES ? run->state.round.page_count : ROUND_PAGES;
    for (uint32_t i = 0; i < known; i++) {
        if (run->state.round.page_gpa[i] == gpa) {
            return ++run->state.round.faults >= ROUND_FAULTS_MAX;
        }
    }
    run->state.round.page_gpa[run->state.round.page_count++ % ROUND_PAGES] = gpa;
    run->state.round.faults = 0;
    return false;
}

bool run_faults_for_ever(struct run *run, const struct vcpu_stop *stop)
{
    if (stop->kind != VCPU_STOP_FAULT && stop->kind != VCPU_STOP_INVALID &&
        stop->kind != VCPU_STOP_INTERRUPT) {
        return false;
    }
    if (stands_still(run, stop)) {
        trap_end(&run->trap, OUTCOME_STUCK, "a fault's handler begins with a fault, for ever");
        run->outcome.host_caused = is_host_fault(run, stop);
        return true;
    }
    if (goes_round(run, stop)) {
        trap_end(&run->trap, OUTCOME_STUCK, "faults on what the host took, again and again");
        run->outcome.host_caused = true;
        return true;
    }
    return false;
}
