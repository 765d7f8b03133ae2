/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watched.h"

#include <inttypes.h>

#include "bare.h"
#include "case.h"
#include "check/oracle.h"
#include "measure.h"
#include "ours.h"
#include "recording.h"

#define ROUND_NS 20e6
#define LOOPS_MAX 100000

const char *const watched_names[WATCHED_COUNT] = {
    [WATCHED_NONE] = "none",   [WATCHED_CHEAP] = "cheap",
    [WATCHED_EXACT] = "exact", [WATCHED_UNCHECKED] = "trusted_unchecked",
    [WATCHED_BARE] = "bare",   [WATCHED_BARE_INSN] = "bare_insn_hook",
};

const char *const watched_words[WATCHED_COUNT] = {
    [WATCHED_NONE] = "no oracle",
    [WATCHED_CHEAP] = "all cheap oracles, fast",
    [WATCHED_EXACT] = "all cheap oracles, exact",
    [WATCHED_UNCHECKED] = "trusted-unchecked alone",
    [WATCHED_BARE] = "the bare engine",
    [WATCHED_BARE_INSN] = "the bare engine, a counting hook on each instruction; x: to it without",
};

struct watched {
    const struct watched_task *task;
    struct workload workload;
    struct recording *recording;
    struct ours ours[WATCHED_BARE];
    struct bare *bare[WATCHED_COUNT - WATCHED_BARE];
    struct sample sample[WATCHED_COUNT], boot[WATCHED_BARE];
};

static int open_ours(const struct watched *watched, struct ours *ours, enum watched_kind kind,
                     struct error *error)
{
    static const struct {
        uint32_t oracles;
        bool exact;
    } kinds[WATCHED_BARE] = {
        [WATCHED_NONE] = {ORACLES_NONE, false},
        [WATCHED_CHEAP] = {ORACLES_CHEAP, false},
        [WATCHED_EXACT] = {ORACLES_CHEAP, true},
        [WATCHED_UNCHECKED] = {ORACLE_BIT(ORACLE_TRUSTED_UNCHECKED), true},
    };

    return ours_open_watched(ours, &watched->workload, CASE_UNTIL, kinds[kind].oracles,
                             kinds[kind].exact, error);
}

/* Oracles change nothing: all runs end in the same place at the same time. */
static int check(const struct watched *watched, const struct ours *ours, struct error *error)
{
    const struct recording *recording = watched->recording;

    if (ours->outcome.instructions != recording->instructions ||
        ours->outcome.rip != recording->until_gva) {
        return error_set(error, SNPEMU_ERR_INTERNAL,
                         "a run ended at 0x%" PRIx64 " after %" PRIu64
                         " instructions, the recorded one at 0x%" PRIx64 " after %" PRIu64,
                         ours->outcome.rip, ours->outcome.instructions, recording->until_gva,
                         recording->instructions);
    }
    return 0;
}

static int boot_once(struct watched *watched, enum watched_kind kind, struct error *error)
{
    struct ours ours = {0};
    int status = open_ours(watched, &ours, kind, error);
    double start = measure_cpu_ns();

    if (status == 0) {
        status = ours_run(&ours, OUTCOME_REACHED, error);
    }
    sample_add(&watched->boot[kind], measure_cpu_ns() - start);
    if (status == 0) {
        status = check(watched, &ours, error);
    }
    ours_close(&ours);
    return status;
}

static int open_all(struct watched *watched, struct error *error)
{
    const struct recording *recording = watched->recording;
    int status = 0;

    for (unsigned kind = 0; status == 0 && kind < WATCHED_BARE; kind++) {
        status = open_ours(watched, &watched->ours[kind], kind, error);
        if (status == 0) {
            status = ours_save(&watched->ours[kind], recording->list_exit, error);
        }
    }
    for (unsigned kind = WATCHED_BARE; status == 0 && kind < WATCHED_COUNT; kind++) {
        struct bare **bare = &watched->bare[kind - WATCHED_BARE];

        status = bare_open(bare, recording,
                           kind == WATCHED_BARE_INSN ? BARE_HOOK_INSN : BARE_HOOK_NONE, error);
        if (status == 0) {
            status = bare_run(*bare, recording->list_trap, error);
        }
        if (status == 0) {
            status = bare_save(*bare, error);
        }
    }
    return status;
}

