/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who runs. The machine has one processor; the hypervisor gives it to one vCPU after the other, and
 * switches only where the trace shows it: at exits, HLT, PAUSE, and when a vCPU has had its
 * quantum of instructions while another one could run.
 */
#include <stdio.h>
#include <string.h>

#include "abi/msr.h"
#include "abi/vmsa.h"
#include "report.h"
#include "run_internal.h"
#include "trap/debug.h"

static const struct {
    const char *name;
    uint64_t code; /* GUEST_EXITCODE of the one that is left */
} causes[] = {
    [CAUSE_EXIT] = {"exit", VMEXIT_VMGEXIT},    [CAUSE_HALT] = {"halt", VMEXIT_HLT},
    [CAUSE_PAUSE] = {"pause", VMEXIT_PAUSE},    [CAUSE_SPIN] = {"spin", VMEXIT_INTR},
    [CAUSE_QUANTUM] = {"quantum", VMEXIT_INTR}, [CAUSE_HOST] = {"host", VMEXIT_INTR},
};

/* xorshift64*, apart from the guest's random numbers: a schedule changes nothing else. */
static uint64_t schedule_draw(struct run *run)
{
    uint64_t x = run->state.schedule;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    run->state.schedule = x;
    return x * 0x2545F4914F6CDD1DULL;
}

static uint64_t schedule_length(struct run *run)
{
    const struct scenario *scenario = run->scenario;

    return scenario->schedule_random ? 1 + schedule_draw(run) % scenario->quantum
                                     : scenario->quantum;
}

void run_schedule_reset(struct run *run)
{
    run->state.schedule = run->scenario->seed ? run->scenario->seed : 0x9E3779B97F4A7C15ULL;
    run->state.slice_end = UINT64_MAX;
    run->state.turn = 0;
}

bool run_schedule_is_fair(const struct run *run)
{
    return !run->scenario->schedule_random && run->state.turn == run->scenario->order_count;
}

/* The next turn of the explicit schedule, without those that cannot run; NULL: it is used up. */
static const struct scenario_turn *schedule_turn(struct run *run)
{
    const struct vcpus *vcpus = &run->hypervisor.vcpus;

    while (run->state.turn < run->scenario->order_count) {
        const struct scenario_turn *turn = &run->scenario->order[run->state.turn++];

        if (turn->cpu < vcpus->count && vcpus->slot[turn->cpu].activity == VCPU_RUNNABLE) {
            return turn;
        }
    }
    return NULL;
}

static uint32_t schedule_next(struct run *run)
{
    const struct vcpus *vcpus = &run->hypervisor.vcpus;
    uint32_t next = vcpus_next(vcpus, vcpus->current);

    if (run->scenario->schedule_random && vcpus->runnable > 1) {
        for (uint64_t skip = schedule_draw(run) % vcpus->runnable; skip > 0; skip--) {
            next = vcpus_next(vcpus, next);
        }
    }
    return next;
}

/* The one that the host has chosen; vcpus->count when it chose none that may still run. */
static uint32_t schedule_choice(struct vcpus *vcpus)
{
    bool chosen = vcpus->chosen;

    vcpus->chosen = false;
    return chosen && vcpus->slot[vcpus->choice].activity == VCPU_RUNNABLE ? vcpus->choice
                                                                          : vcpus->count;
}

/* Who runs next, and until when. An answered exit alone ends no turn. */
static uint32_t schedule_pick(struct run *run, enum run_cause cause)
{
    struct vcpus *vcpus = &run->hypervisor.vcpus;
    bool stays = (cause == CAUSE_EXIT || cause == CAUSE_HOST) &&
                 vcpus_current(vcpus)->activity == VCPU_RUNNABLE;
    uint64_t now = vcpu_retired(run->machine.vcpu), length;
    const struct scenario_turn *turn;
    uint32_t next = vcpus->current, choice = schedule_choice(vcpus);

    if (vcpus->runnable <= 1) {
        run->state.slice_end = UINT64_MAX;
        return stays ? next : vcpus_next(vcpus, next);
    }
    if (choice < vcpus->count) {
        length = schedule_length(run);
        run->state.slice_end = length < UINT64_MAX - now ? now + length : UINT64_MAX - 1;
        return choice;
    }
    if (stays && run->state.slice_end != UINT64_MAX) {
        return next;
    }
    turn = schedule_turn(run);
    if (turn) {
        next = turn->cpu;
        length = turn->instructions;
    } else {
        next = stays ? next : schedule_next(run);
        length = schedule_length(run);
    }
    run->state.slice_end = length < UINT64_MAX - now ? now + length : UINT64_MAX - 1;
    return next;
}

static void schedule_report(struct run *run, enum run_cause cause)
{
    const struct vcpus *vcpus = &run->hypervisor.vcpus;
    struct event event;

    if (trap_event_begin(&run->trap, &event, "run", NULL)) {
        event_dec(&event, "vcpu", vcpus->current);
        event_dec(&event, "vmpl", vcpus->current_vmpl);
        event_string(&event, "after", causes[cause].name);
        if (cause != CAUSE_EXIT) { /* else the exit says it */
            snprintf(event.words, sizeof(event.words), "vCPU %u runs at VMPL%u", vcpus->current,
                     vcpus->current_vmpl);
        }
        trap_event_emit(&run->trap, &event);
    }
}

