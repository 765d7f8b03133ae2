/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stage_option.h"

error_t stage_option_parse(int key, char *arg, struct argp_state *state,
                           struct stage_option *option)
{
    struct overrides *overrides = &option->overrides;

    switch (key) {
    case STAGE_KEY_CPUS:
        overrides->cpus_given = true;
        return option_number(state, "--cpus", arg, 1, HYPERVISOR_CPU_MAX, &overrides->cpus);
    case STAGE_KEY_UNTIL:
        option->until = arg;
        return *arg ? 0 : option_fail(state, "--until: the symbol is empty");
    case STAGE_KEY_ORACLES:
        overrides->oracles_given = true;
        return option_oracles(state, arg, &overrides->oracles);
    case STAGE_KEY_MARGIN:
        return option_number(state, "--margin", arg, 1000, UINT64_MAX / 2, &option->margin);
    default:
        return option_other(key, state);
    }
}

int stage_option_open(const struct stage_option *option, const char *path, struct subject *subject,
                      struct stage **stage, struct error *error)
{
    const struct stage_options options = {
        .until = option->until,
        .margin_instructions = option->margin ? option->margin : STAGE_MARGIN_DEFAULT,
        .margin_exits = STAGE_MARGIN_EXITS,
    };
    int status = stage_subject_open(subject, path, &option->overrides, error);

    return status == SNPEMU_OK ? stage_open(stage, subject, &options, error) : status;
}
