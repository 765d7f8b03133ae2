/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "case.h"

#include <inttypes.h>
#include <string.h>

#include "bare.h"
#include "measure.h"
#include "ours.h"
#include "recording.h"

#define SNAPSHOT_ROUND_NS 10e6 /* CPU time of one kind's share of a round */
#define SNAPSHOT_LOOPS_MAX 100000

enum kind {
    KIND_OURS,
    KIND_NO_WALK,
    KIND_BARE,
    KIND_HOOKED, /* the bare engine with an empty block hook */
    KIND_COUNT,
};

struct samples {
    struct sample kind[KIND_COUNT];
};

struct bench_case {
    const struct case_task *task;
    struct workload workload;
    struct recording *recording;
    struct samples fresh, run, snapshot;

    /* For the runs from a snapshot: one machine of each kind. */
    struct ours ours[KIND_BARE];
    struct bare *bare[KIND_COUNT - KIND_BARE];
    uint8_t digest[RUN_DIGEST_SIZE]; /* of a fresh run's end */
};

static enum bare_hook bare_hook_of(enum kind kind)
{
    return kind == KIND_HOOKED ? BARE_HOOK_BLOCK : BARE_HOOK_NONE;
}

/* Each kind's runs must end where the recording does. */
static int check_ours(const struct bench_case *c, const struct ours *ours, struct error *error)
{
    const struct outcome *outcome = &ours->outcome;
    const struct recording *recording = c->recording;

    if (outcome->instructions != recording->instructions || outcome->exits != recording->exits ||
        outcome->rip != recording->until_gva) {
        return error_set(error, SNPEMU_ERR_INTERNAL,
                         "a run ended at 0x%" PRIx64 " after %" PRIu64 " instructions and %" PRIu64
                         " exits, the recorded one at 0x%" PRIx64 " after %" PRIu64 " and %" PRIu64,
                         outcome->rip, outcome->instructions, outcome->exits, recording->until_gva,
                         recording->instructions, recording->exits);
    }
    return 0;
}

/* ---- fresh machines ---- */

static int fresh_ours(struct bench_case *c, enum kind kind, double *total_ns, double *run_ns,
                      struct error *error)
{
    double start = measure_cpu_ns(), opened, ran, checked;
    struct ours ours;
    int status = ours_open(&ours, &c->workload, CASE_UNTIL, kind == KIND_OURS, error);

    opened = measure_cpu_ns();
    if (status == 0) {
        status = ours_run(&ours, OUTCOME_REACHED, error);
    }
    ran = measure_cpu_ns();
    if (status == 0) {
        status = check_ours(c, &ours, error);
    }
    if (status == 0 && kind == KIND_OURS && c->run.kind[KIND_OURS].count == 0) {
        status = run_digest(ours.run, c->digest, error);
    }
    checked = measure_cpu_ns();
    ours_close(&ours);
    *run_ns = ran - opened;
    *total_ns = measure_cpu_ns() - checked + ran - start;
    return status;
}

static int fresh_bare(struct bench_case *c, enum kind kind, double *total_ns, double *run_ns,
                      struct error *error)
{
    double start = measure_cpu_ns(), opened, ran, checked;
    struct bare *bare = NULL;
    int status = bare_open(&bare, c->recording, bare_hook_of(kind), error);

    opened = measure_cpu_ns();
    if (status == 0) {
        status = bare_run(bare, UINT64_MAX, error);
    }
    ran = measure_cpu_ns();
    if (status == 0) {
        status = bare_check(bare, error);
    }
    checked = measure_cpu_ns();
    bare_close(bare);
    *run_ns = ran - opened;
    *total_ns = measure_cpu_ns() - checked + ran - start;
    return status;
}

