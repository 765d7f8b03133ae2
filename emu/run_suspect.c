/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking before leaping: an exact run is several times slower than a fast one, and most runs of a
 * sound guest have nothing to show.
 */
#include "run_internal.h"

int run_suspects(const struct scenario *scenario, const struct image *image,
                 const struct run_options *options, uint32_t *oracles, struct error *error)
{
    struct run_options silent = *options;
    struct outcome outcome = {0};
    struct host *host = NULL;
    struct run *run = NULL;
    int status;

    *oracles = 0;
    if (options->oracles == 0) {
        return 0;
    }
    /* It has no fast way: whether there is something shows only there. */
    if (options->oracles & ORACLE_BIT(ORACLE_TRUSTED_UNCHECKED)) {
        *oracles = options->oracles;
        return 0;
    }
    silent.trace = NULL;
    silent.console = NULL;
    silent.oracles_exact = false;
    status = scenario_host(scenario, &host, error);
    if (status == 0) {
        status = run_new(&run, scenario, image, host, &silent, error);
    }
    if (status == 0) {
        status = run_to_end(run, &outcome, error);
    }
    *oracles = outcome.oracles;
    run_free(run);
    if (host) {
        host->free(host);
    }
    return status;
}
