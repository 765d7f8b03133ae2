/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * silent-hang: a loop without an exit that reads, and waits for, what only the hypervisor can
 * change. A loop that was proven to repeat itself says what it reads. One that counts is never the
 * same twice: there the budget has ended the run, and the reads of one shared place must have gone
 * on up to then. A panic loop reads nothing, and slow work does not read one place for ever.
 */
#include "check/oracle_internal.h"

#define POLL_MANY 1000         /* reads of one place */
#define POLL_RECENT (1u << 20) /* instructions before the end in which the last one was */

/* The place that is read most: a majority vote. */
void silent_hang_access(struct oracles *oracles, const struct oracle_access *access)
{
    struct oracle_poll *poll = &oracles->state.poll;

    if (access->write || !access->shared) {
        return;
    }
    if (poll->gpa == access->gpa) {
        poll->count++;
        poll->retired = access->retired;
        poll->code_gva = access->code_gva;
    } else if (poll->count > 0) {
        poll->count--;
    } else {
        *poll = (struct oracle_poll){access->gpa, 1, access->retired, access->code_gva};
    }
}

void silent_hang_exit(struct oracles *oracles, const struct exit *exit)
{
    (void)exit;
    oracles->state.poll = (struct oracle_poll){0};
}

void silent_hang_end(struct oracles *oracles, const struct oracle_end *end)
{
    const struct oracle_poll *poll = &oracles->state.poll;
    bool polls = poll->count >= POLL_MANY && end->retired - poll->retired < POLL_RECENT;
    struct oracle_hit hit = {
        .kind = ORACLE_SILENT_HANG,
        .vcpu = end->vcpu,
        .code_gva = end->code_gva,
        .retired = end->retired,
        .what = "waits for what only the hypervisor can change",
    };

    if (end->waits ? !end->waits_shared : !(end->out_of_time && polls)) {
        return;
    }
    hit.gpa = end->waits ? end->waits_gpa : poll->gpa;
    hit.code_gva = !end->waits && poll->code_gva ? poll->code_gva : hit.code_gva;
    oracles_report(oracles, &hit);
}
