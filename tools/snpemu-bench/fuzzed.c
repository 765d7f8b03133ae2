/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzzed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bare.h"
#include "check/oracle.h"
#include "fuzz/stage.h"
#include "host/bytes.h"
#include "host/bytes_mutate.h"
#include "measure.h"
#include "ours.h"
#include "recording.h"

#define ROUND_NS 20e6
#define LOOPS_MAX 100000
#define SEED 1
#define MUTATIONS_MAX 8
#define AT_ONCE 256 /* runs of the campaign between two looks at the clock */

struct fuzzed {
    const struct fuzzed_task *task;
    struct workload workload;
    struct recording *recording;
    struct stage *stage;
    struct bare *bare;
    struct sample ours_sample, bare_sample;
};

static int open_all(struct fuzzed *fuzzed, struct error *error)
{
    struct subject *subject = &fuzzed->workload.subject;
    const struct stage_options options = {
        .until = stage_until_default(subject->image),
        .margin_instructions = FUZZED_MARGIN_INSTRUCTIONS,
        .margin_exits = FUZZED_MARGIN_EXITS,
    };
    int status;

    if (!options.until) {
        return error_set(error, SNPEMU_ERR_INPUT, "%.200s: no symbol follows percpu_init",
                         fuzzed->task->image);
    }
    status = recording_make(&fuzzed->recording, subject->scenario, subject->image, NULL,
                            options.until, error);
    if (status == 0 && !fuzzed->recording->list_exit) {
        status = error_set(error, SNPEMU_ERR_INPUT, "the image does not ask for the APIC ID list");
    }
    if (status == 0) {
        status = bare_open(&fuzzed->bare, fuzzed->recording, BARE_HOOK_NONE, error);
    }
    if (status == 0) {
        status = bare_run(fuzzed->bare, fuzzed->recording->list_trap, error);
    }
    if (status == 0) {
        status = bare_save(fuzzed->bare, error);
    }
    if (status == 0) {
        subject->scenario->oracles = ORACLES_CHEAP;
        status = stage_open(&fuzzed->stage, subject, &options, error);
    }
    return status;
}

/* ---- the honest answer ---- */

static int check_ours(const struct fuzzed *fuzzed, const struct outcome *outcome,
                      struct error *error)
{
    const struct recording *recording = fuzzed->recording;

    if (outcome->instructions != recording->instructions || outcome->exits != recording->exits ||
        outcome->rip != recording->until_gva) {
        return error_set(error, SNPEMU_ERR_INTERNAL,
                         "a run ended at 0x%" PRIx64 " after %" PRIu64
                         " instructions, the recorded one at 0x%" PRIx64 " after %" PRIu64,
                         outcome->rip, outcome->instructions, recording->until_gva,
                         recording->instructions);
    }
    return 0;
}

static int loop_ours(struct fuzzed *fuzzed, unsigned loops, double *ns, struct error *error)
{
    double start = measure_cpu_ns();
    struct stage_result result;
    int status = 0;

    for (unsigned i = 0; status == 0 && i < loops; i++) {
        status = stage_play(fuzzed->stage, (const uint8_t *)"", 0, &result, error);
        if (status == 0) {
            status = check_ours(fuzzed, &result.outcome, error);
        }
    }
    *ns = (measure_cpu_ns() - start) / loops;
    return status;
}

static int loop_bare(struct fuzzed *fuzzed, unsigned loops, double *ns, struct error *error)
{
    double start = measure_cpu_ns();
    int status = 0;

    for (unsigned i = 0; status == 0 && i < loops; i++) {
        status = bare_restore(fuzzed->bare, error);
        if (status == 0) {
            status = bare_run(fuzzed->bare, UINT64_MAX, error);
        }
    }
    *ns = (measure_cpu_ns() - start) / loops;
    return status ? status : bare_check(fuzzed->bare, error);
}

/* How many runs make a round long enough for the clock; the first ones warm up. */
static int choose_loops(struct fuzzed *fuzzed, unsigned *loops, struct error *error)
{
    double ns = 0, bare_ns;
    int status = loop_bare(fuzzed, 10, &bare_ns, error);

    if (status == 0) {
        status = loop_ours(fuzzed, 10, &ns, error);
    }
    *loops = ns * LOOPS_MAX < ROUND_NS ? LOOPS_MAX : (unsigned)(ROUND_NS / ns) + 1;
    return status;
}

