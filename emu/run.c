/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cpuid.h"
#include "ghcb/page.h"
#include "ghcb/table.h"
#include "host/nearest.h"
#include "launch.h"
#include "report.h"
#include "run_internal.h"

/* ---- the loop ---- */

void run_after_trap(struct run *run, enum trap_next next)
{
    static const enum run_cause causes[] = {
        [TRAP_HALT] = CAUSE_HALT,
        [TRAP_PAUSE] = CAUSE_PAUSE,
    };

    if (next == TRAP_PAUSE) {
        run_spin_pause(run);
    } else {
        run_spin_reset(run);
    }
    switch (next) {
    case TRAP_EXIT:
        run->state.at_exit = true;
        break;
    case TRAP_SPIN:
        if (run_later_pass(run)) {
            break;
        }
        run_schedule(run, CAUSE_SPIN);
        break;
    case TRAP_HALT:
    case TRAP_PAUSE:
        run_schedule(run, causes[next]);
        break;
    case TRAP_RESUME:
    case TRAP_END:
        break;
    }
}

/* Up to where the guest runs without a trap. A place on its way moves nothing that is judged there.
 */
static uint64_t run_limit(struct run *run)
{
    struct run_spin *spin = &run->spin;

    if (!spin->goes_on) {
        spin->limit = vcpu_retired(run->machine.vcpu) + CANCEL_INTERVAL;
    }
    spin->goes_on = false;
    return spin->limit;
}

bool run_is_place(const struct run *run, const struct vcpu_stop *stop)
{
    return run->place.wanted && stop->kind == VCPU_STOP_BREAK && stop->code_gva == run->place.gva;
}

