/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "output.h"

#include <inttypes.h>
#include <string.h>

#include "abi/nae.h"
#include "machine/vcpu.h"

#ifndef SNPEMU_VERSION
#define SNPEMU_VERSION "unknown"
#endif

static double mips(uint64_t instructions, double ns)
{
    return ns > 0 ? (double)instructions / ns * 1e3 : 0;
}

static double per_second(double ns)
{
    return ns > 0 ? 1e9 / ns : 0;
}

static void table_part(FILE *file, const struct case_part *part)
{
    fprintf(file, " %8.1f %8.1f   ratio %4.2f  %4.2f  %4.2f |", per_second(part->ours_ns),
            per_second(part->bare_ns), part->ratio, part->hook_ratio, part->walk_ratio);
}

void output_table_start(FILE *file, const struct bench *bench)
{
    static const char part[] = "   runs/s     bare    ours/bare  hook  walk |";

    fprintf(file,
            "snpemu %s, Unicorn %s: to the end of percpu_init, CPU time, medians of %u runs\n"
            "\n"
            "%33s| %-43s| %-59s|\n"
            " cpus instructions      ms   MIPS |%s instr.     us |%s   peak\n",
            SNPEMU_VERSION, vcpu_engine_version(), bench->case_count ? bench->task[0].runs : 0, "",
            "from a fresh machine", "from a snapshot at the APIC ID list", part, part);
}

void output_table_row(FILE *file, const struct case_task *task, const struct case_result *result)
{
    fprintf(file, "%5" PRIu32 " %12" PRIu64 " %7.2f %6.0f |", task->cpus, result->instructions,
            result->fresh.ours_ns / 1e6, mips(result->instructions, result->run.ours_ns));
    table_part(file, &result->fresh);
    fprintf(file, " %6" PRIu64 " %6.1f |", result->snapshot_instructions,
            result->snapshot.ours_ns / 1e3);
    table_part(file, &result->snapshot);
    fprintf(file, " %5.1f MiB\n", (double)result->peak_kib / 1024);
    fflush(file);
}

void output_table_end(FILE *file, const struct bench *bench)
{
    fprintf(file, "\n"
                  "bare   runs a second of the CPU engine alone; ratio: our time to its time\n"
                  "hook   our time to that of the CPU engine with an empty block hook\n"
                  "walk   our time to our time without page walk, C-bit and RMP\n"
                  "MIPS   without opening and closing the machine\n");
    if (bench->command_measured) {
        fprintf(file, "\nsnpemu run IMAGE --cpus 4: %.3f s (%.3f s CPU time), %.1f MiB\n",
                bench->command.wall_ns / 1e9, bench->command.cpu_ns / 1e9,
                (double)bench->command.peak_kib / 1024);
    }
}

void output_boot_start(FILE *file, const struct bench *bench)
{
    const struct boot_task *task = &bench->boot_task[0];

    fprintf(
        file,
        "snpemu %s, Unicorn %s: boot with firmware to %s, medians of %u runs\n"
        "\n"
        "%48s| in this process, CPU time                      | the command, from a cold start\n"
        " cpus instructions  exits   traps switches  after |  open ms    run ms   MIPS   bare ms "
        " ours/bare  hook |  wall s   least     CPU      peak\n",
        SNPEMU_VERSION, vcpu_engine_version(), task->until, task->runs, "");
}

/* Of all instructions, those that come once the vCPU has been switched. */
static double after_switch(const struct boot_result *result)
{
    return result->instructions ? (double)(result->instructions - result->switch_instructions) *
                                      100 / (double)result->instructions
                                : 0;
}

void output_boot(FILE *file, const struct boot_task *task, const struct boot_result *result)
{
    fprintf(file,
            "%5" PRIu32 " %12" PRIu64 " %6" PRIu64 " %7" PRIu64 " %8" PRIu64
            " %4.1f %% | %8.2f %9.2f %6.0f %9.2f  ratio %4.2f %5.2f |",
            task->cpus, result->instructions, result->exits, result->traps, result->switches,
            after_switch(result), result->open_ns / 1e6, result->run_ns / 1e6,
            mips(result->instructions, result->run_ns), result->bare_ns / 1e6, result->ratio,
            result->hook_ratio);
    if (task->command) {
        fprintf(file, " %7.3f %7.3f %7.3f %5.1f MiB", result->cold_wall_ns / 1e9,
                result->cold_least_ns / 1e9, result->cold_cpu_ns / 1e9,
                (double)result->cold_peak_kib / 1024);
    }
    fprintf(file, "\n");
    fflush(file);
}

void output_boot_end(FILE *file)
{
    fprintf(file,
            "\n"
            "switches  to another vCPU or VMPL; after: share of instructions from the first\n"
            "          one on\n"
            "open      making the machine with its launch\n"
            "bare      the CPU engine alone repeats the same instructions, all of them: traps\n"
            "          and addresses come from a recording, a switch saves one context,\n"
            "          restores another, and flushes the TLB; without opening\n"
            "ours/bare our time without opening to its time\n"
            "hook      the same to the CPU engine with an empty block hook\n"
            "wall      snpemu run IMAGE --cpus N --until SYMBOL, from its start to its exit\n");
}

