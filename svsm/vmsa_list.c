/* SPDX-License-Identifier: MIT */
#include "vmsa_list.h"

#include "alloc.h"
#include "percpu.h"
#include "vc.h"

#define VMSAS_PER_CPU 2

struct vmsa_record {
    u64 gpa;
    u64 cpu;
};

static struct vmsa_record *VMSA_LIST;
static u64 VMSA_COUNT; /* of those in use, which come first */

static u64 list_capacity(void)
{
    return CPU_COUNT * VMSAS_PER_CPU;
}

void vmsa_list_init(void)
{
    u64 size_bytes = list_capacity() * sizeof(struct vmsa_record);
    u64 gpa = mem_allocate_frames((size_bytes + PAGE_MASK) / PAGE_SIZE);

    if (gpa == 0) {
        vc_fail(SVSM_FAIL_NO_MEMORY);
    }
    VMSA_LIST = (struct vmsa_record *)gpa_to_va(gpa);
}

bool vmsa_list_add(u64 gpa, u64 cpu)
{
    if (VMSA_COUNT == list_capacity()) {
        return false;
    }
    VMSA_LIST[VMSA_COUNT++] = (struct vmsa_record){gpa, cpu};
    return true;
}

static struct vmsa_record *list_find(u64 gpa)
{
    for (u64 i = 0; i < VMSA_COUNT; i++) {
        if (VMSA_LIST[i].gpa == gpa) {
            return &VMSA_LIST[i];
        }
    }
    return NULL;
}

bool vmsa_list_find(u64 gpa, u64 *cpu)
{
    const struct vmsa_record *record = list_find(gpa);

    if (record == NULL) {
        return false;
    }
    *cpu = record->cpu;
    return true;
}

void vmsa_list_remove(u64 gpa)
{
    struct vmsa_record *record = list_find(gpa);

    if (record != NULL) {
        *record = VMSA_LIST[--VMSA_COUNT];
    }
}

bool vmsa_list_overlaps(u64 gpa, u64 size_bytes)
{
    for (u64 i = 0; i < VMSA_COUNT; i++) {
        if (VMSA_LIST[i].gpa < gpa + size_bytes && gpa < VMSA_LIST[i].gpa + PAGE_SIZE) {
            return true;
        }
    }
    return false;
}
