/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands of `monitor`: one row each. They look, and change nothing. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "abi/ghcb.h"
#include "gdb/internal.h"
#include "ghcb/exit.h"
#include "ghcb/field.h"
#include "ghcb/hypervisor.h"

#define ARGUMENT_MAX 3
#define DUMP_MAX 4096
#define PERCPU_SHOWN 128

struct monitor {
    struct gdb *gdb;
    FILE *out;
    const char *argument[ARGUMENT_MAX + 1]; /* NULL after the last one */
};

static bool number_of(struct monitor *monitor, const char *text, uint64_t *number)
{
    char *end;

    errno = 0;
    *number = text ? strtoull(text, &end, 0) : 0;
    if (!text || errno || *end || end == text || *text == '-') {
        fprintf(monitor->out, "%s is no number; decimal, or hexadecimal with 0x\n",
                text ? text : "nothing");
        return false;
    }
    return true;
}

/* ---- where things are ---- */

/* The argument, or RIP of the chosen vCPU. */
static bool take_gva(struct monitor *monitor, struct gdb_cpu *cpu, uint64_t *gva)
{
    struct gdb *gdb = monitor->gdb;

    if (!gdb_cpu_take(gdb->run, gdb->general, cpu)) {
        fprintf(monitor->out, "vCPU %u has no registers\n", gdb->general);
        return false;
    }
    if (!monitor->argument[0]) {
        *gva = gdb_cpu_code_gva(cpu);
        return true;
    }
    return number_of(monitor, monitor->argument[0], gva);
}

static bool translate(struct monitor *monitor, uint64_t *gva, uint64_t *gpa)
{
    const struct machine *machine = run_machine(monitor->gdb->run);
    struct mmu_context context;
    struct gdb_cpu cpu;

    if (!take_gva(monitor, &cpu, gva)) {
        return false;
    }
    gdb_cpu_context(&cpu, &context);
    if (!mmu_peek_gpa(&machine->mmu, &context, *gva, gpa)) {
        fprintf(monitor->out, "gva 0x%" PRIx64 " is not mapped for vCPU %u\n", *gva, cpu.number);
        return false;
    }
    return true;
}

static void put_rmp(struct monitor *monitor, uint64_t gpa)
{
    const struct machine *machine = run_machine(monitor->gdb->run);
    const struct rmp_place place = mmu_place(&machine->mmu, gpa);
    static const struct {
        enum rmp_flag flag;
        const char *text;
    } flags[] = {{RMP_VALIDATED, "validated"},
                 {RMP_VMSA, "VMSA"},
                 {RMP_IMMUTABLE, "immutable"},
                 {RMP_LARGE, "2 MiB"},
                 {RMP_AWAY, "not at its own place"}};
    const struct rmp_entry *entry;

    if (place.page == MEMORY_NO_PAGE) {
        fprintf(monitor->out, "gpa 0x%" PRIx64 ": there is no memory\n", gpa);
        return;
    }
    entry = &machine->rmp.entry[place.page];
    fprintf(monitor->out, "gpa 0x%" PRIx64 ": %s", gpa,
            entry->flags & RMP_ASSIGNED ? "assigned" : "the hypervisor's, shared");
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        fprintf(monitor->out, "%s%s", entry->flags & flags[i].flag ? ", " : "",
                entry->flags & flags[i].flag ? flags[i].text : "");
    }
    for (unsigned vmpl = 0; (entry->flags & RMP_ASSIGNED) && vmpl < VMPL_COUNT; vmpl++) {
        uint8_t perm = entry->perm[vmpl];

        fprintf(monitor->out, "%sVMPL%u %c%c%c%c", vmpl == 0 ? "; " : " ", vmpl,
                perm & RMP_PERM_READ ? 'r' : '-', perm & RMP_PERM_WRITE ? 'w' : '-',
                perm & RMP_PERM_EXEC_USER ? 'u' : '-', perm & RMP_PERM_EXEC_SUPER ? 's' : '-');
    }
    if (place.page != place.guest_page) {
        fprintf(monitor->out, "; the host leads it to the page of gpa 0x%" PRIx64,
                memory_gpa(&machine->memory, place.page));
    }
    fputc('\n', monitor->out);
}

static void show_gpa(struct monitor *monitor)
{
    uint64_t gva, gpa;

    if (translate(monitor, &gva, &gpa)) {
        fprintf(monitor->out, "gva 0x%" PRIx64 " leads to gpa 0x%" PRIx64 "\n", gva, gpa);
    }
}

static void show_rmp(struct monitor *monitor)
{
    bool physical = monitor->argument[0] && strcmp(monitor->argument[0], "gpa") == 0;
    uint64_t gva, gpa;

    if (physical ? number_of(monitor, monitor->argument[1], &gpa)
                 : translate(monitor, &gva, &gpa)) {
        put_rmp(monitor, gpa);
    }
}

