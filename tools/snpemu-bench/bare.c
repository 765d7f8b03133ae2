/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bare.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "abi/msr.h"
#include "abi/x86.h"
#include "machine/vcpu_engine.h"

struct bare {
    const struct recording *recording;
    uc_engine *uc;
    uint8_t *ram;
    struct memory layout; /* its slots alone */
    uint64_t next_trap;
    unsigned vmpl; /* for the views: addresses of different VMPLs have nothing in common */
    bool at_trap, at_end, faulted;
    bool passing;        /* the next hook lets its instruction execute */
    uc_context *scratch; /* what is saved at a switch */
    uint64_t counted;    /* by bare_count's hook */

    /* A snapshot: registers, and all memory; then the pages that have ever been written since. */
    uc_context *context;
    uint64_t saved_trap;
    uint8_t *copy;
    uint8_t *is_dirty;
    uint32_t *dirty;
    uint32_t dirty_count;
};

static int bare_fail(uc_err err, const char *what, struct error *error)
{
    return err ? error_set(error, SNPEMU_ERR_INTERNAL, "bare engine, %s: %s", what,
                           uc_strerror(err))
               : 0;
}

/* ---- what the engine asks ---- */

static void bare_note_write(struct bare *bare, uint64_t page)
{
    if (!bare->is_dirty[page]) {
        bare->is_dirty[page] = 1;
        bare->dirty[bare->dirty_count++] = (uint32_t)page;
    }
}

static uint64_t bare_get(const struct bare *bare, enum vcpu_register reg)
{
    uint64_t value = 0;

    uc_reg_read(bare->uc, vcpu_register_id[reg], &value);
    return value;
}

/* For addresses whose page is not known before: the guest's tables, without a check. */
static bool bare_walk(const struct bare *bare, uint64_t gva, uint32_t *page)
{
    uint64_t entry = bare_get(bare, VCPU_CR3);

    for (unsigned shift = PAGE_SHIFT + 27;; shift -= 9) {
        uint64_t gpa = entry & PTE_ADDR_MASK & ~CBIT_MASK;
        bool large = entry & PTE_LARGE;

        if (shift < PAGE_SHIFT || (large && shift < PAGE_SHIFT + 18)) {
            uint64_t inside = (1ULL << (shift + 9)) - 1;

            *page = memory_guest_page(&bare->layout, (gpa & ~inside) | (gva & inside));
            return *page != MEMORY_NO_PAGE;
        }
        *page = memory_guest_page(&bare->layout, gpa);
        if (*page == MEMORY_NO_PAGE) {
            return false;
        }
        memcpy(&entry, bare->ram + (size_t)*page * PAGE_SIZE + (gva >> shift & 511) * 8, 8);
        if (!(entry & PTE_PRESENT)) {
            return false;
        }
    }
}

static bool bare_on_fill(uc_engine *uc, uint64_t gva, uc_mem_type type, uc_tlb_entry *entry,
                         void *opaque)
{
    struct bare *bare = opaque;
    uint32_t page;

    (void)uc;
    if (!views_find(&bare->recording->views, bare->vmpl, gva, bare->next_trap, &page) ||
        (page == VIEWS_WALK && !bare_walk(bare, gva, &page))) {
        bare->faulted = true;
        return false;
    }
    if (type == UC_MEM_WRITE && bare->copy) {
        bare_note_write(bare, page);
    }
    entry->paddr = (uint64_t)page << PAGE_SHIFT;
    entry->perms = type == UC_MEM_FETCH   ? UC_PROT_READ | UC_PROT_EXEC
                   : type == UC_MEM_WRITE ? UC_PROT_READ | UC_PROT_WRITE
                                          : UC_PROT_READ;
    return true;
}

static bool bare_on_invalid(uc_engine *uc, void *opaque)
{
    struct bare *bare = opaque;

    bare->at_trap = true;
    uc_emu_stop(uc);
    return true;
}

static void bare_on_site(uc_engine *uc, uint64_t gva, uint32_t size, void *opaque)
{
    struct bare *bare = opaque;

    (void)gva;
    (void)size;
    if (bare->passing) {
        bare->passing = false;
        return;
    }
    bare->at_trap = true;
    uc_emu_stop(uc);
}

