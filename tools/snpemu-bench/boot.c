/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "boot.h"

#include <inttypes.h>
#include <stdio.h>

#include "bare.h"
#include "measure.h"
#include "ours.h"
#include "recording.h"

enum kind {
    KIND_OURS,
    KIND_BARE,
    KIND_HOOKED, /* the bare engine with an empty block hook */
    KIND_COUNT,
};

struct boot {
    const struct boot_task *task;
    struct workload workload;
    struct recording *recording;
    struct sample open, run[KIND_COUNT];
};

static int check_ours(const struct boot *boot, const struct outcome *outcome, struct error *error)
{
    const struct recording *recording = boot->recording;

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

static int once_ours(struct boot *boot, double *open_ns, double *run_ns, struct error *error)
{
    double start = measure_cpu_ns(), opened;
    struct ours ours;
    int status = ours_open(&ours, &boot->workload, boot->task->until, true, error);

    opened = measure_cpu_ns();
    if (status == 0) {
        status = ours_run(&ours, OUTCOME_REACHED, error);
    }
    *run_ns = measure_cpu_ns() - opened;
    *open_ns = opened - start;
    if (status == 0) {
        status = check_ours(boot, &ours.outcome, error);
    }
    ours_close(&ours);
    return status;
}

static int once_bare(struct boot *boot, bool block_hook, double *run_ns, struct error *error)
{
    struct bare *bare = NULL;
    int status =
        bare_open(&bare, boot->recording, block_hook ? BARE_HOOK_BLOCK : BARE_HOOK_NONE, error);
    double start = measure_cpu_ns();

    if (status == 0) {
        status = bare_run(bare, UINT64_MAX, error);
    }
    *run_ns = measure_cpu_ns() - start;
    if (status == 0) {
        status = bare_check(bare, error);
    }
    bare_close(bare);
    return status;
}

/* One of each kind; every second round the other way around. */
static int boot_round(struct boot *boot, unsigned round, struct error *error)
{
    int status = 0;

    for (unsigned i = 0; status == 0 && i < KIND_COUNT; i++) {
        enum kind kind = round % 2 ? KIND_COUNT - 1 - i : i;
        double open_ns = 0, run_ns;

        status = kind == KIND_OURS ? once_ours(boot, &open_ns, &run_ns, error)
                                   : once_bare(boot, kind == KIND_HOOKED, &run_ns, error);
        sample_add(&boot->run[kind], run_ns);
        if (kind == KIND_OURS) {
            sample_add(&boot->open, open_ns);
        }
    }
    return status;
}

static int boot_record(struct boot *boot, struct error *error)
{
    const struct subject *subject = &boot->workload.subject;
    uint64_t counted;
    int status = recording_make(&boot->recording, subject->scenario, subject->image,
                                subject->firmware, boot->task->until, error);

    if (status == 0) {
        status = bare_count(boot->recording, &counted, error);
    }
    if (status == 0 && counted != boot->recording->instructions) {
        status = error_set(error, SNPEMU_ERR_INTERNAL,
                           "the emulator counts %" PRIu64 " instructions, the bare engine %" PRIu64,
                           boot->recording->instructions, counted);
    }
    return status;
}

static void boot_fill_in(const struct boot *boot, struct boot_result *result)
{
    const struct recording *recording = boot->recording;

    result->instructions = recording->instructions;
    result->exits = recording->exits;
    result->traps = recording->trap_count;
    result->switch_instructions = recording->instructions;
    for (size_t i = 0; i < recording->trap_count; i++) {
        if (recording->trap[i].context != RECORDING_NO_CONTEXT && result->switches++ == 0) {
            result->switch_instructions = recording->trap[i].instructions;
        }
    }
    result->open_ns = sample_median(&boot->open);
    result->run_ns = sample_median(&boot->run[KIND_OURS]);
    result->bare_ns = sample_median(&boot->run[KIND_BARE]);
    result->ratio = sample_ratio(&boot->run[KIND_OURS], &boot->run[KIND_BARE]);
    result->hook_ratio = sample_ratio(&boot->run[KIND_OURS], &boot->run[KIND_HOOKED]);
}

static int boot_work(const void *opaque, void *out, struct error *error)
{
    static struct boot boot; /* too large for the stack; one child measures one boot */
    int status;

    boot.task = opaque;
    status = workload_open(&boot.workload, boot.task->image, boot.task->cpus, NULL, error);
    if (status == 0) {
        status = boot_record(&boot, error);
    }
    for (unsigned round = 0; status == 0 && round < boot.task->runs; round++) {
        status = boot_round(&boot, round, error);
    }
    if (status == 0) {
        boot_fill_in(&boot, out);
    }
    recording_free(boot.recording);
    workload_close(&boot.workload);
    return status;
}

/* The command as a user types it, in a process of its own each time. */
static int boot_cold(const struct boot_task *task, struct boot_result *result, struct error *error)
{
    static struct sample wall, cpu;
    char cpus[16], command[4096], image[4096], until[256];
    char *argv[] = {command, "run", image, "--cpus", cpus, "--until", until, NULL};

    snprintf(cpus, sizeof(cpus), "%" PRIu32, task->cpus);
    snprintf(command, sizeof(command), "%s", task->command);
    snprintf(image, sizeof(image), "%s", task->image);
    snprintf(until, sizeof(until), "%s", task->until);
    wall.count = cpu.count = 0;
    for (unsigned i = 0; i < task->runs; i++) {
        struct command_cost cost;
        int status = measure_command(argv, &cost, error);

        if (status != 0) {
            return status;
        }
        sample_add(&wall, cost.wall_ns);
        sample_add(&cpu, cost.cpu_ns);
        if (i == 0 || cost.wall_ns < result->cold_least_ns) {
            result->cold_least_ns = cost.wall_ns;
        }
        if (cost.peak_kib > result->cold_peak_kib) {
            result->cold_peak_kib = cost.peak_kib;
        }
    }
    result->cold_wall_ns = sample_median(&wall);
    result->cold_cpu_ns = sample_median(&cpu);
    return 0;
}

int boot_measure(const struct boot_task *task, struct boot_result *result, struct error *error)
{
    int status = measure_in_child(boot_work, task, result, sizeof(*result), NULL, error);

    return status == 0 && task->command ? boot_cold(task, result, error) : status;
}
