/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory by guest virtual address, through the page tables of one vCPU. Nothing is checked and no A
 * or D bit is set: private pages are shown as the guest has them. A page that nobody has touched
 * yet has no contents to look at.
 */
#include <string.h>

#include "gdb/internal.h"

size_t gdb_memory_read(struct run *run, uint32_t vcpu, uint64_t gva, void *bytes, size_t size)
{
    struct machine *machine = run_machine(run);
    struct mmu_context context;
    struct gdb_cpu cpu;

    if (!gdb_cpu_take(run, vcpu, &cpu)) {
        return 0;
    }
    gdb_cpu_context(&cpu, &context);
    return mmu_peek(&machine->mmu, &context, gva, bytes, size);
}

static uint8_t *memory_at(struct machine *machine, const struct mmu_context *context, uint64_t gva,
                          bool write)
{
    uint64_t gpa;
    uint32_t page;

    if (!mmu_peek_gpa(&machine->mmu, context, gva, &gpa)) {
        return NULL;
    }
    page = memory_page(&machine->memory, gpa);
    if (page == MEMORY_NO_PAGE) {
        return NULL;
    }
    return write ? memory_bytes_for_write(&machine->memory, page) + (gpa & PAGE_MASK)
                 : machine->memory.ram; /* there is something */
}

bool gdb_memory_write(struct run *run, uint32_t vcpu, uint64_t gva, const void *bytes, size_t size)
{
    struct machine *machine = run_machine(run);
    struct mmu_context context;
    struct gdb_cpu cpu;

    if (!gdb_cpu_take(run, vcpu, &cpu)) {
        return false;
    }
    gdb_cpu_context(&cpu, &context);
    for (int pass = 0; pass < 2; pass++) { /* all of it or nothing */
        for (size_t done = 0; done < size;) {
            size_t left = PAGE_SIZE - ((gva + done) & PAGE_MASK);
            uint8_t *place = memory_at(machine, &context, gva + done, pass == 1);

            if (!place) {
                return false;
            }
            left = left < size - done ? left : size - done;
            if (pass == 1) {
                memcpy(place, (const uint8_t *)bytes + done, left);
            }
            done += left;
        }
    }
    vcpu_flush(machine->vcpu); /* it may have been a page table */
    return true;
}