static void bare_on_end(uc_engine *uc, uint64_t gva, uint32_t size, void *opaque)
{
    struct bare *bare = opaque;

    (void)gva;
    (void)size;
    bare->at_end = true;
    uc_emu_stop(uc);
}

static void bare_on_block(uc_engine *uc, uint64_t gva, uint32_t size, void *opaque)
{
    (void)uc;
    (void)gva;
    (void)size;
    (void)opaque;
}

static void bare_on_insn(uc_engine *uc, uint64_t gva, uint32_t size, void *opaque)
{
    struct bare *bare = opaque;

    (void)uc;
    (void)gva;
    (void)size;
    bare->counted++;
}

/* ---- opening ---- */

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* One hook for each address that the recording trapped at by a hook. */
static uc_err bare_add_sites(struct bare *bare)
{
    const struct recording *recording = bare->recording;
    uint64_t *site = calloc(recording->trap_count + 1, sizeof(*site));
    size_t count = 0;
    uc_err err = site ? UC_ERR_OK : UC_ERR_NOMEM;

    for (size_t i = 0; site && i < recording->trap_count; i++) {
        if (recording->trap[i].by_hook) {
            site[count++] = recording->trap[i].code_gva;
        }
    }
    if (count > 1) {
        qsort(site, count, sizeof(*site), compare_u64);
    }
    for (size_t i = 0; !err && i < count; i++) {
        uc_hook hook;

        if (i == 0 || site[i] != site[i - 1]) {
            err = uc_hook_add(bare->uc, &hook, UC_HOOK_CODE, (void *)bare_on_site, bare, site[i],
                              site[i]);
        }
    }
    free(site);
    return err;
}

static uc_err bare_add_hooks(struct bare *bare, enum bare_hook kind)
{
    uint64_t until = bare->recording->until_gva;
    uc_hook hook;
    uc_err err = uc_hook_add(bare->uc, &hook, UC_HOOK_TLB_FILL, (void *)bare_on_fill, bare, 1, 0);

    if (!err && kind == BARE_HOOK_INSN) {
        err = uc_hook_add(bare->uc, &hook, UC_HOOK_CODE, (void *)bare_on_insn, bare, 1, 0);
    }
    if (!err && kind == BARE_HOOK_BLOCK) {
        err = uc_hook_add(bare->uc, &hook, UC_HOOK_BLOCK, (void *)bare_on_block, bare, 1, 0);
    }
    if (!err) {
        err =
            uc_hook_add(bare->uc, &hook, UC_HOOK_INSN_INVALID, (void *)bare_on_invalid, bare, 1, 0);
    }
    if (!err) {
        err = uc_hook_add(bare->uc, &hook, UC_HOOK_CODE, (void *)bare_on_end, bare, until, until);
    }
    return err ? err : bare_add_sites(bare);
}

/* The control macros shift into an int's sign bit, which UBSan reports. */
__attribute__((no_sanitize("shift"))) static uc_err bare_configure(uc_engine *uc)
{
    uint64_t none = 0;
    uc_err err = uc_ctl_set_cpu_model(uc, UC_CPU_X86_EPYC_ROME);

    if (!err) {
        err = uc_ctl_tlb_mode(uc, UC_TLB_VIRTUAL);
    }
    if (!err) {
        err = uc_ctl_exits_enable(uc);
    }
    return err ? err : uc_ctl_set_exits(uc, &none, 0);
}

__attribute__((no_sanitize("shift"))) static uc_err bare_flush(uc_engine *uc)
{
    return uc_ctl_flush_tlb(uc);
}

static void bare_set_msr(struct bare *bare, uint32_t index, uint64_t value)
{
    uc_x86_msr msr = {.rid = index, .value = value};

    uc_reg_write(bare->uc, UC_X86_REG_MSR, &msr);
}

static void bare_set(struct bare *bare, enum vcpu_register reg, uint64_t value)
{
    uc_reg_write(bare->uc, vcpu_register_id[reg], &value);
}

static void bare_load_memory(struct bare *bare)
{
    const struct recording *recording = bare->recording;

    for (size_t i = 0; i < recording->page_touched_count; i++) {
        const struct recording_page *row = &recording->page[i];

        memcpy(bare->ram + (size_t)row->page * PAGE_SIZE, recording->data + row->data_offset,
               PAGE_SIZE);
    }
}

