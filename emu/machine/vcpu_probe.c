/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A debugger's breakpoints and watchpoints: hooks that note and, when asked to, stop. With a hook
 * on it the engine spoils the flags of an instruction that faults, so each probe of code keeps what
 * they were.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "abi/x86.h"
#include "machine/vcpu_engine.h"

#define PROBE_REACH 63 /* a wide access that begins so far before a place may reach into it */

static void probe_on_code(uc_engine *uc, uint64_t gva, uint32_t size, void *opaque)
{
    const struct vcpu_point *probe = opaque;
    struct vcpu *vcpu = probe->vcpu;
    struct vcpu_probed probed = {.code_gva = gva};

    (void)size;
    if (vcpu->in_stub) {
        return;
    }
    probed.retired = vcpu_retired_at(vcpu, gva);
    if (probed.retired >= vcpu->probes_until) {
        return; /* the limit comes first: another vCPU may be next */
    }
    vcpu->probed_gva = gva;
    vcpu->probed_at = probed.retired;
    vcpu->probed_rflags = vcpu_get(vcpu, VCPU_RFLAGS);
    /* A trap site that is passed was shown when it trapped. */
    if ((gva != vcpu->pass_gva || probed.retired != vcpu->pass_at) &&
        probe->callback(probe->context, &probed)) {
        vcpu->stop.kind = VCPU_STOP_PROBE;
        uc_emu_stop(uc);
    }
}

void vcpu_probe_mend(struct vcpu *vcpu, uint64_t gva)
{
    if (vcpu->probed_gva == gva && vcpu->probed_at == vcpu_retired(vcpu)) {
        vcpu_set(vcpu, VCPU_RFLAGS, vcpu->probed_rflags);
    }
}

bool vcpu_probe_stops(struct vcpu *vcpu, uint64_t gva)
{
    struct vcpu_probed probed = {.code_gva = gva, .retired = vcpu_retired(vcpu)};
    bool stops = false;

    for (size_t i = 0; i < VCPU_PROBE_MAX; i++) {
        const struct vcpu_point *probe = &vcpu->probe[i];

        if (probe->used && probe->kind == VCPU_PROBE_CODE && probe->start == gva) {
            stops = probe->callback(probe->context, &probed) || stops;
        }
    }
    return stops;
}

/* What a store of up to eight bytes leaves as it was. A wider one is taken for a change. */
static bool probe_unchanged(const struct vcpu_point *probe, uint64_t address, int size,
                            int64_t value)
{
    return size <= (int)sizeof(value) &&
           memcmp(probe->vcpu->memory->ram + address, &value, (size_t)size) == 0;
}

static void probe_on_memory(uc_engine *uc, uc_mem_type type, uint64_t address, int size,
                            int64_t value, void *opaque)
{
    const struct vcpu_point *probe = opaque;
    struct vcpu *vcpu = probe->vcpu;
    struct vcpu_probed probed = {.write = type == UC_MEM_WRITE};

    (void)uc;
    if (address + (unsigned)size <= probe->start || address >= probe->start + probe->size_bytes ||
        (probe->kind == VCPU_PROBE_CHANGE && probe_unchanged(probe, address, size, value))) {
        return;
    }
    probed.code_gva = vcpu_code_gva(vcpu);
    probed.retired = vcpu_retired_at(vcpu, probed.code_gva);
    if (probe->callback(probe->context, &probed)) {
        vcpu->probe_due = true;
        vcpu_limit_hold(vcpu);
    }
}

/* Hooks are compiled into blocks; whether an observed page is memory goes by those on memory. */
static void probe_changed(struct vcpu *vcpu)
{
    engine_flush_blocks(vcpu->uc);
    vcpu_flush(vcpu);
}

/*
 * The engine looks where the code of a hook is that goes. That is no access of the guest's: nothing
 * may come of it, and the translation is forgotten right after.
 */
