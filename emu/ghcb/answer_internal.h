/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to the files that carry out a reply:
 *
 *   answer.c        the reply as a whole: shared memory, page states, fields, MSR
 *   answer_judge.c  whose fault it is
 *   answer_rmp.c    what only a hostile host does to the RMP and to its nested map
 *   answer_event.c  events that the guest takes when it is resumed
 *   answer_vcpu.c   which vCPU runs, and at which VMPL
 */
#ifndef SNPEMU_GHCB_ANSWER_INTERNAL_H
#define SNPEMU_GHCB_ANSWER_INTERNAL_H

#include "ghcb/answer.h"

struct answer {
    struct trap_context *trap;
    struct hypervisor *hypervisor;
    const struct exit *exit; /* NULL: none is being answered, see ghcb_act */
    const struct reply *reply;
    const struct answer_ops *ops;
    struct error *error;
    bool rings;   /* an action of this reply is for the doorbell page */
    bool injects; /* the next VMRUN has an event to inject */
    struct reply_event event;
};

/* Carries out one action. 0, or the emulator's own failure; what hardware refuses is neither. */
typedef int answer_action(struct answer *answer, const struct reply_action *action);

/* The event for an action that hardware refuses. */
void answer_denied(struct answer *answer, const char *what, uint64_t gpa, const char *why);
/* answer_judge.c */
/* Each page that is not in the state the guest asked for is the host's fault from now on. */
void answer_judge_request(struct answer *answer);
/* A page state change that the guest did not ask for is the host's doing, and is seen. */
void answer_judge_uninvited(struct answer *answer);
/* What the guest meets at these pages is the host's doing from now on. */
void answer_blame(struct answer *answer, uint64_t gpa, uint64_t size_bytes);

/* answer_rmp.c */
answer_action answer_rmpupdate, answer_psmash, answer_nested_map;

/* answer_event.c */
answer_action answer_inject, answer_doorbell;
/* The last thing before the guest runs: ring the doorbell, and inject what there is to inject. */
void answer_resume(struct answer *answer);
/* Instead of that, when the guest does not run. */
void answer_drop_event(struct answer *answer);

/* answer_vcpu.c */
answer_action answer_vcpu, answer_run_vmpl, answer_run_vcpu, answer_stop_vcpu;

#endif
