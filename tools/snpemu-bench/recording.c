/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "recorder.h"

#include <stdlib.h>
#include <string.h>

#include "abi/msr.h"
#include "machine/vcpu_engine.h"
#include "trap/msr.h"

#define TRAP_MAX 1000000u

/* ---- registers ---- */

static void registers_read(const struct recorder *recorder, struct recording_registers *registers)
{
    const struct vcpu *vcpu = recorder->run->machine.vcpu;
    const struct recording *out = recorder->out;

    for (unsigned i = 0; i < VCPU_REGISTER_COUNT; i++) {
        registers->reg[i] = vcpu_get(vcpu, i);
    }
    for (unsigned i = 0; i < VCPU_TABLE_COUNT; i++) {
        vcpu_get_table(vcpu, i, &registers->table[i]);
    }
    for (size_t i = 0; i < out->msr_count; i++) {
        registers->msr[i] = vcpu_get_msr(vcpu, out->msr_index[i]);
    }
}

static bool add_set(struct recording *out, bool is_msr, uint32_t index, uint64_t value)
{
    if (!GROW(out, set, set_capacity, set_count, 1)) {
        return false;
    }
    out->set[out->set_count++] = (struct recording_set){is_msr, index, value};
    return true;
}

static bool record_registers(struct recorder *recorder, const struct recording_registers *before)
{
    struct recording *out = recorder->out;
    struct recording_registers after;
    bool done = true;

    registers_read(recorder, &after);
    for (uint32_t i = 0; done && i < VCPU_REGISTER_COUNT; i++) {
        done = before->reg[i] == after.reg[i] || add_set(out, false, i, after.reg[i]);
    }
    for (size_t i = 0; done && i < out->msr_count; i++) {
        done =
            before->msr[i] == after.msr[i] || add_set(out, true, out->msr_index[i], after.msr[i]);
    }
    return done;
}

/* Engine-kept MSRs; the bases of FS and GS are registers already. */
static void choose_msrs(struct recording *out)
{
    for (size_t i = 0; i < msr_row_count && out->msr_count < RECORDING_MSR_MAX; i++) {
        if ((msr_rows[i].flags & MSR_ENGINE) && msr_rows[i].index != MSR_FS_BASE &&
            msr_rows[i].index != MSR_GS_BASE) {
            out->msr_index[out->msr_count++] = msr_rows[i].index;
        }
    }
}

/* ---- where addresses lead ---- */

static void note_root(struct recorder *recorder, uint64_t cr3)
{
    for (size_t i = recorder->root_count; i > 0; i--) {
        if (recorder->root[i - 1] == cr3) {
            return;
        }
    }
    if (recorder->root_count == ROOT_MAX) {
        recorder->failure = "too many roots of page tables";
        return;
    }
    recorder->root[recorder->root_count++] = cr3;
}

/* In place of the emulator's own translation, which it calls. */
static bool record_translate(void *opaque, uint64_t gva, enum mmu_access access,
                             struct mmu_translation *place)
{
    struct recorder *recorder = opaque;
    struct vcpu *vcpu = recorder->run->machine.vcpu;
    uint64_t linear = gva;
    struct mmu_context context;

    vcpu_mmu_context(vcpu, &context);
    if (access == MMU_FETCH && vcpu_code_bits(vcpu) != 64) {
        linear &= UINT32_MAX;
    }
    if (!mmu_translate(&vcpu->mmu, &context, linear, access, place, &vcpu->stop.fault)) {
        return false;
    }
    note_root(recorder, context.cr3);
    if (place->ciphertext) {
        recorder->failure = "the guest looks at ciphertext";
        return true;
    }
    if (!views_note(&recorder->out->views, context.vmpl, gva, recorder->out->trap_count,
                    place->page)) {
        recorder->failure = "out of memory";
    }
    return true;
}

/* ---- the run ---- */

