/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "abi/svsm.h"
#include "machine/digest.h"
#include "run_internal.h"

const char *run_symbol(void *context, uint64_t gva)
{
    const struct run *run = context;
    const struct firmware *firmware = run->options.firmware;

    if (vcpu_vmpl(run->machine.vcpu) == 0) {
        return image_symbol_at(run->image, gva, NULL);
    }
    return firmware && firmware->program ? image_symbol_at(firmware->program, gva, NULL) : NULL;
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
        uint8_t area[PERCPU_SIZE];
        struct run_percpu *at = &row[rows];

        *at = (struct run_percpu){.gva = base + rows * PERCPU_STRIDE};
        if (!run_peek(run, at->gva, area, sizeof(area))) {
            break;
        }
        memcpy(&at->index, area + PERCPU_CPU_ID, sizeof(at->index));
        memcpy(&at->apic_id, area + PERCPU_APIC_ID, sizeof(at->apic_id));
        memcpy(&at->ghcb, area + PERCPU_GHCB, sizeof(at->ghcb));
        memcpy(at->vmsa, area + PERCPU_VMSA, sizeof(at->vmsa));
        memcpy(at->caa, area + PERCPU_CAA, sizeof(at->caa));
        memcpy(&at->tss, area + PERCPU_TSS, sizeof(at->tss));
        rows++;
    }
    return rows;
}