/* One of each kind; every second round the other way around. */
static int fresh_round(struct bench_case *c, unsigned round, struct error *error)
{
    int status = 0;

    for (unsigned i = 0; status == 0 && i < KIND_COUNT; i++) {
        enum kind kind = round % 2 ? KIND_COUNT - 1 - i : i;
        double total_ns, run_ns;

        status = kind >= KIND_BARE ? fresh_bare(c, kind, &total_ns, &run_ns, error)
                                   : fresh_ours(c, kind, &total_ns, &run_ns, error);
        if (round > 0) { /* the first one warms up */
            sample_add(&c->fresh.kind[kind], total_ns);
            sample_add(&c->run.kind[kind], run_ns);
        }
    }
    return status;
}

/* ---- from a snapshot ---- */

static int snapshot_open(struct bench_case *c, struct error *error)
{
    const struct recording *recording = c->recording;
    int status = 0;

    for (unsigned i = 0; status == 0 && i < KIND_BARE; i++) {
        status = ours_open(&c->ours[i], &c->workload, CASE_UNTIL, i == KIND_OURS, error);
        if (status == 0) {
            status = ours_save(&c->ours[i], recording->list_exit, error);
        }
    }
    for (unsigned i = KIND_BARE; status == 0 && i < KIND_COUNT; i++) {
        struct bare **bare = &c->bare[i - KIND_BARE];

        status = bare_open(bare, recording, bare_hook_of(i), error);
        if (status == 0) {
            status = bare_run(*bare, recording->list_trap, error);
        }
        if (status == 0) {
            status = bare_save(*bare, error);
        }
    }
    return status;
}

static int snapshot_once(struct bench_case *c, enum kind kind, struct error *error)
{
    int status;

    if (kind >= KIND_BARE) {
        struct bare *bare = c->bare[kind - KIND_BARE];

        status = bare_restore(bare, error);
        return status ? status : bare_run(bare, UINT64_MAX, error);
    }
    status = run_restore(c->ours[kind].run, error);
    if (status == 0) {
        status = ours_run(&c->ours[kind], OUTCOME_REACHED, error);
    }
    return status ? status : check_ours(c, &c->ours[kind], error);
}

static int snapshot_loop(struct bench_case *c, enum kind kind, unsigned loops, double *ns,
                         struct error *error)
{
    double start = measure_cpu_ns();
    int status = 0;

    for (unsigned i = 0; status == 0 && i < loops; i++) {
        status = snapshot_once(c, kind, error);
    }
    *ns = (measure_cpu_ns() - start) / loops;
    if (status == 0 && kind >= KIND_BARE) {
        status = bare_check(c->bare[kind - KIND_BARE], error);
    }
    return status;
}

static int snapshot_check(struct bench_case *c, struct error *error)
{
    uint8_t digest[RUN_DIGEST_SIZE];
    int status = run_digest(c->ours[KIND_OURS].run, digest, error);

    if (status == 0 && memcmp(digest, c->digest, sizeof(digest)) != 0) {
        status = error_set(error, SNPEMU_ERR_INTERNAL,
                           "the state after a restored run is not that after a fresh one");
    }
    return status;
}

static int snapshot_rounds(struct bench_case *c, struct error *error)
{
    double ns = 0;
    unsigned loops = 10;
    int status = snapshot_open(c, error);

    /* Warm up, and find how many runs make a round long enough for the clock. */
    for (unsigned kind = 0; status == 0 && kind < KIND_COUNT; kind++) {
        status = snapshot_loop(c, kind, 10, &ns, error);
    }
    if (ns > 0) {
        loops = ns * SNAPSHOT_LOOPS_MAX < SNAPSHOT_ROUND_NS
                    ? SNAPSHOT_LOOPS_MAX
                    : (unsigned)(SNAPSHOT_ROUND_NS / ns) + 1;
    }
    for (unsigned round = 0; status == 0 && round < c->task->runs; round++) {
        for (unsigned i = 0; status == 0 && i < KIND_COUNT; i++) {
            enum kind kind = round % 2 ? KIND_COUNT - 1 - i : i;

            status = snapshot_loop(c, kind, loops, &ns, error);
            sample_add(&c->snapshot.kind[kind], ns);
        }
    }
    return status ? status : snapshot_check(c, error);
}

