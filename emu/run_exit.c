/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "abi/msr.h"
#include "ghcb/answer.h"
#include "ghcb/page.h"
#include "report.h"
#include "run_internal.h"

/* ---- small services for the rooms below ---- */

void run_flush_line(struct run *run)
{
    if (run->state.line_size) {
        run->state.line[run->state.line_size] = '\0';
        run->state.line_size = 0;
        report_console(&run->trap, run->state.line);
    }
}

bool run_console_reserve(struct run *run, size_t more)
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

static int run_on_later(void *context, const struct reply_action *action, const uint8_t *data,
                        struct error *error)
{
    return run_later_add(context, action, data, error);
}

static int run_on_remapped(void *context, struct error *error)
{
    struct run *run = context;

    return watch_list_rearm(&run->watches, error);
}

struct answer_ops run_answer_ops(struct run *run)
{
    return (struct answer_ops){
        .console = run_on_console,
        .watch = run_on_watch,
        .remapped = run_on_remapped,
        .later = run_on_later,
        .context = run,
        .raced = run->state.raced,
    };
}

void run_watch_fired(void *context, void *owner)
{
    struct run *run = context;

    run->state.raced = true;
    if (run->oracles) {
        oracles_raced(run->oracles);
    }
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
    run->state.asked_otherwise |= run->state.raced;
    exit->number = run->state.exits + 1;
    exit->nth = run_count_exit(run, exit->row);
    run->state.exits++;
    run_oracles_exit(run);
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

/* A reply that cannot be carried out is its exit's: say which. */
static int run_blame(const struct run *run, int status, struct error *error)
{
    struct error why = *error;

    return status == SNPEMU_ERR_INPUT
               ? error_set(error, status, "the answer to %s, number %llu: %.400s", run->exit.name,
                           (unsigned long long)run->exit.nth, why.text)
               : status;
}

/* The vCPU waits; the others go on. */
static int run_hold(struct run *run, const struct answer_ops *ops, struct error *error)
{
    struct vcpus *vcpus = &run->hypervisor.vcpus;
    int status;

    memcpy(run->state.held, run->reply.reason, sizeof(run->state.held));
    run->state.held_raced = run->state.raced;
    vcpus_set_activity(vcpus, vcpus_current(vcpus), VCPU_HELD);
    status = ghcb_act(&run->trap, &run->hypervisor, &run->exit, &run->reply, ops, error);
    status = run_blame(run, status, error);
    if (status == 0) {
        run_schedule(run, CAUSE_EXIT);
    }
    return status;
}

/* Ask the host and do what it says. The outcome is set when the run ends here. */
int run_answer_exit(struct run *run, struct error *error)
{
    static const struct {
        enum outcome_kind outcome;
        bool host_caused;
    } endings[] = {
        [REPLY_REFUSE] = {OUTCOME_REFUSED, true},
        [REPLY_UNMODELLED] = {OUTCOME_UNMODELLED, false},
        [REPLY_FAIL] = {OUTCOME_REFUSED, false},
    };
    const struct answer_ops ops = run_answer_ops(run);
    int status;

    if (!run_take_exit(run)) {
        return 0;
    }
    if (run->exit.row == run->stop.row && run->exit.nth == run->stop.nth) {
        report_exit(&run->trap, &run->exit);
        trap_end(&run->trap, OUTCOME_REACHED, "exit %s, number %llu of its name", run->exit.name,
                 (unsigned long long)run->exit.nth);
        return 0;
    }
    if (exit_termination(&run->exit, &run->outcome.term_set, &run->outcome.term_code)) {
        run_terminate(run);
        return 0;
    }
    reply_reset(&run->reply);
    status = run->host->answer(run->host, &run->hypervisor, &run->exit, &run->reply, error);
    if (status != 0) {
        return status;
    }
    /* Now that it has answered: one that is no script knows only then whether it did anything. */
    if (run->host->handles && run->host->handles(run->host, &run->exit)) {
        run->state.script_acted = true;
    }
    run_report_reply(run);
    if (run->reply.resume == REPLY_HOLD) {
        return run_hold(run, &ops, error);
    }
    if (run->reply.resume != REPLY_RESUME) {
        trap_end(&run->trap, endings[run->reply.resume].outcome, "%s", run->reply.reason);
        run->outcome.host_caused = endings[run->reply.resume].host_caused || run->state.raced;
        return 0;
    }
    status = ghcb_answer(&run->trap, &run->hypervisor, &run->exit, &run->reply, &ops, error);
    status = run_blame(run, status, error);
    run->state.raced = false;
    if (status == 0) {
        status = run_oracles_answer(run, error);
    }
    if (status == 0) {
        run_schedule(run, CAUSE_EXIT);
    }
    return status;
}