static size_t bare_ram_size(const struct bare *bare)
{
    return (size_t)bare->recording->page_count * PAGE_SIZE;
}

int bare_open(struct bare **out, const struct recording *recording, enum bare_hook kind,
              struct error *error)
{
    struct bare *bare = calloc(1, sizeof(*bare));
    uc_err err;

    if (!bare) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
    }
    bare->recording = recording;
    bare->layout.slot_count = recording->slot_count;
    memcpy(bare->layout.slot, recording->slot, sizeof(recording->slot));
    bare->ram = mmap(NULL, bare_ram_size(bare), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bare->ram == MAP_FAILED) {
        bare->ram = NULL;
        bare_close(bare);
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for the bare engine's pages");
    }
    err = uc_open(UC_ARCH_X86, UC_MODE_64, &bare->uc);
    if (!err) {
        err = bare_configure(bare->uc);
    }
    if (!err) {
        err = uc_mem_map_ptr(bare->uc, 0, bare_ram_size(bare), UC_PROT_ALL, bare->ram);
    }
    if (!err) {
        err = bare_add_hooks(bare, kind);
    }
    if (err) {
        bare_close(bare);
        return bare_fail(err, "opening", error);
    }
    bare_load_memory(bare);
    err = uc_context_alloc(bare->uc, &bare->scratch);
    if (!err) {
        err = uc_context_restore(bare->uc, recording->context[0]);
    }
    if (err) {
        bare_close(bare);
        return bare_fail(err, "start", error);
    }
    *out = bare;
    return 0;
}

void bare_close(struct bare *bare)
{
    if (!bare) {
        return;
    }
    if (bare->context) {
        uc_context_free(bare->context);
    }
    if (bare->scratch) {
        uc_context_free(bare->scratch);
    }
    if (bare->uc) {
        uc_close(bare->uc);
    }
    if (bare->ram) {
        munmap(bare->ram, bare_ram_size(bare));
    }
    free(bare->copy);
    free(bare->is_dirty);
    free(bare->dirty);
    free(bare);
}

/* ---- running ---- */

/*
 * What a switch to another vCPU or VMPL takes at least: one context is kept, another comes in, and
 * no translation stays.
 */
static uc_err bare_switch(struct bare *bare, const uc_context *context)
{
    uc_err err = uc_context_save(bare->uc, bare->scratch);

    if (!err) {
        err = uc_context_restore(bare->uc, (uc_context *)(uintptr_t)context);
    }
    return err ? err : bare_flush(bare->uc);
}

static uc_err bare_answer(struct bare *bare)
{
    const struct recording *recording = bare->recording;
    const struct recording_trap *trap = &recording->trap[bare->next_trap++];

    for (size_t i = 0; i < trap->set_count; i++) {
        const struct recording_set *set = &recording->set[trap->set_first + i];

        if (set->is_msr) {
            bare_set_msr(bare, set->index, set->value);
        } else {
            bare_set(bare, set->index, set->value);
        }
    }
    for (size_t i = 0; i < trap->write_count; i++) {
        const struct recording_write *write = &recording->write[trap->write_first + i];

        memcpy(bare->ram + write->offset, recording->data + write->data_offset, write->size_bytes);
        if (bare->copy) {
            bare_note_write(bare, write->offset >> PAGE_SHIFT);
        }
    }
    bare->at_trap = false;
    bare->passing = trap->passes;
    bare->vmpl = trap->vmpl;
    return trap->context == RECORDING_NO_CONTEXT
               ? UC_ERR_OK
               : bare_switch(bare, recording->context[trap->context]);
}

/* The engine says nothing when it comes to HLT: it is done, and RIP is after it. */
static bool bare_halted(const struct bare *bare, uint64_t rip)
{
    const struct recording *recording = bare->recording;

    return !bare->at_end && bare->next_trap < recording->trap_count &&
           recording->trap[bare->next_trap].halts && recording->trap[bare->next_trap].rip == rip;
}