static void json_boots(FILE *file, const struct bench *bench)
{
    fprintf(file, ",\n  \"boots\": [\n");
    for (size_t i = 0; i < bench->boot_count; i++) {
        const struct boot_result *boot = &bench->boot[i];

        fprintf(file,
                "    {\n"
                "      \"cpus\": %" PRIu32 ", \"runs\": %u, \"instructions\": %" PRIu64
                ", \"exits\": %" PRIu64 ", \"traps\": %" PRIu64 ", \"switches\": %" PRIu64
                ",\n      \"switch_instructions\": %" PRIu64
                ", \"open_ns\": %.0f, \"run_ns\": %.0f, \"bare_ns\": %.0f,\n"
                "      \"ratio\": %.4f, \"hook_ratio\": %.4f",
                bench->boot_task[i].cpus, bench->boot_task[i].runs, boot->instructions, boot->exits,
                boot->traps, boot->switches, boot->switch_instructions, boot->open_ns, boot->run_ns,
                boot->bare_ns, boot->ratio, boot->hook_ratio);
        if (bench->boot_task[i].command) {
            fprintf(file,
                    ",\n      \"cold_wall_ns\": %.0f, \"cold_least_ns\": %.0f, "
                    "\"cold_cpu_ns\": %.0f, \"cold_peak_kib\": %ld",
                    boot->cold_wall_ns, boot->cold_least_ns, boot->cold_cpu_ns,
                    boot->cold_peak_kib);
        }
        fprintf(file, "\n    }%s\n", i + 1 < bench->boot_count ? "," : "");
    }
    fprintf(file, "  ]");
}

void output_costs(FILE *file, const struct bench *bench)
{
    fprintf(file, "\n");
    for (size_t i = 0; i < COST_COUNT; i++) {
        fprintf(file, "%10.0f ns  %s\n", bench->cost.ns[i], cost_words[i]);
    }
    fprintf(file, "               (%.0f guest instructions for one exit)\n",
            bench->cost.exit_instructions);
}

void output_traps(FILE *file, const struct bench *bench)
{
    const struct trap_result *trap = &bench->trap;

    fprintf(
        file,
        "\nTraps, without the guest's own instructions; x: to the bare engine's stop and start\n"
        "%10.0f ns       the bare engine\n",
        trap->floor_ns);
    for (size_t i = 0; i < trap_row_count; i++) {
        if (trap->ratio[i] == 0) {
            continue; /* not asked for */
        }
        fprintf(file, "%10.0f ns %4.1f  %s\n", trap->ns[i], trap->ratio[i], trap_rows[i].words);
        if (strcmp(trap_rows[i].name, TRAP_PAGE_STATE) == 0) {
            fprintf(file, "%10.0f ns       of that, one entry\n", trap->ns[i] / PSC_ENTRY_MAX);
        }
    }
}

void output_misses(FILE *file, const struct bench *bench)
{
    const struct miss_result *miss = &bench->miss;

    fprintf(file, "\nTLB misses; x: to the same with the page walk alone\n");
    for (unsigned i = 0; i < MISS_COUNT; i++) {
        if (i == MISS_CHECKED) {
            fprintf(file, "%10.0f ns %4.2f  a miss %s\n", miss->ns[i], miss->ratio, miss_words[i]);
        } else {
            fprintf(file, "%10.0f ns       a miss %s\n", miss->ns[i], miss_words[i]);
        }
    }
    fprintf(file,
            "%10.0f ns %4.2f  of it the translation %s\n"
            "%10.0f ns       of it the translation %s\n",
            miss->walk_ns[MISS_CHECKED], miss->walk_ratio, miss_words[MISS_CHECKED],
            miss->walk_ns[MISS_WALK], miss_words[MISS_WALK]);
}

void output_watched(FILE *file, const struct bench *bench)
{
    for (size_t i = 0; i < bench->watched_count; i++) {
        const struct watched_result *watched = &bench->watched[i];

        fprintf(file,
                "\nOracles, %" PRIu32 " CPUs: from a snapshot at the APIC ID list (%" PRIu64
                " instructions), and from launch\n"
                "%10s     %8s  %6s\n",
                bench->watched_task[i].cpus, watched->instructions, "us", "snapshot", "launch");
        for (unsigned kind = 0; kind < WATCHED_COUNT; kind++) {
            fprintf(file, "%10.1f  ratio %6.2f  ", watched->ns[kind] / 1e3, watched->ratio[kind]);
            if (kind < WATCHED_BARE) {
                fprintf(file, "%6.2f  ", watched->boot_ratio[kind]);
            } else {
                fprintf(file, "%6s  ", "");
            }
            fprintf(file, "%s\n", watched_words[kind]);
        }
    }
}

