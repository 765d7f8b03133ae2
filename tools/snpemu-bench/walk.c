/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "walk.h"

#include <string.h>

#include "abi/msr.h"

#define LEVELS 4
#define ADDRESS_MASK (PTE_ADDR_MASK & ~CBIT_MASK) /* here the C-bit is just no address bit */

struct walk {
    uint32_t page[LEVELS], offset[LEVELS];
    uint64_t entry[LEVELS];
    unsigned depth;
    uint64_t size_bytes;
    bool writable, user, no_execute;
};

static bool walk_reserved(const struct mmu_context *context, uint64_t entry, unsigned level)
{
    uint64_t high = ADDRESS_MASK & ~((1ULL << MMU_GPA_BITS) - 1);

    if ((entry & high) || ((entry & PTE_NX) && !(context->efer & EFER_NXE))) {
        return true;
    }
    return (entry & PTE_LARGE) && (level == 4 || (level == 3 && (entry & 0x3FFFE000ULL)) ||
                                   (level == 2 && (entry & 0x1FE000ULL)));
}

static bool walk_tables(const struct mmu *mmu, const struct mmu_context *context, uint64_t gva,
                        struct walk *walk)
{
    uint64_t table = context->cr3 & ADDRESS_MASK;

    walk->depth = 0;
    walk->writable = true;
    walk->user = true;
    walk->no_execute = false;
    for (unsigned level = LEVELS; level > 0; level--) {
        unsigned shift = PAGE_SHIFT + 9 * (level - 1);
        uint64_t gpa = table + ((gva >> shift) & 0x1FF) * 8;
        uint32_t page = memory_page(mmu->memory, gpa);
        uint64_t entry;

        if (page == MEMORY_NO_PAGE) {
            return false;
        }
        memcpy(&entry, memory_bytes(mmu->memory, page) + (gpa & PAGE_MASK), 8);
        walk->page[walk->depth] = page;
        walk->offset[walk->depth] = gpa & PAGE_MASK;
        walk->entry[walk->depth++] = entry;
        if (!(entry & PTE_PRESENT) || walk_reserved(context, entry, level)) {
            return false;
        }
        walk->writable = walk->writable && (entry & PTE_WRITE);
        walk->user = walk->user && (entry & PTE_USER);
        walk->no_execute = walk->no_execute || (entry & PTE_NX);
        if (level == 1 || (entry & PTE_LARGE)) {
            walk->size_bytes = 1ULL << shift;
            return true;
        }
        table = entry & ADDRESS_MASK;
    }
    return false;
}

static bool walk_allowed(const struct mmu_context *context, const struct walk *walk,
                         enum mmu_access access)
{
    bool user_mode = context->cpl == 3;

    if (user_mode && !walk->user) {
        return false;
    }
    if (!user_mode && walk->user) {
        if (access == MMU_FETCH && (context->cr4 & CR4_SMEP)) {
            return false;
        }
        if (access != MMU_FETCH && (context->cr4 & CR4_SMAP) && !(context->rflags & RFLAGS_AC)) {
            return false;
        }
    }
    if (access == MMU_FETCH) {
        return !walk->no_execute;
    }
    return access != MMU_WRITE || walk->writable || (!user_mode && !(context->cr0 & CR0_WP));
}

static void walk_set_accessed(const struct mmu *mmu, const struct walk *walk, bool dirty)
{
    for (unsigned i = 0; i < walk->depth; i++) {
        bool leaf = i == walk->depth - 1;
        uint64_t entry = walk->entry[i] | PTE_ACCESSED | (leaf && dirty ? PTE_DIRTY : 0);

        if (entry != walk->entry[i]) {
            memcpy(memory_bytes_for_write(mmu->memory, walk->page[i]) + walk->offset[i], &entry, 8);
        }
    }
}

bool walk_translate(const struct mmu *mmu, const struct mmu_context *context, uint64_t gva,
                    enum mmu_access access, struct mmu_translation *translation,
                    struct mmu_fault *fault)
{
    struct walk walk;
    uint64_t leaf;

    memset(fault, 0, sizeof(*fault));
    fault->gva = gva;
    fault->access = access;
    if (!(context->cr0 & CR0_PG) || !(context->efer & EFER_LMA) || !mmu_canonical(gva) ||
        !walk_tables(mmu, context, gva, &walk) || !walk_allowed(context, &walk, access)) {
        return false;
    }
    walk_set_accessed(mmu, &walk, access == MMU_WRITE);
    leaf = walk.entry[walk.depth - 1] & ADDRESS_MASK;
    translation->gpa = (leaf & ~(walk.size_bytes - 1)) | (gva & (walk.size_bytes - 1));
    translation->page = memory_page(mmu->memory, translation->gpa);
    translation->private_access = true;
    translation->ciphertext = false;
    return translation->page != MEMORY_NO_PAGE;
}