int run_guest(struct run *run, struct error *error)
{
    struct vcpu *vcpu = run->machine.vcpu;
    uint64_t budget = run->scenario->budget;

    while (run->outcome.kind == OUTCOME_NONE && !run->state.at_exit) {
        uint64_t limit = run_limit(run), slice, until;
        struct vcpu_stop stop;
        int status;

        if (run->later.count) {
            status = run_later(run, &limit, error);
            if (status != 0 || run->outcome.kind != OUTCOME_NONE) {
                return status;
            }
        }
        slice = run->state.slice_end;
        limit = limit < slice ? limit : slice;
        limit = limit < budget ? limit : budget;
        until = limit;
        if (run->options.debugger) {
            status = run_debug_before(run, &until, error);
            if (status != 0) {
                return status;
            }
        }
        vcpu_set_limit(vcpu, until);
        status = vcpu_run(vcpu, &stop, error);
        if (status != 0) {
            return status;
        }
        watch_list_settle(&run->watches);
        if (run->options.debugger && run_debug_after(run, &stop, limit)) {
            run->spin.goes_on = true;
            continue;
        }
        run->state.stops++;
        if (run_is_place(run, &stop)) {
            run->place.reached = true;
            return run_spin_may_part(run, error);
        }
        if (vcpu_retired(vcpu) >= budget) {
            trap_end(&run->trap, OUTCOME_BUDGET, "instructions");
        } else if (stop.kind != VCPU_STOP_LIMIT) {
            if (!run_faults_for_ever(run, &stop)) {
                enum trap_next next = trap_handle(&run->trap, &stop);

                run_taint_trap(run, &stop);
                run_after_trap(run, next);
            }
        } else if (vcpu_retired(vcpu) >= slice) {
            run_spin_quantum(run);
            run_schedule(run, CAUSE_QUANTUM);
        } else {
            run_spin_limit(run);
        }
        if (run->spin.due && run->outcome.kind == OUTCOME_NONE) {
            status = run_spin_examine(run, error);
            if (status != 0) {
                return status;
            }
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

    outcome->vcpu = run->hypervisor.vcpus.current;
    outcome->vmpl = run->hypervisor.vcpus.current_vmpl;
    outcome->rip = vcpu_code_gva(run->machine.vcpu);
    outcome->instructions = vcpu_retired(run->machine.vcpu);
    outcome->exits = run->state.exits;
    /* A page is not what the guest asked for when the host changed the request on its way. */
    if (outcome->kind == OUTCOME_NESTED_FAULT && run->state.asked_otherwise) {
        outcome->host_caused = true;
    }
    /* After HLT and VMGEXIT, RIP may stand at the start of the next function. */
    symbol = run_symbol(run, outcome->kind == OUTCOME_HALTED ? outcome->rip - 1 : outcome->rip);
    snprintf(outcome->symbol, sizeof(outcome->symbol), "%s", symbol ? symbol : "");
    vcpu_tell_ran(run->machine.vcpu);
    run_read_panic(run);
    run_flush_line(run);
    run_oracles_end(run);
    report_outcome(&run->trap);
    run_report_backtrace(run);
    run_report_insns(run);
}

int run_round(struct run *run, struct error *error)
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

/* ---- making and keeping ---- */

int run_no_symbol(const struct image *image, const char *symbol, struct error *error)
{
    struct nearest nearest;
    const char *name;
    size_t near = 1 + strlen(symbol) / 3;

    nearest_start(&nearest, symbol);
    for (size_t i = 0; (name = image_symbol_name(image, i)) != NULL; i++) {
        size_t length = strnlen(name, strlen(symbol) + near + 1);

        if (length <= strlen(symbol) + near && length + near >= strlen(symbol)) {
            nearest_try(&nearest, name);
        }
    }
    if (nearest.best && nearest.distance <= near) {
        return error_set(error, SNPEMU_ERR_INPUT, "%.200s: no symbol named \"%.100s\"; nearest: %s",
                         image->path, symbol, nearest.best);
    }
    return error_set(error, SNPEMU_ERR_INPUT,
                     "%.200s: no symbol named \"%.100s\"; see nm for what the image has",
                     image->path, symbol);
}

int run_find_symbol(const struct run *run, const char *symbol, uint64_t *gva, struct error *error)
{
    return image_symbol_find(run->image, symbol, gva, NULL)
               ? 0
               : run_no_symbol(run->image, symbol, error);
}

static int run_set_until(struct run *run, const char *symbol, struct error *error)
{
    uint64_t gva;
    int status = symbol ? run_find_symbol(run, symbol, &gva, error) : 0;

    return symbol && status == 0 ? vcpu_set_break(run->machine.vcpu, gva, NULL, error) : status;
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

static void run_ran(void *context, unsigned vmpl, uint64_t gva, uint32_t size_bytes, int64_t times)
{
    const struct run *run = context;

    if (!run->options.ran) {
        return; /* only the last instructions are wanted */
    }
    blocks_add(run->options.ran, vmpl == 0 ? BLOCKS_SVSM : BLOCKS_GUEST, gva, size_bytes, times);
}

static int run_launch(struct run *run, struct error *error)
{
    const struct scenario *scenario = run->scenario;
    const struct launch launch = {
        .image = run->image,
        .firmware = run->options.firmware,
        .config = &run->config,
        .memory_mib = scenario->memory_mib,
        .guest_memory_mib = scenario->guest_memory_mib,
        .psp = run->psp,
        .seed = scenario->seed,
    };

    run->config = scenario->host;
    if (launch.firmware && !launch_firmware_files(&run->config.fw_cfg, launch.firmware)) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "host.fw_cfg: no room is left for the firmware's files; remove a file, or "
                         "say firmware = false");
    }
    return launch_machine(&run->machine, &launch, error);
}

/* What the rooms below are told of this run. */
static void run_connect(struct run *run)
{
    const struct scenario *scenario = run->scenario;

    run->hypervisor = (struct hypervisor){
        .config = &run->config,
        .memory = &run->machine.memory,
        .rmp = &run->machine.rmp,
        .psp = run->psp,
        .strict = scenario->strict,
        .history = run->host->replays ? &run->history : NULL,
    };
    run->trap = (struct trap_context){
        .machine = &run->machine,
        .outcome = &run->outcome,
        .trace = run->options.trace,
        .symbol = run_symbol,
        .place = run_place_of,
        .symbol_context = run,
        .strict = scenario->strict,
        .unknown_msr_gp = scenario->unknown_msr_gp,
        .sev_cpuid_eax = run_sev_cpuid(&scenario->host),
        .profile = scenario->host.profile,
    };
    run->watches.trap = &run->trap;
    run->watches.fired = run_watch_fired;
    run->watches.context = run;
    if (!image_symbol_find(run->image, "svsm_panic_message", &run->panic_gva, &run->panic_size)) {
        run->panic_size = 0;
    }
}

/* What is counted, where the run stops, and who looks on. */
static int run_open(struct run *run, struct error *error)
{
    const struct run_options *options = &run->options;
    struct vcpu *vcpu = run->machine.vcpu;
    int status = 0;

    vcpu_set_translation(vcpu, options->translate, options->translate_context);
    if (options->edges) {
        status = vcpu_count_edges(vcpu, error);
    } else if (options->ran || options->insns) {
        status = vcpu_count_ran(vcpu, run_ran, run, error);
    }
    if (status == 0 && options->insns) {
        status = run_keep_insns(run, error);
    }
    if (status == 0) {
        status = run_set_until(run, options->until ? options->until : run->scenario->until, error);
    }
    if (status == 0 && options->stop_at_exit) {
        status = place_parse_exit(&run->stop, options->stop_at_exit, error);
    }
    if (status == 0 && (!hypervisor_open(&run->hypervisor) || !run_console_reserve(run, 0))) {
        status = error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a run");
    }
    if (status == 0) {
        status = run_oracles_open(run, error);
    }
    if (status == 0 && options->rmp_log) {
        status = rmp_log_open(options->rmp_log, &run->machine, error);
    }
    return status;
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
    status = launch_psp(&run->psp, &scenario->host, scenario->seed, error);
    if (status == 0) {
        status = run_launch(run, error);
    }
    if (status != 0) {
        psp_free(run->psp);
        free(run);
        return status;
    }
    run_connect(run);
    status = run_open(run, error);
    if (status != 0) {
        run_free(run);
        return status;
    }
    run_schedule_reset(run);
    run_spin_reset(run);
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
    oracles_free(run->oracles);
    run_taint_free(run);
    hypervisor_close(&run->hypervisor);
    vcpus_release(&run->saved_vcpus);
    psp_free(run->psp);
    reply_release(&run->reply);
    history_release(&run->history);
    history_release(&run->saved_history);
    free(run->console);
    free(run);
}

int run_watch_often(struct run *run, struct error *error)
{
    return vcpu_watch_often(run->machine.vcpu, error);
}

void run_set_edges(struct run *run, uint8_t *edges)
{
    assert(run->options.edges);
    vcpu_set_edges(run->machine.vcpu, edges);
}

uint64_t run_suspicion(const struct run *run)
{
    return run->oracles ? oracles_signature(run->oracles) : 0;
}

void run_set_host(struct run *run, struct host *host)
{
    run->host = host;
}

int run_snapshot(struct run *run, struct error *error)
{
    int status;

    trap_event_flush(&run->trap);
    if (!run->saved_vcpus.slot && !hypervisor_same_vcpus(&run->hypervisor, &run->saved_vcpus)) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a snapshot");
    }
    if (!history_copy(&run->saved_history, &run->history)) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a snapshot");
    }
    status = machine_save(&run->machine, error);
    if (status == 0 && run->oracles) {
        status = oracles_save(run->oracles, error);
    }
    if (status == 0) {
        status = run_taint_save(run, error);
    }
    if (status == 0) {
        vcpus_copy(&run->saved_vcpus, &run->hypervisor.vcpus);
        run->saved_state = run->state;
        run->saved_hypervisor = run->hypervisor.state;
        run->saved_psp = psp_get_state(run->psp);
        run->saved_watches = run->watches;
        later_copy(&run->saved_later, &run->later);
        if (run->spin.watching) {
            run_spin_reset(run);
        }
        run->saved_spin = run->spin;
        run->saved = true;
    }
    return status;
}