/* What the registers that came in ask for and is not modelled. True, with the outcome. */
static bool schedule_unmodelled(struct run *run)
{
    const struct machine_state *state = &run->machine.state;

    if ((state->sev_features & SEV_FEATURE_VTOM) && (state->virtual_tom & ~VIRTUAL_TOM_MASK)) {
        trap_end(&run->trap, OUTCOME_UNMODELLED, "VIRTUAL_TOM 0x%llx of a VMSA",
                 (unsigned long long)state->virtual_tom);
        return true;
    }
    return debug_unmodelled_at_start(&run->trap);
}

/* #VMEXIT of the one that runs and VMRUN of the other. False, with the outcome, when that fails. */
static bool schedule_switch(struct run *run, uint32_t next, enum run_cause cause)
{
    struct vcpus *vcpus = &run->hypervisor.vcpus;
    struct vcpu_slot *slot = &vcpus->slot[next];
    struct vcpu_level *from = vcpus_current_level(vcpus), *to = &slot->level[slot->vmpl];
    struct machine *machine = &run->machine;
    const char *why;

    run_later_count(run);
    machine_vmexit(machine, &(struct vmsa_exit){.code = causes[cause].code});
    from->ghcb_msr = machine->state.ghcb_msr;
    from->resuming = vcpu_expects_resume(machine->vcpu);
    why = machine_vmrun(machine, to->vmsa_gpa);
    if (why) {
        trap_end(&run->trap, OUTCOME_REFUSED, "VMRUN of vCPU %u at VMPL%u, VMSA at gpa 0x%llx: %s",
                 next, slot->vmpl, (unsigned long long)to->vmsa_gpa, why);
        run->outcome.host_caused = run->state.script_acted;
        return false;
    }
    vcpus->current = next;
    vcpus->current_vmpl = slot->vmpl;
    vcpus->current_vmsa_gpa = to->vmsa_gpa;
    machine->state.ghcb_msr = to->ghcb_msr;
    if (to->resuming) {
        vcpu_expect_resume(machine->vcpu);
    }
    run->trap.vcpu = next;
    return !schedule_unmodelled(run);
}

static bool schedule_holds(const struct vcpus *vcpus, uint32_t next)
{
    const struct vcpu_slot *slot = &vcpus->slot[next];

    return next == vcpus->current && slot->vmpl == vcpus->current_vmpl &&
           slot->level[slot->vmpl].vmsa_gpa == vcpus->current_vmsa_gpa;
}

/* Nobody can run: the outcome is that of the vCPU that is worst off, and the machine shows it, but
 * for one that the host stopped: no save area need be there. */
static void schedule_over(struct run *run)
{
    static const struct {
        enum vcpu_activity activity;
        enum outcome_kind outcome;
    } endings[] = {
        {VCPU_SPINS, OUTCOME_STUCK},
        {VCPU_STOPPED, OUTCOME_REFUSED},
        {VCPU_HELD, OUTCOME_STUCK},
        {VCPU_HALTED, OUTCOME_HALTED},
    };
    struct vcpus *vcpus = &run->hypervisor.vcpus;
    struct vcpu_slot *slot = NULL;
    size_t i = 0;

    while (i < sizeof(endings) / sizeof(endings[0]) &&
           !(slot = vcpus_find_activity(vcpus, endings[i].activity))) {
        i++;
    }
    if (!slot) {
        trap_end(&run->trap, OUTCOME_STUCK, "every vCPU was destroyed");
        return;
    }
    if (slot->activity == VCPU_STOPPED) {
        trap_end(&run->trap, OUTCOME_REFUSED, "the host never runs vCPU %u again",
                 (uint32_t)(slot - vcpus->slot));
        run->outcome.host_caused = true;
        return;
    }
    if (vcpus_current(vcpus)->activity != slot->activity &&
        !schedule_switch(run, (uint32_t)(slot - vcpus->slot), CAUSE_HALT)) {
        return;
    }
    trap_end(&run->trap, endings[i].outcome, "%s",
             slot->activity == VCPU_SPINS  ? "jump to itself"
             : slot->activity == VCPU_HELD ? run->state.held
                                           : "");
    run->outcome.host_caused = slot->activity == VCPU_HELD && run->state.held_raced;
}

void run_schedule(struct run *run, enum run_cause cause)
{
    static const enum vcpu_activity becomes[] = {
        [CAUSE_EXIT] = VCPU_RUNNABLE,    [CAUSE_HALT] = VCPU_HALTED,
        [CAUSE_PAUSE] = VCPU_RUNNABLE,   [CAUSE_SPIN] = VCPU_SPINS,
        [CAUSE_QUANTUM] = VCPU_RUNNABLE, [CAUSE_HOST] = VCPU_RUNNABLE,
    };
    struct vcpus *vcpus = &run->hypervisor.vcpus;
    uint32_t next;

    if (becomes[cause] != VCPU_RUNNABLE) {
        vcpus_set_activity(vcpus, vcpus_current(vcpus), becomes[cause]);
    }
    next = schedule_pick(run, cause);
    if (next == vcpus->count) {
        schedule_over(run);
        return;
    }
    if (!schedule_holds(vcpus, next) && schedule_switch(run, next, cause)) {
        schedule_report(run, cause);
    }
}

bool run_schedule_turn(struct run *run)
{
    const struct vcpus *vcpus = &run->hypervisor.vcpus;
    uint32_t next = vcpus_next(vcpus, vcpus->current);
    uint64_t now = vcpu_retired(run->machine.vcpu), length = schedule_length(run);

    run->state.slice_end = length < UINT64_MAX - now ? now + length : UINT64_MAX - 1;
    if (schedule_holds(vcpus, next)) {
        return true;
    }
    if (!schedule_switch(run, next, CAUSE_QUANTUM)) {
        return false;
    }
    schedule_report(run, CAUSE_QUANTUM);
    return true;
}
