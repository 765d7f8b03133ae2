/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A debugger looks on: it is asked before the guest runs, may have it stop on its way, and is told
 * when it has.
 */
#include "run_internal.h"

int run_debug_before(struct run *run, uint64_t *limit, struct error *error)
{
    struct run_debugger *debugger = run->options.debugger;
    int status = debugger->before(debugger->context, error);

    *limit = debugger->limit < *limit ? debugger->limit : *limit;
    return status;
}

bool run_debug_after(struct run *run, const struct vcpu_stop *stop, uint64_t limit)
{
    const struct run_debugger *debugger = run->options.debugger;

    if (debugger->after) {
        debugger->after(debugger->context);
    }
    return stop->kind == VCPU_STOP_PROBE ||
           (stop->kind == VCPU_STOP_LIMIT && vcpu_retired(run->machine.vcpu) < limit);
}