int run_restore(struct run *run, struct error *error)
{
    int status;

    assert(run->saved);
    if (!history_copy(&run->history, &run->saved_history)) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a snapshot");
    }
    /* What decides which pages are watched comes first: the machine asks. */
    vcpus_copy(&run->hypervisor.vcpus, &run->saved_vcpus);
    run->trap.vcpu = run->hypervisor.vcpus.current;
    if (run->oracles) {
        oracles_restore(run->oracles);
    }
    status = machine_restore(&run->machine, error);
    if (status == 0) {
        run->state = run->saved_state;
        run->hypervisor.state = run->saved_hypervisor;
        psp_set_state(run->psp, &run->saved_psp);
        run->watches = run->saved_watches;
        later_copy(&run->later, &run->saved_later);
        run->console[run->state.console_size] = '\0';
        memset(&run->outcome, 0, sizeof(run->outcome));
        run->trap.pvalidate.count = 0;
        run_taint_restore(run);
        run_spin_reset(run);
        run->spin = run->saved_spin;
        status = watch_list_rearm(&run->watches, error);
    }
    return status;
}

int run_relaunch(struct run *run, const struct image *image, struct error *error)
{
    int status = launch_again(&run->machine, run->image, image, &run->scenario->host, error);

    if (status == 0) {
        run->image = image;
        run->percpu.asked = false;
    }
    return status;
}
