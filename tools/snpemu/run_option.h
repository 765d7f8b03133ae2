/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options that say what is run, and up to where: the same for each command that shows one run.
 */
#ifndef SNPEMU_RUN_OPTION_H
#define SNPEMU_RUN_OPTION_H

#include "options.h"
#include "run.h"
#include "subject.h"

enum {
    RUN_KEY_CPUS = 0x400,
    RUN_KEY_APIC_IDS,
    RUN_KEY_FIRMWARE,
    RUN_KEY_SEED,
    RUN_KEY_BUDGET,
    RUN_KEY_EXIT_BUDGET,
    RUN_KEY_STRICT,
    RUN_KEY_ORACLES,
    RUN_KEY_UNTIL,
    RUN_KEY_STOP_AT_EXIT,
};

/* Rows of a table of options. */
/* clang-format off */
#define RUN_OPTIONS                                                                                \
    {"cpus", RUN_KEY_CPUS, "N", 0,                                                                 \
     "Number of CPUs that the hypervisor has, 1 to 4096 (what the scenario says, else 1)", 0},     \
    {"apic-ids", RUN_KEY_APIC_IDS, "ID,...", 0,                                                    \
     "The APIC IDs that it lists, as given; the first is the boot CPU's. Without --cpus there "    \
     "are as many CPUs as IDs",                                                                    \
     0},                                                                                           \
    {"firmware", RUN_KEY_FIRMWARE, "FILE", 0,                                                      \
     "The firmware that the SVSM starts at VMPL1: a flat image that ends at 4 GiB, the name "      \
     "of a built one, or 'none'. It must carry SEV metadata, as OVMF does; an ELF file of its "    \
     "name beside it gives symbols to its code. The default is what the scenario says; "           \
     "without one, the built one where it is installed",                                           \
     0},                                                                                           \
    {"seed", RUN_KEY_SEED, "N", 0,                                                                 \
     "Seed of all random numbers (what the scenario says, else 1)", 0},                            \
    {"budget", RUN_KEY_BUDGET, "N", 0,                                                             \
     "End the run after N instructions (what the scenario says, else 4000000000)", 0},             \
    {"exit-budget", RUN_KEY_EXIT_BUDGET, "N", 0,                                                   \
     "End the run after N exits (what the scenario says, else 1000000)", 0},                       \
    {"strict", RUN_KEY_STRICT, NULL, 0,                                                            \
     "End the run as unmodelled where it rests on a fact that nobody could check", 0},             \
    {"oracles", RUN_KEY_ORACLES, "NAME,...", 0,                                                    \
     "Watch for what the SVSM must not do: 'cheap' (all but trusted-unchecked), 'all', "           \
     "'none', or names of oracles; 'snpemu explain oracles' lists them. A hit is an event of "     \
     "the trace with its instruction, and makes the verdict violation. A silent run looks "        \
     "first; only where it suspects something is the run itself exact, which is several times "    \
     "slower",                                                                                     \
     0},                                                                                           \
    {"until", RUN_KEY_UNTIL, "SYMBOL", 0,                                                          \
     "End the run when SYMBOL is about to execute. A Rust item is named by its path, whole or "    \
     "from any part of it on: percpu::percpu_init",                                                \
     0},                                                                                           \
    {"stop-at-exit", RUN_KEY_STOP_AT_EXIT, "NAME[:N]", 0,                                          \
     "End the run at the Nth exit of that name (by default the first), before it is answered. "    \
     "The names are those of the events of a scenario",                                            \
     0}
/* clang-format on */

struct run_option {
    struct overrides overrides;
    const char *until, *stop_at_exit;
};

/* What a parser does with keys that are not its own: theirs, else what option_other does. */
error_t run_option_parse(int key, char *arg, struct argp_state *state, struct run_option *option);

#endif
