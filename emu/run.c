/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "run.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/msr.h"
#include "abi/svsm.h"
#include "ghcb/answer.h"
#include "ghcb/page.h"
#include "ghcb/table.h"
#include "ghcb/watch.h"
#include "launch.h"
#include "machine/digest.h"
#include "machine/machine.h"
#include "report.h"
#include "trap/trap.h"

#define EXIT_KINDS_MAX 64
#define CONSOLE_LINE_MAX 120
#define CANCEL_INTERVAL (1ULL << 24) /* instructions between two questions */

/* How many exits of one kind there were. */
struct exit_count {
    const struct exit_row *row;
    uint64_t count;
};

/* What belongs to the run and not to the machine. Copied whole by a snapshot. */
struct run_state {
    struct exit_count exit_count[EXIT_KINDS_MAX];
    uint64_t exits;
    bool at_exit; /* VMGEXIT has retired, the host has not been asked yet */
    bool script_acted;
    size_t console_size;
    char line[CONSOLE_LINE_MAX + 1]; /* console output since the last newline */
    size_t line_size;
};

struct run {
    const struct scenario *scenario;
    const struct image *image;
    struct host *host;
    struct run_options options;

    struct machine machine;
    struct hypervisor hypervisor;
    struct trap_context trap;
    struct outcome outcome;
    struct run_state state;
    struct watch_list watches;
    struct exit exit;
    struct reply reply;
    char *console; /* NUL-terminated */
    size_t console_capacity;
    uint64_t panic_gva, panic_size; /* svsm_panic_message; size 0: the guest has none */

    bool saved;
    struct run_state saved_state;
    struct hypervisor_state saved_hypervisor;
    struct watch_list saved_watches;
};

/* ---- small services for the rooms below ---- */

static const char *run_symbol(void *context, uint64_t gva)
{
    const struct run *run = context;

    return image_symbol_at(run->image, gva, NULL);
}

static bool run_peek(struct run *run, uint64_t gva, void *bytes, size_t size)
{
    struct mmu_context context;

    vcpu_mmu_context(run->machine.vcpu, &context);
    return mmu_peek(&run->machine.mmu, &context, gva, bytes, size) == size;
}

static void run_flush_line(struct run *run)
{
    if (run->state.line_size) {
        run->state.line[run->state.line_size] = '\0';
        run->state.line_size = 0;
        report_console(&run->trap, run->state.line);
    }
}

static bool run_console_reserve(struct run *run, size_t more)
{
    size_t need = run->state.console_size + more + 1;
    size_t capacity = run->console_capacity ? run->console_capacity : 256;
    char *moved;

    while (capacity < need) {
        capacity *= 2;
    }
    if (capacity == run->console_capacity) {
        return true;
    }
    moved = realloc(run->console, capacity);
    if (!moved) {
        return false;
    }
    run->console = moved;
    run->console_capacity = capacity;
    return true;
}

static void run_on_console(void *context, const uint8_t *bytes, size_t size)
{
    struct run *run = context;

    if (run_console_reserve(run, size)) {
        memcpy(run->console + run->state.console_size, bytes, size);
        run->state.console_size += size;
        run->console[run->state.console_size] = '\0';
    }
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '\n' || run->state.line_size == CONSOLE_LINE_MAX) {
            run_flush_line(run);
        }
        if (bytes[i] != '\n' && bytes[i] != '\r') {
            run->state.line[run->state.line_size++] = (char)bytes[i];
        }
    }
    if (run->options.console) {
        run->options.console(run->options.context, bytes, size);
    }
}

static int run_on_watch(void *context, const struct reply_watch *watch, struct error *error)
{
    struct run *run = context;

    return watch_list_add(&run->watches, watch, error);
}

static void run_watch_fired(void *context, void *owner)
{
    struct run *run = context;

    if (run->host->watch_fired) {
        run->host->watch_fired(run->host, owner);
    }
}

/* ---- one exit ---- */

static uint64_t run_count_exit(struct run *run, const struct exit_row *row)
{
    struct exit_count *slot = run->state.exit_count;

    while (slot->row && slot->row != row) {
        slot++;
    }
    assert(slot < run->state.exit_count + EXIT_KINDS_MAX);
    slot->row = row;
    return ++slot->count;
}

/* Take the exit that the guest has just made; false when the run ends with it. */
static bool run_take_exit(struct run *run)
{
    struct exit *exit = &run->exit;
    char why[96];

    if (!ghcb_take_exit(&run->machine, &run->hypervisor, exit, why, sizeof(why))) {
        trap_end(&run->trap, OUTCOME_REFUSED, "%s", why);
        run->outcome.host_caused = run->state.script_acted;
        return false;
    }
    exit->number = run->state.exits + 1;
    exit->nth = run_count_exit(run, exit->row);
    run->state.exits++;
    return true;
}