int bare_run(struct bare *bare, uint64_t trap, struct error *error)
{
    const struct recording *recording = bare->recording;
    uint64_t rip = bare_get(bare, VCPU_RIP);

    for (;;) {
        uc_err err;

        if (bare->at_trap) {
            if (bare->next_trap == trap) {
                return 0;
            }
            err = bare_answer(bare);
            if (err) {
                return bare_fail(err, "switch", error);
            }
            rip = bare_get(bare, VCPU_RIP);
        }
        err = uc_emu_start(bare->uc, rip, 0, 0, 0);
        rip = bare_get(bare, VCPU_RIP);
        bare->at_trap = bare->at_trap || (!err && bare_halted(bare, rip));
        if (bare->at_end && bare->next_trap == recording->trap_count) {
            return 0;
        }
        if (err || !bare->at_trap || bare->next_trap >= recording->trap_count ||
            recording->trap[bare->next_trap].rip != rip) {
            return error_set(error, SNPEMU_ERR_INTERNAL,
                             "the bare engine left the recorded path at 0x%" PRIx64
                             ", trap %" PRIu64 " of %zu: %s%s",
                             rip, bare->next_trap, recording->trap_count, uc_strerror(err),
                             bare->faulted ? ", address outside memory" : "");
        }
    }
}

int bare_count(const struct recording *recording, uint64_t *instructions, struct error *error)
{
    struct bare *bare = NULL;
    int status = bare_open(&bare, recording, BARE_HOOK_INSN, error);

    if (status == 0) {
        status = bare_run(bare, UINT64_MAX, error);
    }
    if (status == 0) {
        status = bare_check(bare, error);
    }
    if (status == 0) {
        /* The hook saw each trapping instruction, and the one at the end, without executing it. */
        *instructions = bare->counted - 1;
        for (size_t i = 0; i < recording->trap_count; i++) {
            *instructions += recording->trap[i].retired - !recording->trap[i].halts;
        }
    }
    bare_close(bare);
    return status;
}

/* ---- snapshot ---- */

int bare_save(struct bare *bare, struct error *error)
{
    size_t pages = bare->recording->page_count;
    uc_err err;

    bare->is_dirty = calloc(pages, 1);
    bare->dirty = calloc(pages, sizeof(*bare->dirty));
    bare->copy = malloc(bare_ram_size(bare));
    if (!bare->is_dirty || !bare->dirty || !bare->copy) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory for the bare engine's snapshot");
    }
    for (size_t i = 0; i < bare->recording->page_touched_count; i++) {
        size_t at = (size_t)bare->recording->page[i].page * PAGE_SIZE;

        memcpy(bare->copy + at, bare->ram + at, PAGE_SIZE);
    }
    err = uc_context_alloc(bare->uc, &bare->context);
    if (!err) {
        err = uc_context_save(bare->uc, bare->context);
    }
    if (!err) {
        /* Pages that are writable now would change unnoticed. */
        err = bare_flush(bare->uc);
    }
    bare->saved_trap = bare->next_trap;
    return bare_fail(err, "snapshot", error);
}

/*
 * The engine's translations stay: addresses never change here, and a page that is writable in them
 * has been in the list of dirty pages since its first write. (For recordings without switches.)
 */
int bare_restore(struct bare *bare, struct error *error)
{
    for (uint32_t i = 0; i < bare->dirty_count; i++) {
        size_t at = (size_t)bare->dirty[i] * PAGE_SIZE;

        memcpy(bare->ram + at, bare->copy + at, PAGE_SIZE);
    }
    bare->next_trap = bare->saved_trap;
    bare->vmpl = bare->saved_trap ? bare->recording->trap[bare->saved_trap - 1].vmpl : 0;
    bare->passing = false;
    bare->at_trap = true;
    bare->at_end = false;
    return bare_fail(uc_context_restore(bare->uc, bare->context), "restore", error);
}

/* ---- checking ---- */

int bare_check(const struct bare *bare, struct error *error)
{
    const struct recording *recording = bare->recording;

    for (unsigned i = 0; i < VCPU_REGISTER_COUNT; i++) {
        uint64_t value = bare_get(bare, i);

        if (value != recording->end.reg[i]) {
            return error_set(error, SNPEMU_ERR_INTERNAL,
                             "the bare engine ended with register %u = 0x%" PRIx64
                             " instead of 0x%" PRIx64,
                             i, value, recording->end.reg[i]);
        }
    }
    if (recording_hash(recording, bare->ram) != recording->memory_hash) {
        return error_set(error, SNPEMU_ERR_INTERNAL,
                         "the bare engine ended with other contents of memory");
    }
    return 0;
}
