/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run_option.h"

error_t run_option_parse(int key, char *arg, struct argp_state *state, struct run_option *option)
{
    struct overrides *overrides = &option->overrides;

    switch (key) {
    case RUN_KEY_CPUS:
        overrides->cpus_given = true;
        return option_number(state, "--cpus", arg, 1, HYPERVISOR_CPU_MAX, &overrides->cpus);
    case RUN_KEY_APIC_IDS:
        return option_numbers(state, "--apic-ids", arg, overrides->apic_id, HYPERVISOR_APIC_ID_MAX,
                              &overrides->apic_id_count);
    case RUN_KEY_SEED:
        overrides->seed_given = true;
        return option_number(state, "--seed", arg, 0, UINT64_MAX, &overrides->seed);
    case RUN_KEY_BUDGET:
        overrides->budget_given = true;
        return option_number(state, "--budget", arg, 1, UINT64_MAX, &overrides->budget);
    case RUN_KEY_EXIT_BUDGET:
        overrides->exit_budget_given = true;
        return option_number(state, "--exit-budget", arg, 1, UINT64_MAX, &overrides->exit_budget);
    case RUN_KEY_STRICT:
        overrides->strict = true;
        return 0;
    case RUN_KEY_ORACLES:
        overrides->oracles_given = true;
        return option_oracles(state, arg, &overrides->oracles);
    case RUN_KEY_FIRMWARE:
        overrides->firmware = arg;
        return *arg ? 0 : option_fail(state, "--firmware: the path is empty");
    case RUN_KEY_UNTIL:
        option->until = arg;
        return *arg ? 0 : option_fail(state, "--until: the symbol is empty");
    case RUN_KEY_STOP_AT_EXIT:
        option->stop_at_exit = arg;
        return *arg ? 0 : option_fail(state, "--stop-at-exit: the name is empty");
    default:
        return option_other(key, state);
    }
}
