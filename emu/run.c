/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cpuid.h"
#include "ghcb/page.h"
#include "launch.h"
#include "report.h"
#include "run_internal.h"

/* ---- the loop ---- */

/* From RIP to the next exit (state.at_exit) or to the outcome. */
static int run_guest(struct run *run, struct error *error)
{
    struct vcpu *vcpu = run->machine.vcpu;
    uint64_t budget = run->scenario->budget;

    while (run->outcome.kind == OUTCOME_NONE && !run->state.at_exit) {
        uint64_t limit = vcpu_retired(vcpu) + CANCEL_INTERVAL;
        struct vcpu_stop stop;
        int status;

        vcpu_set_limit(vcpu, limit < budget ? limit : budget);
        status = vcpu_run(vcpu, &stop, error);
        if (status != 0) {
            return status;
        }
        watch_list_settle(&run->watches);
        if (vcpu_retired(vcpu) >= budget) {
            trap_end(&run->trap, OUTCOME_BUDGET, "instructions");
        } else if (stop.kind != VCPU_STOP_LIMIT) {
            run->state.at_exit = trap_handle(&run->trap, &stop) == TRAP_EXIT;
        }
        if (run->options.cancelled && run->options.cancelled(run->options.context)) {
            return error_set(error, SNPEMU_ERR_INTERNAL, "interrupted");
        }
    }
    return 0;
}

static void run_conclude(struct run *run)
{
    struct outcome *outcome = &run->outcome;
    const char *symbol;

    outcome->rip = vcpu_get(run->machine.vcpu, VCPU_RIP);
    outcome->instructions = vcpu_retired(run->machine.vcpu);
    outcome->exits = run->state.exits;
    /* After HLT and VMGEXIT, RIP may stand at the start of the next function. */
    symbol = run_symbol(run, outcome->kind == OUTCOME_HALTED ? outcome->rip - 1 : outcome->rip);
    snprintf(outcome->symbol, sizeof(outcome->symbol), "%s", symbol ? symbol : "");
    run_read_panic(run);
    run_flush_line(run);
    report_outcome(&run->trap);
}

/* One round of the picture: guest, trap, exit, reply. */
static int run_round(struct run *run, struct error *error)
{
    int status = 0;

    if (!run->state.at_exit) {
        status = run_guest(run, error);
    }
    if (status == 0 && run->state.at_exit) {
        run->state.at_exit = false;
        if (run->state.exits >= run->scenario->exit_budget) {
            trap_end(&run->trap, OUTCOME_BUDGET, "exits");
        } else {
            status = run_answer_exit(run, error);
        }
    }
    if (status == 0 && run->outcome.kind != OUTCOME_NONE) {
        run_conclude(run);
    }
    return status;
}

int run_to_end(struct run *run, struct outcome *outcome, struct error *error)
{
    int status = 0;

    while (status == 0 && run->outcome.kind == OUTCOME_NONE) {
        status = run_round(run, error);
    }
    *outcome = run->outcome;
    return status;
}

/* Would the exit that stands at the door be answered by a handler? Looks without counting it. */
static bool run_exit_is_handled(struct run *run)
{
    struct exit *exit = &run->exit;
    char why[96];

    if (!run->host->handles ||
        !ghcb_take_exit(&run->machine, &run->hypervisor, exit, why, sizeof(why))) {
        return false;
    }
    exit->number = run->state.exits + 1;
    exit->nth = 1;
    for (const struct exit_count *slot = run->state.exit_count; slot->row; slot++) {
        if (slot->row == exit->row) {
            exit->nth = slot->count + 1;
        }
    }
    return run->host->handles(run->host, exit);
}

int run_to_exit(struct run *run, uint64_t *exit_number, bool *at_exit, struct error *error)
{
    int status = 0;

    while (status == 0 && run->outcome.kind == OUTCOME_NONE) {
        if (!run->state.at_exit) {
            status = run_guest(run, error);
        }
        if (run->state.at_exit &&
            (run->state.exits + 1 >= *exit_number || run_exit_is_handled(run))) {
            break;
        }
        if (status == 0) {
            status = run_round(run, error);
        }
    }
    *at_exit = run->state.at_exit;
    *exit_number = run->state.exits + 1;
    return status;
}