/* ---- the whole case ---- */

static struct case_part part_of(const struct samples *samples)
{
    const struct sample *kind = samples->kind;

    return (struct case_part){
        .ours_ns = sample_median(&kind[KIND_OURS]),
        .bare_ns = sample_median(&kind[KIND_BARE]),
        .ratio = sample_ratio(&kind[KIND_OURS], &kind[KIND_BARE]),
        .hook_ratio = sample_ratio(&kind[KIND_OURS], &kind[KIND_HOOKED]),
        .walk_ratio = sample_ratio(&kind[KIND_OURS], &kind[KIND_NO_WALK]),
    };
}

static int case_record(struct bench_case *c, struct error *error)
{
    uint64_t counted;
    int status = recording_make(&c->recording, c->workload.subject.scenario,
                                c->workload.subject.image, NULL, CASE_UNTIL, error);

    if (status == 0 && !c->recording->list_exit) {
        status = error_set(error, SNPEMU_ERR_INPUT, "the image does not ask for the APIC ID list");
    }
    if (status == 0) {
        status = bare_count(c->recording, &counted, error);
    }
    if (status == 0 && counted != c->recording->instructions) {
        status = error_set(error, SNPEMU_ERR_INTERNAL,
                           "the emulator counts %" PRIu64 " instructions, the bare engine %" PRIu64,
                           c->recording->instructions, counted);
    }
    return status;
}

static int case_work(const void *opaque, void *out, struct error *error)
{
    static struct bench_case c; /* too large for the stack; one child measures one case */
    struct case_result *result = out;
    int status;

    c.task = opaque;
    status = workload_open(&c.workload, c.task->image, c.task->cpus, "none", error);
    if (status == 0) {
        status = case_record(&c, error);
    }
    for (unsigned round = 0; status == 0 && round <= c.task->runs; round++) {
        status = fresh_round(&c, round, error);
    }
    if (status == 0) {
        status = snapshot_rounds(&c, error);
    }
    if (status == 0) {
        result->instructions = c.recording->instructions;
        result->exits = c.recording->exits;
        result->traps = c.recording->trap_count;
        result->snapshot_instructions = result->instructions - c.recording->list_instructions;
        result->fresh = part_of(&c.fresh);
        result->run = part_of(&c.run);
        result->snapshot = part_of(&c.snapshot);
    }
    for (unsigned i = 0; i < KIND_BARE; i++) {
        ours_close(&c.ours[i]);
    }
    for (unsigned i = KIND_BARE; i < KIND_COUNT; i++) {
        bare_close(c.bare[i - KIND_BARE]);
    }
    recording_free(c.recording);
    workload_close(&c.workload);
    return status;
}

/* One run and nothing else, for the memory it needs. */
static int peak_work(const void *opaque, void *out, struct error *error)
{
    const struct case_task *task = opaque;
    struct ours ours = {0};
    struct workload workload;
    int status = workload_open(&workload, task->image, task->cpus, "none", error);

    (void)out;
    if (status != 0) {
        return status;
    }
    status = ours_open(&ours, &workload, CASE_UNTIL, true, error);
    if (status == 0) {
        status = ours_run(&ours, OUTCOME_REACHED, error);
    }
    ours_close(&ours);
    workload_close(&workload);
    return status;
}

int case_measure(const struct case_task *task, struct case_result *result, struct error *error)
{
    long peak_kib = 0;
    int status = measure_in_child(case_work, task, result, sizeof(*result), NULL, error);

    if (status == 0) {
        status = measure_in_child(peak_work, task, NULL, 0, &peak_kib, error);
        result->peak_kib = peak_kib;
    }
    return status;
}