static int once(struct watched *watched, enum watched_kind kind, struct error *error)
{
    struct ours *ours;
    int status;

    if (kind >= WATCHED_BARE) {
        struct bare *bare = watched->bare[kind - WATCHED_BARE];

        status = bare_restore(bare, error);
        return status ? status : bare_run(bare, UINT64_MAX, error);
    }
    ours = &watched->ours[kind];
    status = run_restore(ours->run, error);
    if (status == 0) {
        status = ours_run(ours, OUTCOME_REACHED, error);
    }
    return status ? status : check(watched, ours, error);
}

static int loop(struct watched *watched, enum watched_kind kind, unsigned loops, double *ns,
                struct error *error)
{
    double start = measure_cpu_ns();
    int status = 0;

    for (unsigned i = 0; status == 0 && i < loops; i++) {
        status = once(watched, kind, error);
    }
    *ns = (measure_cpu_ns() - start) / loops;
    return status;
}

/* One of each kind; every second round the other way around. */
static int rounds(struct watched *watched, struct error *error)
{
    unsigned loops[WATCHED_COUNT];
    int status = 0;

    for (unsigned kind = 0; status == 0 && kind < WATCHED_COUNT; kind++) {
        double ns = 0;

        status = loop(watched, kind, 5, &ns, error);
        loops[kind] = ns * LOOPS_MAX < ROUND_NS ? LOOPS_MAX : (unsigned)(ROUND_NS / ns) + 1;
    }
    for (unsigned round = 0; status == 0 && round < watched->task->runs; round++) {
        for (unsigned i = 0; status == 0 && i < WATCHED_COUNT; i++) {
            enum watched_kind kind = round % 2 ? WATCHED_COUNT - 1 - i : i;
            double ns;

            status = loop(watched, kind, loops[kind], &ns, error);
            sample_add(&watched->sample[kind], ns);
        }
    }
    return status;
}

/* Apart from the others, whose caches they would empty. */
static int boots(struct watched *watched, struct error *error)
{
    int status = 0;

    for (unsigned round = 0; status == 0 && round < watched->task->runs; round++) {
        for (unsigned i = 0; status == 0 && i < WATCHED_BARE; i++) {
            status = boot_once(watched, round % 2 ? WATCHED_BARE - 1 - i : i, error);
        }
    }
    return status;
}

static void fill_in(const struct watched *watched, struct watched_result *result)
{
    const struct recording *recording = watched->recording;

    result->instructions = recording->instructions - recording->list_instructions;
    for (unsigned kind = 0; kind < WATCHED_COUNT; kind++) {
        enum watched_kind base = kind < WATCHED_BARE ? WATCHED_NONE : WATCHED_BARE;

        result->ns[kind] = sample_median(&watched->sample[kind]);
        result->ratio[kind] = sample_ratio(&watched->sample[kind], &watched->sample[base]);
        if (kind < WATCHED_BARE) {
            result->boot_ratio[kind] =
                sample_ratio(&watched->boot[kind], &watched->boot[WATCHED_NONE]);
        }
    }
}

static int work(const void *opaque, void *out, struct error *error)
{
    static struct watched watched; /* too large for the stack; one child measures one case */
    int status;

    watched.task = opaque;
    status =
        workload_open(&watched.workload, watched.task->image, watched.task->cpus, "none", error);
    if (status == 0) {
        status = recording_make(&watched.recording, watched.workload.subject.scenario,
                                watched.workload.subject.image, NULL, CASE_UNTIL, error);
    }
    if (status == 0 && !watched.recording->list_exit) {
        status = error_set(error, SNPEMU_ERR_INPUT, "the image does not ask for the APIC ID list");
    }
    if (status == 0) {
        status = open_all(&watched, error);
    }
    if (status == 0) {
        status = rounds(&watched, error);
    }
    if (status == 0) {
        status = boots(&watched, error);
    }
    if (status == 0) {
        fill_in(&watched, out);
    }
    for (unsigned kind = 0; kind < WATCHED_COUNT; kind++) {
        if (kind < WATCHED_BARE) {
            ours_close(&watched.ours[kind]);
        } else {
            bare_close(watched.bare[kind - WATCHED_BARE]);
        }
    }
    recording_free(watched.recording);
    workload_close(&watched.workload);
    return status;
}

int watched_measure(const struct watched_task *task, struct watched_result *result,
                    struct error *error)
{
    return measure_in_child(work, task, result, sizeof(*result), NULL, error);
}