static int add_context(struct recorder *recorder, size_t *index, struct error *error)
{
    struct recording *out = recorder->out;
    uc_engine *uc = recorder->run->machine.vcpu->uc;
    uc_context *context;

    if (!GROW(out, context, context_capacity, context_count, 1) || uc_context_alloc(uc, &context)) {
        return error_set(error, SNPEMU_ERR_MEMORY, "no room for the recording");
    }
    *index = out->context_count;
    out->context[out->context_count++] = context;
    return uc_context_save(uc, context)
               ? error_set(error, SNPEMU_ERR_INTERNAL, "the CPU engine does not save its context")
               : 0;
}

/* Who runs: equal numbers for the same vCPU at the same VMPL. */
static uint64_t who_runs(const struct run *run)
{
    const struct vcpus *vcpus = &run->hypervisor.vcpus;

    return (uint64_t)vcpus->current << 8 | vcpus->current_vmpl;
}

static int answer_exit(struct recorder *recorder, struct error *error)
{
    struct recording *out = recorder->out;
    struct run *run = recorder->run;
    uint64_t retired = vcpu_retired(run->machine.vcpu);
    int status;

    run->state.at_exit = false;
    status = run_answer_exit(run, error);
    out->exits = run->state.exits;
    if (status == 0 && !out->list_exit && strcmp(run->exit.name, "apic_id_list") == 0) {
        out->list_exit = run->exit.number;
        out->list_trap = out->trap_count;
        out->list_instructions = retired;
    }
    return status;
}

/* What the emulator does at a stop: handle it, answer, let another vCPU run. */
static int handle_stop(struct recorder *recorder, const struct vcpu_stop *stop, struct error *error)
{
    struct run *run = recorder->run;
    int status = 0;

    run_after_trap(run, trap_handle(&run->trap, stop));
    if (run->state.at_exit) {
        status = answer_exit(recorder, error);
    }
    if (status == 0 && run->outcome.kind != OUTCOME_NONE) {
        status = error_set(error, SNPEMU_ERR_INPUT, "the run ended early: %s %.200s",
                           outcome_name(run->outcome.kind), run->outcome.detail);
    }
    return status;
}

/* One stop of the vCPU that is not the end. */
static int record_trap(struct recorder *recorder, const struct vcpu_stop *stop, struct error *error)
{
    struct recording *out = recorder->out;
    struct run *run = recorder->run;
    struct recording_registers before;
    struct recording_trap row = {
        .rip = stop->rip,
        .code_gva = stop->code_gva,
        .by_hook = stop->kind == VCPU_STOP_SITE,
        .halts = stop->kind == VCPU_STOP_HALT,
        .context = RECORDING_NO_CONTEXT,
        .set_first = out->set_count,
        .write_first = out->write_count,
    };
    uint64_t retired = vcpu_retired(run->machine.vcpu), who = who_runs(run);
    int status;

    if (!row.by_hook && !row.halts && stop->kind != VCPU_STOP_INVALID) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "a stop of kind %d at 0x%llx, which cannot be repeated", stop->kind,
                         (unsigned long long)stop->rip);
    }
    registers_read(recorder, &before);
    status = handle_stop(recorder, stop, error);
    if (status != 0) {
        return status;
    }
    row.retired = vcpu_retired(run->machine.vcpu) - retired;
    row.instructions = vcpu_retired(run->machine.vcpu);
    row.passes = run->machine.vcpu->passing;
    row.vmpl = run->hypervisor.vcpus.current_vmpl;
    if (who != who_runs(run)) {
        status = add_context(recorder, &row.context, error);
    } else if (!record_registers(recorder, &before)) {
        status = error_set(error, SNPEMU_ERR_MEMORY, "no room for the recording");
    }
    if (status == 0 && (!recorder_memory(recorder) || out->trap_count == TRAP_MAX ||
                        !GROW(out, trap, trap_capacity, trap_count, 1))) {
        status = error_set(error, SNPEMU_ERR_MEMORY, "no room for the recording");
    }
    if (status == 0) {
        row.set_count = out->set_count - row.set_first;
        row.write_count = out->write_count - row.write_first;
        out->trap[out->trap_count++] = row;
    }
    return status;
}

