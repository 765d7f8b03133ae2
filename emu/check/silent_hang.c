/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * silent-hang: a loop without an exit that reads, and waits for, what only the hypervisor can
 * change. A loop that was proven to repeat itself says what it reads. One that counts is never the
 * same twice: there the budget has ended the run, and the reads of one shared place must have gone
 * on up to then. A panic loop reads nothing, and slow work does not read one place for ever.
 */
#include <string.h>

#include "check/oracle_internal.h"

#define POLL_MANY 1000         /* reads of one place */
#define POLL_RECENT (1u << 20) /* instructions before the end in which the last one was */

/* The places that are read most: each of POLL_MAX is found that has more than its share. */
void silent_hang_access(struct oracles *oracles, const struct oracle_access *access)
{
    struct oracle_poll *poll = oracles->state.poll, *free_poll = NULL;

    if (access->write || !access->shared) {
        return;
    }
    for (size_t i = 0; i < POLL_MAX; i++) {
        if (poll[i].count > 0 && poll[i].gpa == access->gpa) {
            poll[i].count++;
            poll[i].retired = access->retired;
            poll[i].code_gva = access->code_gva;
            return;
        }
        free_poll = poll[i].count == 0 && !free_poll ? &poll[i] : free_poll;
    }
    if (free_poll) {
        *free_poll = (struct oracle_poll){.gpa = access->gpa,
                                          .count = 1,
                                          .retired = access->retired,
                                          .code_gva = access->code_gva,
                                          .size_bytes = access->size_bytes};
        return;
    }
    for (size_t i = 0; i < POLL_MAX; i++) {
        poll[i].count--;
    }
}

/* The one that is read most, if it was read up to the end; NULL: none was. In a fast run the last
   read may be told to come after the end: that of its block. */
static const struct oracle_poll *polled(const struct oracles *oracles, uint64_t end)
{
    const struct oracle_poll *best = NULL;

    for (size_t i = 0; i < POLL_MAX; i++) {
        const struct oracle_poll *poll = &oracles->state.poll[i];

        if (poll->count >= POLL_MANY && poll->retired + POLL_RECENT > end &&
            (!best || poll->count > best->count)) {
            best = poll;
        }
    }
    return best;
}

void silent_hang_exit(struct oracles *oracles, const struct exit *exit)
{
    (void)exit;
    memset(oracles->state.poll, 0, sizeof(oracles->state.poll));
}

/* Who reads there, as far as it was seen. */
static const struct oracle_poll *poll_at(const struct oracles *oracles, uint64_t gpa)
{
    for (size_t i = 0; i < POLL_MAX; i++) {
        if (oracles->state.poll[i].count > 0 && oracles->state.poll[i].gpa == gpa) {
            return &oracles->state.poll[i];
        }
    }
    return NULL;
}

void silent_hang_end(struct oracles *oracles, const struct oracle_end *end)
{
    const struct oracle_poll *poll = NULL;
    const uint8_t *bytes;
    struct oracle_hit hit = {
        .kind = ORACLE_SILENT_HANG,
        .vcpu = end->vcpu,
        .code_gva = end->code_gva,
        .retired = end->retired,
        .what = "waits for what only the hypervisor can change",
    };

    if (end->waits) {
        poll = poll_at(oracles, end->waits_gpa);
    } else if (end->out_of_time) {
        poll = polled(oracles, end->retired);
    }
    if (end->waits ? !end->waits_shared : !poll) {
        return;
    }
    hit.gpa = end->waits ? end->waits_gpa : poll->gpa;
    hit.size_bytes = poll ? poll->size_bytes : 1; /* what it reads of it is not known */
    hit.code_gva = poll && poll->code_gva ? poll->code_gva : hit.code_gva;
    bytes = oracle_shared_bytes(oracles, hit.gpa);
    if (bytes) {
        memcpy(hit.bytes, bytes, hit.size_bytes < 16 ? hit.size_bytes : 16);
    }
    oracles_report(oracles, &hit);
}
