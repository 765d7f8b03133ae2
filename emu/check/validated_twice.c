/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * validated-twice: a page that was validated, and not rescinded since, is validated again. Either
 * PVALIDATE reports "unchanged" (CF), after which the guest may do nothing but ask to be
 * terminated; or the host took the page away between, and PVALIDATE is none the wiser. AMD APM Vol
 * 3 (24594), PVALIDATE; a page that is validated a second time may be another one than the first
 * (APM Vol 2 (24593) 15.36.6).
 */
#include <stdio.h>

#include "abi/nae.h"
#include "check/oracle_internal.h"

/* The guest went on. */
static void went_on(struct oracles *oracles)
{
    struct oracle_pending *pending = &oracles->state.pending;
    const struct oracle_pvalidate *done = &pending->done;
    struct oracle_hit hit = {
        .kind = ORACLE_VALIDATED_TWICE,
        .vcpu = done->vcpu,
        .code_gva = done->code_gva,
        .retired = done->retired,
        .gpa = done->gpa,
    };

    if (pending->set) {
        pending->set = false;
        snprintf(hit.what, sizeof(hit.what), "%s said \"unchanged\", and the guest went on",
                 done->validate ? "validating" : "rescinding");
        oracles_report(oracles, &hit);
    }
}

/* Of the pages: did it count as validated before? From now on it does, or does not. */
static bool was_validated(struct oracles *oracles, const struct oracle_pvalidate *done)
{
    uint32_t count = (uint32_t)(done->size_bytes / PAGE_SIZE);
    bool was = false;

    for (uint32_t page = done->guest_page; page < done->guest_page + count; page++) {
        uint8_t *byte = bits_for_write(oracles, &oracles->validated[page / 8]);
        uint8_t bit = (uint8_t)(1u << page % 8);

        was = was || (*byte & bit);
        *byte = done->validate ? *byte | bit : *byte & (uint8_t)~bit;
    }
    return was;
}

void oracles_validated(struct oracles *oracles, uint32_t guest_page)
{
    oracles->validated[guest_page / 8] |= (uint8_t)(1u << guest_page % 8);
}

/* The host has taken the page and given it again, or another one in its place: the instruction has
   nothing to report, and only the guest's own books can tell. */
static void validated_again(struct oracles *oracles, const struct oracle_pvalidate *done)
{
    struct oracle_hit hit = {
        .kind = ORACLE_VALIDATED_TWICE,
        .vcpu = done->vcpu,
        .code_gva = done->code_gva,
        .retired = done->retired,
        .gpa = done->gpa,
        .what = "validated a second time, without having been rescinded",
    };

    oracles_report(oracles, &hit);
}

void validated_twice_pvalidate(struct oracles *oracles, const struct oracle_pvalidate *done)
{
    bool was = was_validated(oracles, done);

    went_on(oracles);
    if (done->validate && was && !done->unchanged) {
        validated_again(oracles, done);
    }
    oracles->state.pending = (struct oracle_pending){.set = done->unchanged, .done = *done};
}

/* Terminations are told by the end of the run. A guest that has noticed may say so on its console
   before. */
void validated_twice_exit(struct oracles *oracles, const struct exit *exit)
{
    bool says = exit->protocol == EXIT_PAGE && exit->row->code == NAE_IOIO;

    if (!says && !(exit->row->flags & EXIT_TERMINATES)) {
        went_on(oracles);
    }
}

void validated_twice_end(struct oracles *oracles, const struct oracle_end *end)
{
    if (end->went_on) {
        went_on(oracles);
    }
}
