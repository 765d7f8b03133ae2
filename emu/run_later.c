/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the host does between two instructions of the guest: the actions of its replies that wait
 * for retired instructions. They come before the next instruction of a vCPU that is to run, so one
 * whose time is that of an exit is carried out when the exit has been answered.
 */
#include "ghcb/answer.h"
#include "run_internal.h"

void run_later_count(struct run *run)
{
    if (run->later.count) {
        later_count(&run->later, vcpu_retired(run->machine.vcpu), run->trap.vcpu);
    }
}

/* A vCPU that jumps to itself retires instructions, which only now somebody counts. */
static void later_wake(struct run *run, const struct reply_delay *delay)
{
    struct vcpus *vcpus = &run->hypervisor.vcpus;

    for (uint32_t i = 0; i < vcpus->started; i++) {
        if (vcpus->slot[i].activity == VCPU_SPINS && (!delay->one_vcpu || delay->vcpu == i)) {
            vcpus_set_activity(vcpus, &vcpus->slot[i], VCPU_RUNNABLE);
        }
    }
}

int run_later_add(struct run *run, const struct reply_action *action, const uint8_t *data,
                  struct error *error)
{
    later_wake(run, &action->delay);
    run_later_count(run);
    return later_add(&run->later, action, data, vcpu_retired(run->machine.vcpu), error);
}

/* Carry out what is due. */
static int later_act(struct run *run, struct error *error)
{
    const struct answer_ops ops = run_answer_ops(run);
    int status;

    if (run->reply.overflow) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a reply");
    }
    run_flush_line(run);
    if (run->oracles) {
        oracles_moved(run->oracles);
    }
    for (size_t i = 0; i < run->reply.action_count; i++) {
        run_watch_fired(run, run->reply.action[i].delay.owner);
    }
    status = ghcb_act(&run->trap, &run->hypervisor, NULL, &run->reply, &ops, error);
    run_spin_reset(run);
    if (status == 0 && run->outcome.kind == OUTCOME_NONE) {
        run_schedule(run, CAUSE_HOST);
    }
    return status;
}

int run_later(struct run *run, uint64_t *limit, struct error *error)
{
    int status = 0;
    uint64_t left;

    run_later_count(run);
    left = later_left(&run->later, run->trap.vcpu);
    /* Another vCPU may be the next one then, for which something else is due. */
    while (status == 0 && left == 0 && run->outcome.kind == OUTCOME_NONE) {
        reply_reset(&run->reply);
        later_take(&run->later, run->trap.vcpu, &run->reply);
        status = later_act(run, error);
        left = later_left(&run->later, run->trap.vcpu);
    }
    if (left < *limit - vcpu_retired(run->machine.vcpu)) {
        *limit = vcpu_retired(run->machine.vcpu) + left;
    }
    return status;
}

bool run_later_waits(const struct run *run)
{
    const struct vcpus *vcpus = &run->hypervisor.vcpus;

    for (uint32_t i = 0; run->later.count && i < vcpus->started; i++) {
        if (vcpus->slot[i].activity == VCPU_RUNNABLE && later_left(&run->later, i) != UINT64_MAX) {
            return true;
        }
    }
    return false;
}

bool run_later_pass(struct run *run)
{
    struct vcpu *vcpu = run->machine.vcpu;
    uint64_t now = vcpu_retired(vcpu);
    uint64_t end =
        run->state.slice_end < run->scenario->budget ? run->state.slice_end : run->scenario->budget;
    uint64_t left;

    run_later_count(run);
    left = later_left(&run->later, run->trap.vcpu);
    if (left == UINT64_MAX) {
        return false;
    }
    if (now < end) {
        vcpu_pass_time(vcpu, left < end - now ? left : end - now);
    }
    return true;
}