static void show_dump(struct monitor *monitor)
{
    const struct memory *memory = &run_machine(monitor->gdb->run)->memory;
    uint64_t gpa, size = 64;

    if (!number_of(monitor, monitor->argument[0], &gpa) ||
        (monitor->argument[1] && !number_of(monitor, monitor->argument[1], &size))) {
        return;
    }
    size = size < DUMP_MAX ? size : DUMP_MAX;
    for (uint64_t done = 0; done < size; done++) {
        uint32_t page = memory_page(memory, gpa + done);

        if (page == MEMORY_NO_PAGE || !(memory->flags[page] & MEMORY_TOUCHED)) {
            fprintf(monitor->out, "\ngpa 0x%" PRIx64 ": %s\n", gpa + done,
                    page == MEMORY_NO_PAGE ? "there is no memory" : "nobody has used it yet");
            return;
        }
        if (done % 16 == 0) {
            fprintf(monitor->out, "%s0x%010" PRIx64 ":", done ? "\n" : "", gpa + done);
        }
        fprintf(monitor->out, " %02x",
                memory->ram[((size_t)page << PAGE_SHIFT) + ((gpa + done) & PAGE_MASK)]);
    }
    fputc('\n', monitor->out);
}

/* ---- guest and hypervisor ---- */

static void show_ghcb(struct monitor *monitor)
{
    struct gdb *gdb = monitor->gdb;
    const struct memory *memory = &run_machine(gdb->run)->memory;
    const uint8_t *bytes;
    struct gdb_cpu cpu;
    uint32_t page;

    if (!gdb_cpu_take(gdb->run, gdb->general, &cpu)) {
        fprintf(monitor->out, "vCPU %u has no registers\n", gdb->general);
        return;
    }
    fprintf(monitor->out, "GHCB MSR 0x%" PRIx64 "\n", cpu.ghcb_msr);
    if (cpu.ghcb_msr & PAGE_MASK) {
        fputs("It holds a request or an answer of the MSR protocol, no page.\n", monitor->out);
        return;
    }
    page = memory_page(memory, cpu.ghcb_msr);
    if (page == MEMORY_NO_PAGE || !(memory->flags[page] & MEMORY_TOUCHED)) {
        fputs("There is no such page, or nobody has used it yet.\n", monitor->out);
        return;
    }
    bytes = memory->ram + ((size_t)page << PAGE_SHIFT);
    put_rmp(monitor, cpu.ghcb_msr);
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const struct ghcb_field_row *row = &ghcb_field_rows[i];
        size_t bit = row->offset / 8;

        fprintf(monitor->out, "%-8s 0x%016" PRIx64 "%s\n", row->name, ghcb_field_load(row, bytes),
                bytes[GHCB_VALID_BITMAP + bit / 8] >> bit % 8 & 1 ? "  marked valid" : "");
    }
}

static void show_exits(struct monitor *monitor)
{
    const struct gdb *gdb = monitor->gdb;
    const struct exit *exit = run_exit(gdb->run);
    uint64_t count = 20, first;

    if (monitor->argument[0] && !number_of(monitor, monitor->argument[0], &count)) {
        return;
    }
    count = count < GDB_EVENT_MAX ? count : GDB_EVENT_MAX;
    first = gdb->events > count ? gdb->events - count : 0;
    for (uint64_t i = first; i < gdb->events; i++) {
        const struct gdb_event *event = &gdb->event[i % GDB_EVENT_MAX];

        fprintf(monitor->out, "%12" PRIu64 "  vCPU %u VMPL%u  %s\n", event->retired, event->vcpu,
                event->vmpl, event->text);
    }
    if (exit) {
        fprintf(monitor->out,
                "The last exit was number %" PRIu64 ": %s, number %" PRIu64 " of its name\n",
                exit->number, exit->name, exit->nth);
    } else {
        fputs("There was no exit yet.\n", monitor->out);
    }
}

static void show_percpu(struct monitor *monitor)
{
    struct run_percpu *row = calloc(PERCPU_SHOWN, sizeof(*row));
    size_t count = row ? run_percpu_table(monitor->gdb->run, row, PERCPU_SHOWN) : 0;

    if (count == 0) {
        fputs("The guest has no per-CPU areas yet, or the image has no symbols PERCPU_VA and "
              "CPU_COUNT.\n",
              monitor->out);
    }
    for (size_t i = 0; i < count; i++) {
        fprintf(monitor->out,
                "CPU %u  APIC ID %u  area 0x%" PRIx64 "  GHCB 0x%" PRIx64
                "  VMSA of VMPL0 0x%" PRIx64 "  of VMPL1 0x%" PRIx64 "\n",
                row[i].index, row[i].apic_id, row[i].gva, row[i].ghcb, row[i].vmsa[0],
                row[i].vmsa[1]);
    }
    if (count == PERCPU_SHOWN) {
        fprintf(monitor->out, "(the first %d of %zu)\n", PERCPU_SHOWN,
                run_percpu_count(monitor->gdb->run));
    }
    free(row);
}

/* ---- the run ---- */