static void json_watched(FILE *file, const struct bench *bench)
{
    fprintf(file, ",\n  \"oracles\": [");
    for (size_t i = 0; i < bench->watched_count; i++) {
        const struct watched_result *watched = &bench->watched[i];

        fprintf(file, "%s\n    { \"cpus\": %" PRIu32 ", \"instructions\": %" PRIu64, i ? "," : "",
                bench->watched_task[i].cpus, watched->instructions);
        for (unsigned kind = 0; kind < WATCHED_COUNT; kind++) {
            fprintf(file, ",\n      \"%s\": { \"ns\": %.0f, \"ratio\": %.4f", watched_names[kind],
                    watched->ns[kind], watched->ratio[kind]);
            if (kind < WATCHED_BARE) {
                fprintf(file, ", \"launch_ratio\": %.4f", watched->boot_ratio[kind]);
            }
            fprintf(file, " }");
        }
        fprintf(file, " }");
    }
    fprintf(file, "\n  ]");
}

static void json_part(FILE *file, const char *name, const struct case_part *part)
{
    fprintf(file,
            "      \"%s\": { \"ours_ns\": %.0f, \"bare_ns\": %.0f, \"ratio\": %.4f, "
            "\"hook_ratio\": %.4f, \"walk_ratio\": %.4f }",
            name, part->ours_ns, part->bare_ns, part->ratio, part->hook_ratio, part->walk_ratio);
}

static void json_case(FILE *file, const struct case_task *task, const struct case_result *result)
{
    fprintf(file,
            "    {\n"
            "      \"cpus\": %" PRIu32 ", \"runs\": %u, \"instructions\": %" PRIu64
            ", \"exits\": %" PRIu64 ", \"traps\": %" PRIu64
            ",\n      \"snapshot_instructions\": %" PRIu64 ", \"mips\": %.1f, \"peak_kib\": %ld,\n",
            task->cpus, task->runs, result->instructions, result->exits, result->traps,
            result->snapshot_instructions, mips(result->instructions, result->run.ours_ns),
            result->peak_kib);
    json_part(file, "fresh", &result->fresh);
    fprintf(file, ",\n");
    json_part(file, "run", &result->run);
    fprintf(file, ",\n");
    json_part(file, "snapshot", &result->snapshot);
    fprintf(file, "\n    }");
}

static void json_steps(FILE *file, const struct bench *bench)
{
    fprintf(file, ",\n  \"cases\": [\n");
    for (size_t i = 0; i < bench->case_count; i++) {
        json_case(file, &bench->task[i], &bench->result[i]);
        fprintf(file, "%s\n", i + 1 < bench->case_count ? "," : "");
    }
    fprintf(file, "  ],\n  \"costs_ns\": {");
    for (size_t i = 0; i < COST_COUNT; i++) {
        fprintf(file, "%s \"%s\": %.0f", i ? "," : "", cost_names[i], bench->cost.ns[i]);
    }
    fprintf(file, " },\n  \"traps_ns\": { \"engine\": %.0f", bench->trap.floor_ns);
    for (size_t i = 0; i < trap_row_count; i++) {
        if (bench->trap.ratio[i] != 0) {
            fprintf(file, ", \"%s\": %.0f", trap_rows[i].name, bench->trap.ns[i]);
        }
    }
    fprintf(file, " },\n  \"misses_ns\": {");
    for (unsigned i = 0; i < MISS_COUNT; i++) {
        fprintf(file, "%s \"%s\": %.1f", i ? "," : "", miss_names[i], bench->miss.ns[i]);
    }
    fprintf(file, ", \"ratio\": %.3f, \"walk_ratio\": %.3f", bench->miss.ratio,
            bench->miss.walk_ratio);
    fprintf(file, " },\n  \"exit_instructions\": %.1f", bench->cost.exit_instructions);
    if (bench->command_measured) {
        fprintf(file,
                ",\n  \"command\": { \"wall_ns\": %.0f, \"cpu_ns\": %.0f, \"peak_kib\": %ld }",
                bench->command.wall_ns, bench->command.cpu_ns, bench->command.peak_kib);
    }
}

void output_json(FILE *file, const struct bench *bench)
{
    fprintf(file, "{\n  \"version\": %d,\n  \"snpemu\": \"%s\",\n  \"engine\": \"Unicorn %s\"",
            BENCH_JSON_VERSION, SNPEMU_VERSION, vcpu_engine_version());
    if (bench->boot_count > 0) {
        json_boots(file, bench);
    } else if (bench->fuzzed_count > 0) {
        json_fuzzed(file, bench);
    } else if (bench->only_watched) {
        json_watched(file, bench);
    } else {
        json_watched(file, bench);
        json_steps(file, bench);
    }
    fprintf(file, "\n}\n");
}
