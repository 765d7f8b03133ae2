/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "recording.h"

#include <stdlib.h>
#include <string.h>

#include "abi/msr.h"
#include "ghcb/answer.h"
#include "ghcb/page.h"
#include "ghcb/table.h"
#include "launch.h"
#include "trap/msr.h"
#include "trap/trap.h"

#define TRAP_MAX 1000000u
#define DIFF_GAP_BYTES 64 /* equal bytes that do not end a write */

/* The run that is written down, and a second memory that holds what is written down already. */
struct recorder {
    struct recording *out;
    struct machine machine;
    struct hypervisor hypervisor;
    struct psp *psp;
    struct trap_context trap;
    struct outcome outcome;
    struct host *host;
    struct exit exit;
    struct reply reply;
    struct memory shadow;
};

/* Room for one more element of *array; false when there is none. */
static bool grow(void **array, size_t *capacity, size_t count, size_t more, size_t element_size)
{
    size_t wanted = *capacity ? *capacity : 256;
    void *moved;

    while (wanted < count + more) {
        wanted *= 2;
    }
    if (wanted == *capacity) {
        return true;
    }
    moved = realloc(*array, wanted * element_size);
    if (!moved) {
        return false;
    }
    *array = moved;
    *capacity = wanted;
    return true;
}

#define GROW(recording, array, capacity, count, more)                                              \
    grow((void **)&(recording)->array, &(recording)->capacity, (recording)->count, (more),         \
         sizeof(*(recording)->array))

static bool add_data(struct recording *out, const uint8_t *bytes, size_t size, size_t *offset)
{
    if (!GROW(out, data, data_capacity, data_size_bytes, size)) {
        return false;
    }
    memcpy(out->data + out->data_size_bytes, bytes, size);
    *offset = out->data_size_bytes;
    out->data_size_bytes += size;
    return true;
}

/* ---- registers ---- */

