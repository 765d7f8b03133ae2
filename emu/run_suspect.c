/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking before leaping: an exact run is several times slower than a fast one. Most runs of a
 * sound guest have nothing to show, and others not for long.
 */
#include "run_internal.h"

int run_suspects(const struct scenario *scenario, const struct image *image,
                 struct run_options *options, struct error *error)
{
    struct run_options silent = *options;
    struct outcome outcome = {0};
    struct host *host = NULL;
    struct run *run = NULL;
    int status;

    options->oracles_exact = false;
    options->oracles_from = 0;
    if (options->oracles == 0) {
        return 0;
    }
    if (options->oracles & ORACLES_EXACT_ONLY) {
        options->oracles_exact = true;
        return 0;
    }
    silent.trace = NULL;
    silent.rmp_log = NULL;
    silent.console = NULL;
    silent.ran = NULL;
    silent.insns = 0;
    silent.oracles_exact = false;
    status = scenario_host(scenario, &host, error);
    if (status == 0) {
        status = run_new(&run, scenario, image, host, &silent, error);
    }
    if (status == 0) {
        status = run_to_end(run, &outcome, error);
    }
    if (status == 0 && outcome.oracles) {
        options->oracles_exact = true;
        options->oracles_from = oracles_suspect_from(run->oracles);
    }
    run_free(run);
    if (host) {
        host->free(host);
    }
    return status;
}
