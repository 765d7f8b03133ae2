/* SPDX-License-Identifier: MIT */
/*
 * The per-CPU array: one page at first, so that GS reaches something while the hypervisor is
 * asked for the list of CPUs; then as many contiguous pages as the list needs.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/cpu/percpu.rs.
 */
#include "percpu.h"

#include "abi/cpuid.h"
#include "abi/msr.h"
#include "alloc.h"
#include "cpu.h"
#include "serial.h"
#include "text.h"
#include "vc.h"
#include "vector.h"

#define LINE_SIZE 80

u64 PERCPU_VA = 0;
u64 CPU_COUNT = 1;

static u64 page_count(u64 size_bytes)
{
    return add_checked(size_bytes, PAGE_MASK) >> PAGE_SHIFT;
}

static u32 *percpu_field(u64 index, u64 offset)
{
    return (u32 *)(percpu_address(index) + offset);
}

u64 percpu_address(u64 index)
{
    if (index >= CPU_COUNT) {
        panic("assertion failed: for_id < CPU_COUNT");
    }
    return PERCPU_VA + index * PERCPU_STRIDE;
}

u64 percpu_get_u64(u64 index, u64 offset)
{
    return *(volatile u64 *)(percpu_address(index) + offset);
}

void percpu_set_u64(u64 index, u64 offset, u64 value)
{
    *(volatile u64 *)(percpu_address(index) + offset) = value;
}

u32 percpu_apic_id(u64 index)
{
    return *percpu_field(index, PERCPU_APIC_ID);
}

static u32 get_apic_id(void)
{
    struct cpuid_regs regs;

    vc_cpuid(CPUID_LEAF_EXTENDED_TOPOLOGY, 0, &regs);
    return regs.edx;
}

/* Element 0 through GS, which points there by now; the others get the IDs that are not its own. */
static void percpu_fill(u32 bsp_apic_id, const struct id_vector *ids)
{
    u32 cpu_id = 1;

    percpu_write_u32(PERCPU_CPU_ID, 0);
    percpu_write_u32(PERCPU_APIC_ID, bsp_apic_id);
    percpu_write_u64(PERCPU_GHCB, early_ghcb);

    for (u64 i = 0; i < CPU_COUNT; i++) {
        if (ids->id[i] == bsp_apic_id) {
            continue;
        }
        *percpu_field(i, PERCPU_CPU_ID) = cpu_id++;
        *percpu_field(i, PERCPU_APIC_ID) = ids->id[i];
    }
}

/* Returns the number of pages that the array occupies. */
static u64 __percpu_init(u64 init_gpa, u64 init_count)
{
    struct id_vector ids;
    u32 bsp_apic_id;
    u64 gpa = init_gpa;
    u64 count;

    percpu_write_u64(PERCPU_GHCB, early_ghcb);

    bsp_apic_id = get_apic_id();
    vc_get_apic_ids(bsp_apic_id, &ids);
    CPU_COUNT = ids.length;

    count = page_count(multiply_checked(ids.length, PERCPU_STRIDE));
    if (count != init_count) {
        gpa = mem_allocate_frames(count);
        if (gpa == 0) {
            vc_fail(SVSM_FAIL_NO_MEMORY);
        }
    }
    PERCPU_VA = gpa_to_va(gpa);
    wrmsr(MSR_GS_BASE, PERCPU_VA);

    percpu_fill(bsp_apic_id, &ids);
    id_vector_free(&ids);
    return count;
}

void percpu_init(void)
{
    u64 init_count = page_count(PERCPU_STRIDE);
    u64 init_gpa = mem_allocate_frames(init_count);

    if (init_gpa == 0) {
        vc_fail(SVSM_FAIL_NO_MEMORY);
    }
    wrmsr(MSR_GS_BASE, gpa_to_va(init_gpa));

    if (__percpu_init(init_gpa, init_count) != init_count) {
        mem_free_frames(init_gpa);
    }
}

/* One line a CPU. Not in the published code, which is silent. */
void percpu_print(void)
{
    for (u64 i = 0; i < CPU_COUNT; i++) {
        char buffer[LINE_SIZE];
        struct text line;

        text_init(&line, buffer, sizeof(buffer));
        text_string(&line, "cpu ");
        text_decimal(&line, *percpu_field(i, PERCPU_CPU_ID));
        text_string(&line, " apic_id ");
        text_decimal(&line, *percpu_field(i, PERCPU_APIC_ID));
        text_string(&line, " at ");
        text_hex(&line, percpu_address(i));
        text_string(&line, "\n");
        serial_out(buffer);
    }
}