static void registers_read(const struct recorder *recorder, struct recording_registers *registers)
{
    const struct vcpu *vcpu = recorder->machine.vcpu;
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

/* ---- memory ---- */

static uint8_t *ram_page(const struct memory *memory, uint32_t page)
{
    return memory->ram + (size_t)page * PAGE_SIZE;
}

/* The first sight of a page: note what it held when it was first touched. */
static bool record_page(struct recorder *recorder, uint32_t page, const uint8_t *bytes)
{
    struct recording *out = recorder->out;
    struct memory *shadow = &recorder->shadow;
    struct recording_page *row;

    if (shadow->flags[page] & MEMORY_TOUCHED) {
        return true;
    }
    shadow->generation[page] = recorder->machine.memory.generation[page];
    if (bytes) {
        memcpy(memory_bytes(shadow, page), bytes, PAGE_SIZE);
    }
    if (!GROW(out, page, page_capacity, page_touched_count, 1)) {
        return false;
    }
    row = &out->page[out->page_touched_count++];
    *row = (struct recording_page){.page = page};
    return add_data(out, memory_bytes(shadow, page), PAGE_SIZE, &row->data_offset);
}

/* From here on memory->dirty lists what is written. */
static void dirty_start(struct memory *memory)
{
    memory->tracking = true;
    for (uint32_t i = 0; i < memory->dirty_count; i++) {
        memory->flags[memory->dirty[i]] &= (uint8_t)~MEMORY_DIRTY;
    }
    memory->dirty_count = 0;
}

/* What the guest has written by itself since the last trap needs no record. */
static bool follow_guest(struct recorder *recorder)
{
    struct memory *memory = &recorder->machine.memory;

    for (uint32_t i = 0; i < memory->dirty_count; i++) {
        uint32_t page = memory->dirty[i];

        if (!record_page(recorder, page, NULL)) {
            return false;
        }
        memcpy(ram_page(&recorder->shadow, page), ram_page(memory, page), PAGE_SIZE);
    }
    dirty_start(memory);
    return true;
}

/* The bytes in which a page differs from its shadow. */
static bool record_difference(struct recorder *recorder, uint32_t page)
{
    struct recording *out = recorder->out;
    const uint8_t *now = ram_page(&recorder->machine.memory, page);
    uint8_t *was = ram_page(&recorder->shadow, page);
    size_t at = 0;

    while (at < PAGE_SIZE) {
        size_t first = at, last;
        struct recording_write *row;

        while (first < PAGE_SIZE && now[first] == was[first]) {
            first++;
        }
        if (first == PAGE_SIZE) {
            break;
        }
        last = first;
        for (at = first; at < PAGE_SIZE && at - last <= DIFF_GAP_BYTES; at++) {
            last = now[at] != was[at] ? at : last;
        }
        if (!GROW(out, write, write_capacity, write_count, 1)) {
            return false;
        }
        row = &out->write[out->write_count++];
        row->offset = (uint64_t)page * PAGE_SIZE + first;
        row->size_bytes = (uint32_t)(last - first + 1);
        if (!add_data(out, now + first, row->size_bytes, &row->data_offset)) {
            return false;
        }
    }
    memcpy(was, now, PAGE_SIZE);
    return true;
}

static bool record_memory(struct recorder *recorder)
{
    struct memory *memory = &recorder->machine.memory;
    uint32_t count = memory->dirty_count;
    bool done = true;

    for (uint32_t i = 0; done && i < count; i++) {
        uint32_t page = memory->dirty[i];
        bool known = recorder->shadow.flags[page] & MEMORY_TOUCHED;

        if (!known && !(memory->flags[page] & MEMORY_TOUCHED)) {
            continue; /* it changed hands; nobody has looked yet */
        }
        /* Contents that were lost come back as a pattern at the next touch: have it now. */
        memory_bytes(memory, page);
        done = record_page(recorder, page, NULL) && record_difference(recorder, page);
    }
    dirty_start(memory);
    return done;
}

/* ---- the run ---- */

static void drop_console(void *context, const uint8_t *bytes, size_t size)
{
    (void)context;
    (void)bytes;
    (void)size;
}

static int refuse_watch(void *context, const struct reply_watch *watch, struct error *error)
{
    (void)context;
    (void)watch;
    return error_set(error, SNPEMU_ERR_INTERNAL, "an honest host watches nothing");
}

static int answer_exit(struct recorder *recorder, struct error *error)
{
    const struct answer_ops ops = {.console = drop_console, .watch = refuse_watch};
    struct recording *out = recorder->out;
    struct exit *exit = &recorder->exit;
    char why[96];
    int status;

    if (!ghcb_take_exit(&recorder->machine, &recorder->hypervisor, exit, why, sizeof(why))) {
        return error_set(error, SNPEMU_ERR_INPUT, "exit refused: %s", why);
    }
    exit->number = exit->nth = ++out->exits;
    if (strcmp(exit->name, "apic_id_list") == 0 && !out->list_exit) {
        out->list_exit = exit->number;
        out->list_trap = out->trap_count;
        out->list_instructions = vcpu_retired(recorder->machine.vcpu);
    }
    reply_reset(&recorder->reply);
    status = recorder->host->answer(recorder->host, &recorder->hypervisor, exit, &recorder->reply,
                                    error);
    if (status == 0 && recorder->reply.resume != REPLY_RESUME) {
        status = error_set(error, SNPEMU_ERR_INPUT, "the host does not resume: %s",
                           recorder->reply.reason);
    }
    return status ? status
                  : ghcb_answer(&recorder->trap, &recorder->hypervisor, exit, &recorder->reply,
                                &ops, error);
}

/* One stop of the vCPU that is not the end. */
static int record_trap(struct recorder *recorder, const struct vcpu_stop *stop, struct error *error)
{
    struct recording *out = recorder->out;
    struct recording_registers before;
    struct recording_trap row = {
        .rip = stop->rip,
        .by_hook = stop->kind == VCPU_STOP_SITE,
        .set_first = out->set_count,
        .write_first = out->write_count,
    };
    uint64_t retired = vcpu_retired(recorder->machine.vcpu);
    int status = 0;

    if (stop->kind != VCPU_STOP_SITE && stop->kind != VCPU_STOP_INVALID) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "a stop of kind %d at 0x%llx, which cannot be repeated", stop->kind,
                         (unsigned long long)stop->rip);
    }
    registers_read(recorder, &before);
    if (trap_handle(&recorder->trap, stop) == TRAP_EXIT) {
        status = answer_exit(recorder, error);
    }
    if (status == 0 && recorder->outcome.kind != OUTCOME_NONE) {
        status = error_set(error, SNPEMU_ERR_INPUT, "the run ended early: %s",
                           outcome_name(recorder->outcome.kind));
    }
    if (status != 0) {
        return status;
    }
    row.retired = vcpu_retired(recorder->machine.vcpu) - retired;
    if (!record_memory(recorder) || !record_registers(recorder, &before) ||
        out->trap_count == TRAP_MAX || !GROW(out, trap, trap_capacity, trap_count, 1)) {
        return error_set(error, SNPEMU_ERR_MEMORY, "no room for the recording");
    }
    row.set_count = out->set_count - row.set_first;
    row.write_count = out->write_count - row.write_first;
    out->trap[out->trap_count++] = row;
    return 0;
}

