/* SPDX-License-Identifier: MIT */
/*
 * CPUID without the instruction: the page that the AMD-SP checked at launch, and the hypervisor
 * for what only it knows. Here that is the x2APIC ID in leaf 0xB, the one leaf this image asks for.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/cpu/vc.rs, vc_cpuid.
 */
#include "abi/cpuid.h"
#include "vc.h"

/* Second of the three pages that follow the image. */
#define CPUID_PAGE (edata + PAGE_SIZE)

struct cpuid_entry {
    u32 eax_in, ecx_in;
    u64 xcr0_in, xss_in;
    u32 eax, ebx, ecx, edx;
    u64 reserved;
};
_Static_assert(sizeof(struct cpuid_entry) == CPUID_ENTRY_SIZE, "as in the CPUID page");

static bool cpuid_is_subleaf_used(u32 leaf)
{
    static const u32 with_subleaf[] = {0x7, 0xb, 0xd, 0xf, 0x10, 0x8000001d, 0x80000020};

    for (size_t i = 0; i < sizeof(with_subleaf) / sizeof(with_subleaf[0]); i++) {
        if (leaf == with_subleaf[i]) {
            return true;
        }
    }
    return false;
}

/* The first entry that matches, among the first 64 at most. */
static const struct cpuid_entry *cpuid_find_entry(u32 leaf, u32 subleaf)
{
    const struct cpuid_entry *entry = (const void *)(CPUID_PAGE + CPUID_PAGE_ENTRIES);
    u32 count = *(const u32 *)(CPUID_PAGE + CPUID_PAGE_COUNT);
    bool subleaf_used = cpuid_is_subleaf_used(leaf);

    for (u32 i = 0; i < count && i < CPUID_ENTRY_MAX; i++) {
        if (entry[i].eax_in == leaf && (!subleaf_used || entry[i].ecx_in == subleaf)) {
            return &entry[i];
        }
    }
    return NULL;
}

/* All zero, without an exit, when the page does not hold the leaf. */
void vc_cpuid(u32 leaf, u32 subleaf, struct cpuid_regs *regs)
{
    const struct cpuid_entry *entry = cpuid_find_entry(leaf, subleaf);

    *regs = (struct cpuid_regs){0};
    if (entry == NULL) {
        return;
    }
    *regs = (struct cpuid_regs){entry->eax, entry->ebx, entry->ecx, entry->edx};
    if (leaf == CPUID_LEAF_EXTENDED_TOPOLOGY) {
        struct cpuid_regs answer;

        vc_cpuid_vmgexit(leaf, subleaf, &answer);
        regs->edx = answer.edx;
    }
}
