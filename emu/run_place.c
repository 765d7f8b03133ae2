/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Going on to a place, and no further. */
#include "ghcb/page.h"
#include "run_internal.h"

/* The exit that stands at the door, as it will be when it is taken. Looks without counting it. */
static bool run_peek_exit(struct run *run)
{
    struct exit *exit = &run->exit;
    char why[96];

    if (!ghcb_take_exit(&run->machine, &run->hypervisor, exit, why, sizeof(why))) {
        return false;
    }
    exit->number = run->state.exits + 1;
    exit->nth = 1;
    for (const struct exit_count *slot = run->state.exit_count; slot->row; slot++) {
        if (slot->row == exit->row) {
            exit->nth = slot->count + 1;
        }
    }
    return true;
}

/* Whether to stop before the exit at the door is answered. */
typedef bool run_here(struct run *run, const void *context);

static int run_until_here(struct run *run, run_here *here, const void *context, struct error *error)
{
    int status = 0;

    while (status == 0 && run->outcome.kind == OUTCOME_NONE && !run->place.reached) {
        if (!run->state.at_exit) {
            status = run_guest(run, error);
        }
        if (run->state.at_exit && here(run, context)) {
            break;
        }
        if (status == 0 && !run->place.reached) {
            status = run_round(run, error);
        }
    }
    return status;
}

static bool here_handled(struct run *run, const void *context)
{
    const uint64_t *exit_number = context;

    return run->state.exits + 1 >= *exit_number ||
           (run->host->handles && run_peek_exit(run) && run->host->handles(run->host, &run->exit));
}

int run_to_exit(struct run *run, uint64_t *exit_number, bool *at_exit, struct error *error)
{
    int status = run_until_here(run, here_handled, exit_number, error);

    *at_exit = run->state.at_exit;
    *exit_number = run->state.exits + 1;
    return status;
}

static bool here_at_place(struct run *run, const void *context)
{
    const struct place *place = context;

    return place->kind == PLACE_EXIT && run_peek_exit(run) && run->exit.row == place->row &&
           run->exit.nth == place->nth;
}

/* What begins at the place is the rest of the same run of the guest: see run_guest. */
static int run_to_symbol(struct run *run, const struct place *place, struct error *error)
{
    size_t number;
    int status = run_find_symbol(run, place->symbol, &run->place.gva, error);

    if (status == 0) {
        status = vcpu_set_break(run->machine.vcpu, run->place.gva, &number, error);
    }
    if (status == 0) {
        run->place.wanted = true;
        status = run_until_here(run, here_at_place, place, error);
        run->place.wanted = false;
        vcpu_drop_break(run->machine.vcpu, number);
    }
    return status;
}

int run_to_place(struct run *run, const struct place *place, uint64_t *exit_number, bool *arrived,
                 struct error *error)
{
    int status = place->kind == PLACE_SYMBOL ? run_to_symbol(run, place, error)
                                             : run_until_here(run, here_at_place, place, error);

    *arrived = run->place.reached || run->state.at_exit;
    *exit_number = run->state.exits + 1;
    run->spin.goes_on = run->place.reached;
    run->place.reached = false;
    return status;
}