static int record_run(struct recorder *recorder, struct error *error)
{
    struct vcpu *vcpu = recorder->machine.vcpu;
    struct vcpu_stop stop = {0};
    int status = vcpu_set_break(vcpu, recorder->out->until_gva, error);

    while (status == 0) {
        /* So that the guest's writes come through the fill, which lists their pages. */
        vcpu_flush(vcpu);
        status = vcpu_run(vcpu, &stop, error);
        if (status == 0 && !follow_guest(recorder)) {
            status = error_set(error, SNPEMU_ERR_MEMORY, "no room for the recording");
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

/* Mark the tables below `gpa`; the tree has at most 512^3 entries, of which few are present. */
static void mark_tables(struct recorder *recorder, uint64_t gpa, unsigned level)
{
    struct memory *memory = &recorder->machine.memory;
    uint32_t page = memory_page(memory, gpa);

    if (page == MEMORY_NO_PAGE || !(memory->flags[page] & MEMORY_TOUCHED)) {
        return;
    }
    for (size_t i = 0; i < recorder->out->page_touched_count; i++) {
        if (recorder->out->page[i].page == page) {
            recorder->out->page[i].is_table = true;
        }
    }
    for (size_t i = 0; level > 1 && i < PAGE_SIZE / 8; i++) {
        uint64_t entry;

        memcpy(&entry, ram_page(memory, page) + i * 8, 8);
        if ((entry & PTE_PRESENT) && !(entry & PTE_LARGE)) {
            mark_tables(recorder, entry & PTE_ADDR_MASK & ~CBIT_MASK, level - 1);
        }
    }
}

uint64_t recording_hash(const struct recording *recording, const uint8_t *ram)
{
    uint64_t hash = 0xCBF29CE484222325ULL;

    for (size_t i = 0; i < recording->page_touched_count; i++) {
        const struct recording_page *row = &recording->page[i];
        uint64_t ignored = row->is_table ? PTE_ACCESSED | PTE_DIRTY : 0;

        for (size_t at = 0; at < PAGE_SIZE; at += 8) {
            uint64_t word;

            memcpy(&word, ram + (size_t)row->page * PAGE_SIZE + at, 8);
            hash = (hash ^ (word & ~ignored)) * 0x9E3779B97F4A7C15ULL;
            hash ^= hash >> 29;
        }
    }
    return hash;
}

static int recorder_open(struct recorder *recorder, const struct scenario *scenario,
                         const struct image *image, struct error *error)
{
    struct memory *memory = &recorder->machine.memory;
    int status = launch_psp(&recorder->psp, &scenario->host, scenario->seed, error);

    if (status == 0) {
        const struct launch launch = {
            .image = image,
            .config = &scenario->host,
            .psp = recorder->psp,
            .memory_mib = scenario->memory_mib,
            .seed = scenario->seed,
        };

        status = launch_machine(&recorder->machine, &launch, error);
    }
    if (status == 0) {
        status =
            memory_init(&recorder->shadow, memory->slot, memory->slot_count, memory->seed, error);
    }
    recorder->host = host_honest_new();
    if (status == 0 && !recorder->host) {
        status = error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
    }
    for (uint32_t page = 0; status == 0 && page < memory->page_count; page++) {
        if ((memory->flags[page] & MEMORY_TOUCHED) &&
            !record_page(recorder, page, ram_page(memory, page))) {
            status = error_set(error, SNPEMU_ERR_MEMORY, "no room for the recording");
        }
    }
    if (status != 0) {
        return status;
    }
    recorder->hypervisor = (struct hypervisor){
        .config = &scenario->host,
        .memory = memory,
        .rmp = &recorder->machine.rmp,
        .psp = recorder->psp,
    };
    if (!hypervisor_open(&recorder->hypervisor)) {
        return error_set(error, SNPEMU_ERR_MEMORY, "no room for the recording");
    }
    recorder->trap = (struct trap_context){
        .machine = &recorder->machine,
        .outcome = &recorder->outcome,
    };
    dirty_start(memory);
    return 0;
}

static void recorder_close(struct recorder *recorder)
{
    machine_release(&recorder->machine);
    hypervisor_close(&recorder->hypervisor);
    psp_free(recorder->psp);
    memory_release(&recorder->shadow);
    reply_release(&recorder->reply);
    if (recorder->host) {
        recorder->host->free(recorder->host);
    }
    free(recorder);
}

int recording_make(struct recording **recording, const struct scenario *scenario,
                   const struct image *image, const char *until, struct error *error)
{
    struct recording *out = calloc(1, sizeof(*out));
    struct recorder *recorder = calloc(1, sizeof(*recorder));
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
            ? recorder_open(recorder, scenario, image, error)
            : error_set(error, SNPEMU_ERR_INPUT, "%.200s: no symbol '%.100s'", image->path, until);
    if (status == 0) {
        out->page_count = recorder->machine.memory.page_count;
        out->gva_first = recorder->machine.memory.slot[0].gpa + image->gva_offset;
        registers_read(recorder, &out->start);
        status = record_run(recorder, error);
    }
    if (status == 0) {
        mark_tables(recorder, out->start.reg[VCPU_CR3] & PTE_ADDR_MASK & ~CBIT_MASK, 4);
        mark_tables(recorder, out->end.reg[VCPU_CR3] & PTE_ADDR_MASK & ~CBIT_MASK, 4);
        out->memory_hash = recording_hash(out, recorder->machine.memory.ram);
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
        free(recording->page);
        free(recording->trap);
        free(recording->set);
        free(recording->write);
        free(recording->data);
        free(recording);
    }
}
