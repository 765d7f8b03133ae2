/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "machine/vcpu.h"
#include "output.h"

#ifndef SNPEMU_VERSION
#define SNPEMU_VERSION "unknown"
#endif

#define MODEL_MAX 128

/* Of the processor; "unknown". */
static void model_name(char model[MODEL_MAX])
{
    FILE *file = fopen("/proc/cpuinfo", "re");
    char line[256];

    snprintf(model, MODEL_MAX, "unknown");
    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':')) {
            const char *name = strchr(line, ':') + 1;

            name += strspn(name, " \t");
            snprintf(model, MODEL_MAX, "%.*s", (int)strcspn(name, "\n\"\\"), name);
            break;
        }
    }
    if (file) {
        fclose(file);
    }
}

static double per_second(double ns)
{
    return ns > 0 ? 1e9 / ns : 0;
}

static void output_campaign(FILE *file, const struct fuzzed_task *task,
                            const struct fuzzed_result *result)
{
    const double played = result->played ? (double)result->played : 1;
    const uint64_t *outcome = result->outcome;

    fprintf(file,
            "\n"
            "A campaign of %u s, %" PRIu32 " CPUs, random inputs: %" PRIu64
            " runs, %.0f runs/s of CPU time, %.0f ns a run\n",
            task->seconds, task->cpus, result->played, per_second(result->play_ns),
            result->play_ns);
    for (int kind = 0; kind < OUTCOME_KIND_COUNT; kind++) {
        if (outcome[kind]) {
            fprintf(file, "%9.4f %%  %s\n", 100 * (double)outcome[kind] / played,
                    outcome_name((enum outcome_kind)kind));
        }
    }
    fprintf(file,
            "%9.4f %%  of all: something for an exact run to look at\n"
            "hang budget: the honest run's instructions and %" PRIu64 ", exits and %" PRIu64 "\n"
            "resident: %ld KiB after the first runs, %ld KiB at the end\n",
            100 * (double)result->suspected / played, result->hang_instructions, result->hang_exits,
            result->start_kib, result->end_kib);
}

void output_fuzzed(FILE *file, const struct bench *bench)
{
    char model[MODEL_MAX];

    model_name(model);
    fprintf(
        file,
        "snpemu %s, Unicorn %s, %s\n"
        "\n"
        "The honest answer from a snapshot at the APIC ID list to the end of percpu_init, edges\n"
        "and cheap oracles on; CPU time, medians of %u rounds\n"
        "  cpus   instr.    ns/run   runs/s  ns/instr. |  bare ns  bare runs/s | to bare\n",
        SNPEMU_VERSION, vcpu_engine_version(), model, bench->fuzzed_task[0].runs);
    for (size_t i = 0; i < bench->fuzzed_count; i++) {
        const struct fuzzed_result *result = &bench->fuzzed[i];

        fprintf(file, "%6" PRIu32 " %8" PRIu64 " %9.0f %8.0f %10.2f | %8.0f %12.0f | ratio %4.2f\n",
                bench->fuzzed_task[i].cpus, result->instructions, result->ours_ns,
                per_second(result->ours_ns), result->ours_ns / (double)result->instructions,
                result->bare_ns, per_second(result->bare_ns), result->ratio);
    }
    for (size_t i = 0; i < bench->fuzzed_count; i++) {
        if (bench->fuzzed[i].played) {
            output_campaign(file, &bench->fuzzed_task[i], &bench->fuzzed[i]);
        }
    }
}

static void json_campaign(FILE *file, const struct fuzzed_task *task,
                          const struct fuzzed_result *result)
{
    fprintf(file,
            ",\n      \"campaign\": { \"seconds\": %u, \"runs\": %" PRIu64
            ", \"ns\": %.0f, \"suspected\": %" PRIu64 ",\n        \"hang_instructions\": %" PRIu64
            ", \"hang_exits\": %" PRIu64
            ", \"start_kib\": %ld, \"end_kib\": %ld,\n        \"outcomes\": {",
            task->seconds, result->played, result->play_ns, result->suspected,
            result->hang_instructions, result->hang_exits, result->start_kib, result->end_kib);
    for (int kind = OUTCOME_NONE + 1; kind < OUTCOME_KIND_COUNT; kind++) {
        fprintf(file, "%s \"%s\": %" PRIu64, kind == OUTCOME_NONE + 1 ? "" : ",",
                outcome_name((enum outcome_kind)kind), result->outcome[kind]);
    }
    fprintf(file, " } }");
}

void json_fuzzed(FILE *file, const struct bench *bench)
{
    char model[MODEL_MAX];

    model_name(model);
    fprintf(file, ",\n  \"cpu\": \"%s\",\n  \"fuzz\": [", model);
    for (size_t i = 0; i < bench->fuzzed_count; i++) {
        const struct fuzzed_task *task = &bench->fuzzed_task[i];
        const struct fuzzed_result *result = &bench->fuzzed[i];

        fprintf(file,
                "%s\n    { \"cpus\": %" PRIu32 ", \"rounds\": %u, \"instructions\": %" PRIu64
                ",\n      \"ours_ns\": %.0f, \"bare_ns\": %.0f, \"ratio\": %.4f",
                i ? "," : "", task->cpus, task->runs, result->instructions, result->ours_ns,
                result->bare_ns, result->ratio);
        if (result->played) {
            json_campaign(file, task, result);
        }
        fprintf(file, " }");
    }
    fprintf(file, "\n  ]");
}