/* In turn, every second round the other way around. */
static int rounds(struct fuzzed *fuzzed, struct error *error)
{
    unsigned loops;
    int status = choose_loops(fuzzed, &loops, error);

    for (unsigned round = 0; status == 0 && round < fuzzed->task->runs; round++) {
        double ours_ns = 0, bare_ns = 0;

        if (round % 2) {
            status = loop_bare(fuzzed, loops, &bare_ns, error);
        }
        if (status == 0) {
            status = loop_ours(fuzzed, loops, &ours_ns, error);
        }
        if (status == 0 && round % 2 == 0) {
            status = loop_bare(fuzzed, loops, &bare_ns, error);
        }
        sample_add(&fuzzed->ours_sample, ours_ns);
        sample_add(&fuzzed->bare_sample, bare_ns);
    }
    return status;
}

/* ---- random inputs ---- */

static long resident_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    long pages = 0;

    if (file) {
        if (fscanf(file, "%*s %ld", &pages) != 1) {
            pages = 0;
        }
        fclose(file);
    }
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Each from nothing: what a fuzzer has in its corpus is not known here. */
static size_t random_input(uint8_t *input, uint64_t *random)
{
    size_t size = 0;
    uint64_t count = 1 + *random % MUTATIONS_MAX;

    for (uint64_t i = 0; i < count; i++) {
        size = bytes_mutate(input, size, BYTES_INPUT_MAX, random);
    }
    return size;
}

static int play_some(struct fuzzed *fuzzed, struct fuzzed_result *result, uint64_t *random,
                     struct error *error)
{
    uint8_t input[BYTES_INPUT_MAX];
    struct stage_result played;
    int status = 0;

    for (unsigned i = 0; status == 0 && i < AT_ONCE; i++) {
        size_t size = random_input(input, random);

        status = stage_play(fuzzed->stage, input, size, &played, error);
        result->played++;
        result->outcome[played.outcome.kind]++;
        result->suspected += played.suspicion != 0;
    }
    return status;
}

static int campaign(struct fuzzed *fuzzed, struct fuzzed_result *result, struct error *error)
{
    double start = measure_wall_ns(), end = start + fuzzed->task->seconds * 1e9, cpu_ns;
    uint64_t random = SEED;
    int status = 0;

    result->hang_instructions = FUZZED_MARGIN_INSTRUCTIONS;
    result->hang_exits = FUZZED_MARGIN_EXITS;
    cpu_ns = measure_cpu_ns();
    while (status == 0 && measure_wall_ns() < end) {
        status = play_some(fuzzed, result, &random, error);
        if (result->played == AT_ONCE) {
            result->start_kib = resident_kib();
        }
    }
    result->end_kib = resident_kib();
    result->play_ns = result->played ? (measure_cpu_ns() - cpu_ns) / (double)result->played : 0;
    return status;
}

static int work(const void *opaque, void *out, struct error *error)
{
    static struct fuzzed fuzzed; /* too large for the stack; one child measures one task */
    struct fuzzed_result *result = out;
    int status;

    fuzzed.task = opaque;
    memset(result, 0, sizeof(*result));
    status = workload_open(&fuzzed.workload, fuzzed.task->image, fuzzed.task->cpus, "none", error);
    if (status == 0) {
        status = open_all(&fuzzed, error);
    }
    if (status == 0) {
        status = rounds(&fuzzed, error);
    }
    if (status == 0) {
        result->instructions = fuzzed.recording->instructions - fuzzed.recording->list_instructions;
        result->ours_ns = sample_median(&fuzzed.ours_sample);
        result->bare_ns = sample_median(&fuzzed.bare_sample);
        result->ratio = sample_ratio(&fuzzed.bare_sample, &fuzzed.ours_sample);
    }
    if (status == 0 && fuzzed.task->seconds) {
        status = campaign(&fuzzed, result, error);
    }
    stage_close(fuzzed.stage);
    bare_close(fuzzed.bare);
    recording_free(fuzzed.recording);
    workload_close(&fuzzed.workload);
    return status;
}

int fuzzed_measure(const struct fuzzed_task *task, struct fuzzed_result *result,
                   struct error *error)
{
    return measure_in_child(work, task, result, sizeof(*result), NULL, error);
}
