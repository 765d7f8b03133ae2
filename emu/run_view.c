/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "abi/svsm.h"
#include "machine/digest.h"
#include "run_internal.h"

const struct image *run_program(const struct run *run)
{
    const struct firmware *firmware = run->options.firmware;

    if (vcpu_vmpl(run->machine.vcpu) == 0) {
        return run->image;
    }
    return firmware ? firmware->program : NULL;
}

const char *run_symbol(void *context, uint64_t gva)
{
    const struct image *program = run_program(context);

    return program ? image_symbol_at(program, gva, NULL) : NULL;
}

void run_place_of(void *context, uint64_t gva, struct image_place *place)
{
    image_place_at(run_program(context), gva, place);
}

void run_place(const struct run *run, uint64_t gva, struct image_place *place)
{
    image_place_line(run_program(run), gva, place);
}

void run_place_svsm(const struct run *run, uint64_t gva, struct image_place *place)
{
    image_place_at(run->image, gva, place);
}

bool run_peek(struct run *run, uint64_t gva, void *bytes, size_t size)
{
    struct mmu_context context;

    machine_launch_context(&run->machine, &context);
    return mmu_peek(&run->machine.mmu, &context, gva, bytes, size) == size;
}

/* The panic text of a guest that has one. */
void run_read_panic(struct run *run)
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

/* ---- looking at the result ---- */

int run_digest(struct run *run, uint8_t digest[RUN_DIGEST_SIZE], struct error *error)
{
    const struct psp_state psp = psp_get_state(run->psp);
    const struct vcpus *vcpus = &run->hypervisor.vcpus;
    size_t size = sizeof(run->state.exits);
    uint8_t *extra = malloc(size + sizeof(psp) + HYPERVISOR_STATE_SIZE + vcpus_bytes_size(vcpus));
    int status;

    if (!extra) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for a digest");
    }
    memcpy(extra, &run->state.exits, size);
    memcpy(extra + size, &psp, sizeof(psp));
    size += sizeof(psp);
    size += hypervisor_state_bytes(&run->hypervisor.state, extra + size);
    vcpus_bytes(vcpus, extra + size);
    size += vcpus_bytes_size(vcpus);
    status = digest_machine(&run->machine, extra, size, digest, error);
    free(extra);
    return status;
}

bool run_script_acted(const struct run *run)
{
    return run->state.script_acted;
}

uint64_t run_instructions(const struct run *run)
{
    return vcpu_retired(run->machine.vcpu);
}

struct run_position run_position(const struct run *run)
{
    return (struct run_position){vcpu_retired(run->machine.vcpu), run->state.stops};
}

int run_position_compare(struct run_position a, struct run_position b)
{
    return a.retired != b.retired ? (a.retired < b.retired ? -1 : 1)
                                  : (a.stops > b.stops) - (a.stops < b.stops);
}

struct machine *run_machine(struct run *run)
{
    return &run->machine;
}

struct hypervisor *run_hypervisor(struct run *run)
{
    return &run->hypervisor;
}

const struct outcome *run_outcome(const struct run *run)
{
    return &run->outcome;
}

const struct exit *run_exit(const struct run *run)
{
    return run->state.exits > 0 ? &run->exit : NULL;
}

const char *run_last_exit(const struct run *run)
{
    return run->state.exits > 0 ? run->exit.name : NULL;
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

static bool run_read_state(void *context, const struct expect_state *state, uint64_t *value)
{
    struct run *run = context;

    return run_read_symbol(run, state->symbol, state->offset, state->size_bytes, value);
}

bool run_expected(struct run *run, char *why, size_t size)
{
    return expect_check(&run->scenario->expect, &run->outcome, outcome_verdict(&run->outcome),
                        run->console, run_read_state, run, why, size);
}

#define PERCPU_AT_ONCE (PAGE_SIZE / PERCPU_STRIDE)

static void percpu_row(const uint8_t *area, uint64_t gva, struct run_percpu *row)
{
    *row = (struct run_percpu){.gva = gva};
    memcpy(&row->index, area + PERCPU_CPU_ID, sizeof(row->index));
    memcpy(&row->apic_id, area + PERCPU_APIC_ID, sizeof(row->apic_id));
    memcpy(&row->ghcb, area + PERCPU_GHCB, sizeof(row->ghcb));
    memcpy(row->vmsa, area + PERCPU_VMSA, sizeof(row->vmsa));
    memcpy(row->caa, area + PERCPU_CAA, sizeof(row->caa));
    memcpy(&row->tss, area + PERCPU_TSS, sizeof(row->tss));
}

/* Looked for once: a name is looked for among all symbols. */
static void percpu_find(struct run *run)
{
    struct run_percpu_symbols *symbols = &run->percpu;

    if (!symbols->asked) {
        symbols->asked = true;
        symbols->known = image_symbol_find(run->image, "PERCPU_VA", &symbols->va_gva, NULL) &&
                         image_symbol_find(run->image, "CPU_COUNT", &symbols->count_gva, NULL);
    }
}

/* Where the table is; 0: nowhere yet. */
static uint64_t percpu_base(struct run *run)
{
    uint64_t base;

    percpu_find(run);
    return run->percpu.known && run_peek(run, run->percpu.va_gva, &base, sizeof(base)) ? base : 0;
}

size_t run_percpu_count(struct run *run)
{
    uint64_t count;

    if (percpu_base(run) == 0 || !run_peek(run, run->percpu.count_gva, &count, sizeof(count))) {
        return 0;
    }
    return count < HYPERVISOR_CPU_MAX ? (size_t)count : HYPERVISOR_CPU_MAX;
}

size_t run_percpu_table(struct run *run, struct run_percpu *row, size_t max)
{
    size_t count = run_percpu_count(run), rows = 0;
    uint64_t base = percpu_base(run);

    count = count < max ? count : max;
    while (rows < count) {
        uint8_t area[PERCPU_AT_ONCE * PERCPU_STRIDE];
        uint64_t gva = base + rows * PERCPU_STRIDE;
        size_t some = count - rows < PERCPU_AT_ONCE ? count - rows : PERCPU_AT_ONCE;

        if (!run_peek(run, gva, area, some * PERCPU_STRIDE)) {
            break;
        }
        for (size_t i = 0; i < some; i++, rows++) {
            percpu_row(area + i * PERCPU_STRIDE, gva + i * PERCPU_STRIDE, &row[rows]);
        }
    }
    return rows;
}
