/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * validated-twice: a PVALIDATE that reported "unchanged" (CF), after which the guest does anything
 * but ask to be terminated. AMD APM Vol 3 (24594), PVALIDATE; a page that is validated a second
 * time may be another one than the first (APM Vol 2 (24593) 15.36.6).
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

void validated_twice_pvalidate(struct oracles *oracles, const struct oracle_pvalidate *done)
{
    went_on(oracles);
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