static void show_vcpus(struct monitor *monitor)
{
    struct gdb *gdb = monitor->gdb;
    const struct vcpus *vcpus = &run_hypervisor(gdb->run)->vcpus;

    for (uint32_t i = 0; i < vcpus->count; i++) {
        struct gdb_cpu cpu;
        const char *symbol;
        uint64_t gva;

        if (!gdb_cpu_take(gdb->run, i, &cpu)) {
            continue;
        }
        gva = gdb_cpu_code_gva(&cpu);
        symbol = cpu.vmpl == 0 ? image_symbol_at(gdb->options.image, gva, NULL) : NULL;
        fprintf(monitor->out,
                "%c vCPU %u (thread %u)  APIC ID %u  VMPL%u  %-8s  0x%" PRIx64 "%s%s\n",
                cpu.runs ? '*' : ' ', i, i + 1, vcpus->slot[i].apic_id, cpu.vmpl,
                gdb_cpu_activity(gdb->run, i), gva, symbol ? " in " : "", symbol ? symbol : "");
    }
}

static void show_time(struct monitor *monitor)
{
    const struct run_position now = run_position(monitor->gdb->run);
    const struct exit *exit = run_exit(monitor->gdb->run);

    fprintf(monitor->out,
            "%" PRIu64 " instructions retired, %" PRIu64 " stops of the processor, %" PRIu64
            " exits\n",
            now.retired, now.stops, exit ? exit->number : 0);
}

static void show_outcome(struct monitor *monitor)
{
    const struct outcome *outcome = run_outcome(monitor->gdb->run);
    char phrase[64];

    if (outcome->kind == OUTCOME_NONE) {
        fputs("The run is not over.\n", monitor->out);
        return;
    }
    outcome_phrase(outcome, phrase, sizeof(phrase));
    fprintf(monitor->out, "outcome  %s%s%s\nverdict  %s\n", phrase, outcome->detail[0] ? ": " : "",
            outcome->detail, verdict_name(outcome_verdict(outcome)));
    if (outcome->panic[0]) {
        fprintf(monitor->out, "panic    %s\n", outcome->panic);
    }
}

static void show_console(struct monitor *monitor)
{
    for (const char *c = run_console(monitor->gdb->run); *c; c++) {
        fputc(*c == '\n' || *c == '\t' || (*c >= ' ' && *c < 0x7F) ? *c : '?', monitor->out);
    }
}

static void show_digest(struct monitor *monitor)
{
    uint8_t digest[RUN_DIGEST_SIZE];
    struct error error;

    if (run_digest(monitor->gdb->run, digest, &error) != 0) {
        fprintf(monitor->out, "%s\n", error.text);
        return;
    }
    for (size_t i = 0; i < sizeof(digest); i++) {
        fprintf(monitor->out, "%02x", digest[i]);
    }
    fputc('\n', monitor->out);
}

static void show_help(struct monitor *monitor);

static const struct {
    const char *name, *arguments, *does;
    void (*show)(struct monitor *monitor);
} rows[] = {
    {"help", "", "this list", show_help},
    {"gpa", "[GVA]", "the guest physical address that a virtual one leads to", show_gpa},
    {"rmp", "[GVA] | gpa GPA", "the RMP entry of a page: owner, state, what each VMPL may",
     show_rmp},
    {"xp", "GPA [BYTES]", "memory at a guest physical address", show_dump},
    {"ghcb", "", "the GHCB MSR of the chosen vCPU, and the fields of its GHCB", show_ghcb},
    {"exits", "[N]", "the last N events (20)", show_exits},
    {"percpu", "", "the guest's per-CPU areas", show_percpu},
    {"vcpus", "", "all vCPUs: VMPL, what they do, where they are", show_vcpus},
    {"time", "", "virtual time: instructions that have retired", show_time},
    {"outcome", "", "how the run ended, when it has", show_outcome},
    {"console", "", "what the guest has written to its console", show_console},
    {"digest", "", "SHA-256 of the whole state", show_digest},
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static void show_help(struct monitor *monitor)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        fprintf(monitor->out, "monitor %-8s%-18s%s\n", rows[i].name, rows[i].arguments,
                rows[i].does);
    }
    fputs("Without an address it is that of the chosen vCPU's next instruction.\n", monitor->out);
}

void gdb_monitor(struct gdb *gdb, const char *line, FILE *out)
{
    struct monitor monitor = {.gdb = gdb, .out = out};
    char *words = strdup(line), *rest = NULL;
    const char *name = words ? strtok_r(words, " \t", &rest) : NULL;
    size_t row = 0;

    for (size_t i = 0; name && i < ARGUMENT_MAX; i++) {
        monitor.argument[i] = strtok_r(NULL, " \t", &rest);
    }
    while (name && row < ROW_COUNT && strcmp(rows[row].name, name) != 0) {
        row++;
    }
    if (!name) {
        show_help(&monitor);
    } else if (row == ROW_COUNT) {
        fprintf(out, "There is no command %s; see 'monitor help'.\n", name);
    } else {
        rows[row].show(&monitor);
    }
    free(words);
}
