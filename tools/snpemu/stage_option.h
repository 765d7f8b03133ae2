/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options that say what stage inputs are played on: the same for each command that plays some,
 * so that what one has found another one finds again.
 */
#ifndef SNPEMU_STAGE_OPTION_H
#define SNPEMU_STAGE_OPTION_H

#include <stdint.h>

#include "error.h"
#include "fuzz/stage.h"
#include "options.h"
#include "subject.h"

enum {
    STAGE_KEY_CPUS = 0x200,
    STAGE_KEY_UNTIL,
    STAGE_KEY_ORACLES,
    STAGE_KEY_MARGIN,
};

/* Rows of a table of options. */
/* clang-format off */
#define STAGE_OPTIONS                                                                              \
    {"cpus", STAGE_KEY_CPUS, "N", 0, "Number of CPUs that the hypervisor has", 0},                 \
    {"until", STAGE_KEY_UNTIL, "SYMBOL", 0,                                                        \
     "The function that ends a run: the first after percpu_init (tss_init or serial_init), if "    \
     "the image has it", 0},                                                                       \
    {"oracles", STAGE_KEY_ORACLES, "NAME,...", 0,                                                  \
     "The oracles that watch: 'cheap' (all but trusted-unchecked), 'all', 'none', or names. By "   \
     "default those of the scenario, else the cheap ones", 0},                                     \
    {"margin", STAGE_KEY_MARGIN, "N", 0,                                                           \
     "Instructions that a run may take beyond the honest one before it is a hang (10000000)", 0}
/* clang-format on */

struct stage_option {
    struct overrides overrides;
    const char *until;
    uint64_t margin; /* 0: the default */
};

/* What a parser does with keys that are not its own: theirs, else what option_other does. */
error_t stage_option_parse(int key, char *arg, struct argp_state *state,
                           struct stage_option *option);

/* Open the scenario or image at `path`, and its stage. Both are to be closed, on failure, too. */
int stage_option_open(const struct stage_option *option, const char *path, struct subject *subject,
                      struct stage **stage, struct error *error);

#endif