bool vcpu_probe_fill(struct vcpu *vcpu, uint64_t gva, uc_tlb_entry *entry)
{
    struct mmu_context context;
    uint32_t page = MEMORY_NO_PAGE;
    uint64_t gpa;

    vcpu_mmu_context(vcpu, &context);
    if (mmu_peek_gpa(&vcpu->mmu, &context, gva, &gpa)) {
        page = memory_page(vcpu->memory, gpa);
    }
    entry->paddr = (uint64_t)(page == MEMORY_NO_PAGE ? 0 : page) << PAGE_SHIFT;
    entry->perms = UC_PROT_READ | UC_PROT_EXEC;
    return true;
}

static struct vcpu_point *probe_new(struct vcpu *vcpu, size_t *number, struct error *error)
{
    size_t i = 0;

    if (!vcpu->probe) {
        vcpu->probe = calloc(VCPU_PROBE_MAX, sizeof(*vcpu->probe));
    }
    while (vcpu->probe && i < VCPU_PROBE_MAX && vcpu->probe[i].used) {
        i++;
    }
    if (!vcpu->probe || i == VCPU_PROBE_MAX) {
        error_set(error, SNPEMU_ERR_INPUT, "more than %d breakpoints and watchpoints at a time",
                  VCPU_PROBE_MAX);
        return NULL;
    }
    *number = i;
    return &vcpu->probe[i];
}

static int probe_arm(struct vcpu_point *probe, int type, void *callback, uint64_t first,
                     uint64_t last, struct error *error)
{
    if (uc_hook_add(probe->vcpu->uc, &probe->hook, type, callback, probe, first, last)) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "the CPU engine refuses a breakpoint");
    }
    probe->used = true;
    probe->vcpu->probe_count++;
    probe_changed(probe->vcpu);
    return 0;
}

int vcpu_probe_code(struct vcpu *vcpu, uint64_t gva, vcpu_probe *callback, void *context,
                    size_t *number, struct error *error)
{
    struct vcpu_point *probe = probe_new(vcpu, number, error);

    if (!probe) {
        return SNPEMU_ERR_INPUT;
    }
    *probe = (struct vcpu_point){
        .kind = VCPU_PROBE_CODE,
        .start = gva,
        .callback = callback,
        .context = context,
        .vcpu = vcpu,
    };
    return probe_arm(probe, UC_HOOK_CODE, (void *)probe_on_code, gva, gva, error);
}

int vcpu_probe_memory(struct vcpu *vcpu, enum vcpu_probe_kind kind, uint32_t page, uint32_t offset,
                      uint32_t size_bytes, vcpu_probe *callback, void *context, size_t *number,
                      struct error *error)
{
    static const int types[] = {
        [VCPU_PROBE_CHANGE] = UC_HOOK_MEM_WRITE,
        [VCPU_PROBE_WRITE] = UC_HOOK_MEM_WRITE,
        [VCPU_PROBE_READ] = UC_HOOK_MEM_READ,
        [VCPU_PROBE_ACCESS] = UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE,
    };
    uint64_t start = ((uint64_t)page << PAGE_SHIFT) + offset;
    struct vcpu_point *probe = probe_new(vcpu, number, error);

    assert(kind != VCPU_PROBE_CODE && page < vcpu->memory->page_count &&
           offset + size_bytes <= PAGE_SIZE && size_bytes > 0);
    if (!probe) {
        return SNPEMU_ERR_INPUT;
    }
    *probe = (struct vcpu_point){
        .kind = kind,
        .start = start,
        .size_bytes = size_bytes,
        .callback = callback,
        .context = context,
        .vcpu = vcpu,
    };
    return probe_arm(probe, types[kind], (void *)probe_on_memory,
                     start < PROBE_REACH ? 0 : start - PROBE_REACH, start + size_bytes - 1, error);
}

void vcpu_probe_drop(struct vcpu *vcpu, size_t number)
{
    struct vcpu_point *probe = &vcpu->probe[number];

    assert(number < VCPU_PROBE_MAX && probe->used);
    vcpu->quiet = true;
    uc_hook_del(vcpu->uc, probe->hook);
    vcpu->quiet = false;
    probe->used = false;
    vcpu->probe_count--;
    probe_changed(vcpu);
}