/* ---- making and keeping ---- */

static int run_set_until(struct run *run, const char *symbol, struct error *error)
{
    uint64_t gva;

    if (!symbol) {
        return 0;
    }
    if (!image_symbol_find(run->image, symbol, &gva, NULL)) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "%s: no symbol named \"%s\"; see nm for what the image has",
                         run->image->path, symbol);
    }
    return vcpu_set_break(run->machine.vcpu, gva, error);
}

/* What the guest's processor offers of SEV: CPUID 0x8000001F EAX. */
static uint32_t run_sev_cpuid(const struct hypervisor_config *config)
{
    for (size_t i = 0; i < config->cpuid_count; i++) {
        if (config->cpuid[i].eax_in == CPUID_LEAF_SEV) {
            return config->cpuid[i].eax;
        }
    }
    return 0;
}

int run_new(struct run **out, const struct scenario *scenario, const struct image *image,
            struct host *host, const struct run_options *options, struct error *error)
{
    struct run *run = calloc(1, sizeof(*run));
    int status;

    if (!run) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a run");
    }
    run->scenario = scenario;
    run->image = image;
    run->host = host;
    run->options = *options;
    status = launch_machine(&run->machine, image, &scenario->host, scenario->memory_mib,
                            scenario->seed, error);
    if (status != 0) {
        free(run);
        return status;
    }
    run->hypervisor = (struct hypervisor){
        .config = &scenario->host,
        .memory = &run->machine.memory,
        .rmp = &run->machine.rmp,
        .strict = scenario->strict,
    };
    hypervisor_reset(&run->hypervisor);
    run->trap = (struct trap_context){
        .machine = &run->machine,
        .outcome = &run->outcome,
        .trace = options->trace,
        .symbol = run_symbol,
        .symbol_context = run,
        .strict = scenario->strict,
        .unknown_msr_gp = scenario->unknown_msr_gp,
        .sev_cpuid_eax = run_sev_cpuid(&scenario->host),
        .profile = scenario->host.profile,
    };
    run->watches.trap = &run->trap;
    run->watches.fired = run_watch_fired;
    run->watches.context = run;
    if (!image_symbol_find(image, "svsm_panic_message", &run->panic_gva, &run->panic_size)) {
        run->panic_size = 0;
    }
    vcpu_set_translation(run->machine.vcpu, options->translate, options->translate_context);
    status = run_set_until(run, options->until, error);
    if (status == 0 && !run_console_reserve(run, 0)) {
        status = error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a run");
    }
    if (status != 0) {
        run_free(run);
        return status;
    }
    run->console[0] = '\0';
    *out = run;
    return 0;
}

void run_free(struct run *run)
{
    if (!run) {
        return;
    }
    machine_release(&run->machine);
    reply_release(&run->reply);
    free(run->console);
    free(run);
}

void run_set_host(struct run *run, struct host *host)
{
    run->host = host;
}

int run_snapshot(struct run *run, struct error *error)
{
    int status;

    trap_event_flush(&run->trap);
    status = machine_save(&run->machine, error);
    if (status == 0) {
        run->saved_state = run->state;
        run->saved_hypervisor = run->hypervisor.state;
        run->saved_watches = run->watches;
        run->saved = true;
    }
    return status;
}

int run_restore(struct run *run, struct error *error)
{
    int status;

    assert(run->saved);
    status = machine_restore(&run->machine, error);
    if (status == 0) {
        run->state = run->saved_state;
        run->hypervisor.state = run->saved_hypervisor;
        run->watches = run->saved_watches;
        run->console[run->state.console_size] = '\0';
        memset(&run->outcome, 0, sizeof(run->outcome));
        run->trap.pvalidate.count = 0;
        status = watch_list_rearm(&run->watches, error);
    }
    return status;
}