/* The emulator's loop, with its quanta. The bare engine counts nothing, so none may run out. */
static int record_run(struct recorder *recorder, struct error *error)
{
    struct run *run = recorder->run;
    struct vcpu *vcpu = run->machine.vcpu;
    struct vcpu_stop stop = {0};
    int status = 0;

    while (status == 0) {
        /* So that the guest's writes come through the fill, which lists their pages. */
        vcpu_flush(vcpu);
        vcpu_set_limit(vcpu, run->state.slice_end < run->scenario->budget ? run->state.slice_end
                                                                          : run->scenario->budget);
        status = vcpu_run(vcpu, &stop, error);
        if (status == 0 && !recorder_follow_guest(recorder)) {
            status = error_set(error, SNPEMU_ERR_MEMORY, "no room for the recording");
        }
        if (status == 0 && recorder->failure) {
            status =
                error_set(error, SNPEMU_ERR_INPUT, "a run that cannot be repeated, at 0x%llx: %s",
                          (unsigned long long)stop.rip, recorder->failure);
        }
        if (status == 0 && stop.kind == VCPU_STOP_BREAK) {
            break;
        }
        status = status ? status : record_trap(recorder, &stop, error);
    }
    registers_read(recorder, &recorder->out->end);
    recorder->out->instructions = vcpu_retired(vcpu);
    return status;
}

/* ---- the end ---- */

static int recorder_open(struct recorder *recorder, const struct scenario *scenario,
                         const struct image *image, const struct firmware *firmware,
                         const char *until, struct error *error)
{
    const struct run_options options = {
        .firmware = firmware,
        .until = until,
        .translate = record_translate,
        .translate_context = recorder,
    };
    struct memory *memory;
    int status;

    recorder->host = host_honest_new();
    if (!recorder->host) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
    }
    status = run_new(&recorder->run, scenario, image, recorder->host, &options, error);
    if (status != 0) {
        return status;
    }
    memory = &recorder->run->machine.memory;
    status = memory_init(&recorder->shadow, memory->slot, memory->slot_count, memory->seed, error);
    for (uint32_t page = 0; status == 0 && page < memory->page_count; page++) {
        if ((memory->flags[page] & MEMORY_TOUCHED) &&
            !recorder_page(recorder, page, memory->ram + (size_t)page * PAGE_SIZE)) {
            status = error_set(error, SNPEMU_ERR_MEMORY, "no room for the recording");
        }
    }
    recorder_dirty_start(recorder);
    return status;
}

static void recorder_close(struct recorder *recorder)
{
    run_free(recorder->run);
    memory_release(&recorder->shadow);
    if (recorder->host) {
        recorder->host->free(recorder->host);
    }
    free(recorder);
}

int recording_make(struct recording **recording, const struct scenario *scenario,
                   const struct image *image, const struct firmware *firmware, const char *until,
                   struct error *error)
{
    struct recording *out = calloc(1, sizeof(*out));
    struct recorder *recorder = calloc(1, sizeof(*recorder));
    size_t start;
    int status;

    if (!out || !recorder) {
        free(out);
        free(recorder);
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
    }
    recorder->out = out;
    choose_msrs(out);
    status =
        image_symbol_find(image, until, &out->until_gva, NULL)
            ? recorder_open(recorder, scenario, image, firmware, until, error)
            : error_set(error, SNPEMU_ERR_INPUT, "%.200s: no symbol '%.100s'", image->path, until);
    if (status == 0) {
        out->page_count = recorder->run->machine.memory.page_count;
        out->slot_count = recorder->run->machine.memory.slot_count;
        memcpy(out->slot, recorder->run->machine.memory.slot, sizeof(out->slot));
        status = add_context(recorder, &start, error);
    }
    if (status == 0) {
        status = record_run(recorder, error);
    }
    if (status == 0) {
        recorder_end_memory(recorder);
        *recording = out;
    } else {
        recording_free(out);
    }
    recorder_close(recorder);
    return status;
}

void recording_free(struct recording *recording)
{
    if (recording) {
        for (size_t i = 0; i < recording->context_count; i++) {
            uc_context_free(recording->context[i]);
        }
        free(recording->context);
        views_release(&recording->views);
        free(recording->page);
        free(recording->trap);
        free(recording->set);
        free(recording->write);
        free(recording->data);
        free(recording);
    }
}