static void run_terminate(struct run *run)
{
    report_exit(&run->trap, &run->exit);
    trap_end(&run->trap, OUTCOME_TERMINATED, NULL);
}

static void run_report_reply(struct run *run)
{
    if (run->options.trace && !report_is_console_byte(&run->exit, &run->reply)) {
        run_flush_line(run);
        report_exit(&run->trap, &run->exit);
        if (run->reply.resume != REPLY_UNMODELLED) {
            report_reply(&run->trap, &run->exit, &run->reply);
        }
    }
}

/* Ask the host and do what it says. The outcome is set when the run ends here. */
static int run_answer_exit(struct run *run, struct error *error)
{
    static const struct {
        enum outcome_kind outcome;
        bool host_caused;
    } endings[] = {
        [REPLY_REFUSE] = {OUTCOME_REFUSED, true},
        [REPLY_UNMODELLED] = {OUTCOME_UNMODELLED, false},
        [REPLY_FAIL] = {OUTCOME_REFUSED, false},
        [REPLY_HOLD] = {OUTCOME_STUCK, false},
    };
    struct answer_ops ops = {
        .console = run_on_console,
        .watch = run_on_watch,
        .context = run,
    };
    int status;

    if (!run_take_exit(run)) {
        return 0;
    }
    if (exit_termination(&run->exit, &run->outcome.term_set, &run->outcome.term_code)) {
        run_terminate(run);
        return 0;
    }
    if (run->host->handles && run->host->handles(run->host, &run->exit)) {
        run->state.script_acted = true;
    }
    reply_reset(&run->reply);
    status = run->host->answer(run->host, &run->hypervisor, &run->exit, &run->reply, error);
    if (status != 0) {
        return status;
    }
    run_report_reply(run);
    if (run->reply.resume != REPLY_RESUME) {
        trap_end(&run->trap, endings[run->reply.resume].outcome, "%s", run->reply.reason);
        run->outcome.host_caused = endings[run->reply.resume].host_caused;
        return 0;
    }
    return ghcb_answer(&run->trap, &run->hypervisor, &run->exit, &run->reply, &ops, error);
}

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

/* The panic text of a guest that has one. */
static void run_read_panic(struct run *run)
{
    char *panic = run->outcome.panic;
    uint64_t size = run->panic_size;

    size = size < sizeof(run->outcome.panic) ? size : sizeof(run->outcome.panic);
    if (size == 0 || !run_peek(run, run->panic_gva, panic, size)) {
        panic[0] = '\0';
        return;
    }
    panic[size - 1] = '\0';
    for (char *c = panic; *c; c++) {
        *c = *c < 0x20 || *c > 0x7E ? '?' : *c;
    }
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

void run_set_trace(struct run *run, struct trace *trace)
{
    run->options.trace = trace;
    run->trap.trace = trace;
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

/* ---- looking at the result ---- */

int run_digest(struct run *run, uint8_t digest[RUN_DIGEST_SIZE], struct error *error)
{
    uint8_t extra[8 + HYPERVISOR_STATE_SIZE];
    size_t size = sizeof(run->state.exits);

    memcpy(extra, &run->state.exits, size);
    size += hypervisor_state_bytes(&run->hypervisor.state, extra + size);
    return digest_machine(&run->machine, extra, size, digest, error);
}

const char *run_console(const struct run *run)
{
    return run->console;
}

static bool run_read_symbol(struct run *run, const char *name, uint64_t offset, uint32_t size,
                            uint64_t *value)
{
    uint64_t gva;

    *value = 0;
    return size <= sizeof(*value) && image_symbol_find(run->image, name, &gva, NULL) &&
           run_peek(run, gva + offset, value, size);
}

bool run_read_state(struct run *run, const struct expect_state *state, uint64_t *value)
{
    return run_read_symbol(run, state->symbol, state->offset, state->size_bytes, value);
}

size_t run_percpu_table(struct run *run, struct run_percpu *row, size_t max)
{
    uint64_t base, count;
    size_t rows = 0;

    if (!run_read_symbol(run, "PERCPU_VA", 0, 8, &base) || base == 0 ||
        !run_read_symbol(run, "CPU_COUNT", 0, 8, &count)) {
        return 0;
    }
    while (rows < max && rows < count) {
        uint32_t word[2];
        uint64_t gva = base + rows * PERCPU_STRIDE;

        if (!run_peek(run, gva + PERCPU_CPU_ID, word, sizeof(word))) {
            break;
        }
        row[rows++] = (struct run_percpu){.index = word[0], .apic_id = word[1], .gva = gva};
    }
    return rows;
}
