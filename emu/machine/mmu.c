/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/mmu.h"

#include <assert.h>
#include <string.h>

#include "abi/msr.h"

#define MMU_LEVELS_MAX 4
#define MMU_COPY_MAX 4096 /* mmu_write checks this many bytes before it stores one */

/* The walk's running state: rights are the AND of all levels. */
struct mmu_walk {
    /* Where the entry used at each level is: page of memory, and offset in it; leaf last. */
    uint32_t page[MMU_LEVELS_MAX];
    uint32_t offset[MMU_LEVELS_MAX];
    uint64_t entry[MMU_LEVELS_MAX];
    unsigned depth; /* entries used */
    uint64_t leaf;
    uint64_t page_size_bytes;
    bool writable, user, no_execute;
};

/* How the guest's tables are built. APM Vol 2 chapter 5. */
struct mmu_format {
    unsigned levels;
    unsigned entry_bytes;
    unsigned index_bits;
    uint64_t root_mask; /* of CR3 */
    bool cbit;          /* without: every access is private. APM Vol 2 15.34.4 */
};

static const struct mmu_format format_long = {4, 8, 9, PTE_ADDR_MASK & ~CBIT_MASK, true};
static const struct mmu_format format_pae = {3, 8, 9, 0xFFFFFFE0, true};
static const struct mmu_format format_legacy = {2, 4, 10, 0xFFFFF000, false};

/* NULL: not modelled. */
static const struct mmu_format *mmu_format(const struct mmu_context *context)
{
    if (context->efer & EFER_LMA) {
        return context->cr4 & CR4_LA57 ? NULL : &format_long;
    }
    return context->cr4 & CR4_PAE ? &format_pae : &format_legacy;
}

static unsigned format_shift(const struct mmu_format *format, unsigned level)
{
    return PAGE_SHIFT + format->index_bits * (level - 1);
}

/* Where the entry for gva is in the table of that level. */
static uint64_t format_entry(const struct mmu_format *format, uint64_t table, uint64_t gva,
                             unsigned level)
{
    uint64_t index = gva >> format_shift(format, level) & ((1u << format->index_bits) - 1);

    return table + index * format->entry_bytes;
}

/* The upper level of a PAE walk has four entries, and neither rights nor an accessed bit. */
static bool format_is_pointer(const struct mmu_format *format, unsigned level)
{
    return format == &format_pae && level == 3;
}

static bool format_is_leaf(const struct mmu_format *format, const struct mmu_context *context,
                           uint64_t entry, unsigned level)
{
    if (level == 1) {
        return true;
    }
    return (entry & PTE_LARGE) && (format != &format_legacy || (context->cr4 & CR4_PSE));
}

bool mmu_canonical(uint64_t gva)
{
    return (uint64_t)((int64_t)(gva << 16) >> 16) == gva;
}

static uint64_t mmu_table_gpa(uint64_t entry)
{
    return entry & PTE_ADDR_MASK & ~CBIT_MASK;
}

static bool mmu_fail(struct mmu_fault *fault, enum mmu_fault_kind kind)
{
    fault->kind = kind;
    return false;
}

static bool mmu_fail_pf(struct mmu_fault *fault, const struct mmu_context *context, uint32_t code)
{
    fault->error_code =
        code | (fault->access == MMU_WRITE ? PF_WRITE : 0) | (context->cpl == 3 ? PF_USER : 0);
    /* The fetch bit is reported only when it can make a difference. APM Vol 2 8.4.2. */
    if (fault->access == MMU_FETCH &&
        (((context->efer & EFER_NXE) && (context->cr4 & CR4_PAE)) || (context->cr4 & CR4_SMEP))) {
        fault->error_code |= PF_FETCH;
    }
    return mmu_fail(fault, MMU_FAULT_PF);
}

/* The RMP's word on a page: true when the access may go on. */
static bool mmu_check_page(const struct mmu *mmu, const struct mmu_context *context, uint64_t gpa,
                           enum rmp_access access, bool private_access,
                           struct mmu_translation *translation, struct mmu_fault *fault)
{
    struct rmp_place place = mmu_place(mmu, gpa);
    enum rmp_result result = RMP_OK;

    if (place.page != MEMORY_NO_PAGE) {
        result = rmp_check_place(mmu->rmp, &place, access, private_access, context->vmpl,
                                 context->cpl == 3);
        if (result == RMP_OK || result == RMP_CIPHERTEXT) {
            translation->page = place.page;
            translation->gpa = gpa;
            translation->private_access = private_access;
            translation->ciphertext = result == RMP_CIPHERTEXT;
            return true;
        }
    }
    fault->gpa = gpa & ~PAGE_MASK;
    fault->private_access = private_access;
    fault->walk = access == RMP_WALK;
    fault->absent = place.page == MEMORY_NO_PAGE;
    fault->reason = result;
    return mmu_fail(fault, result == RMP_VC_NOT_VALIDATED ? MMU_FAULT_VC : MMU_FAULT_NPF);
}

/* Bits that must be zero in a present entry. APM Vol 2 5.3.3 and 5.4. */
static bool mmu_reserved(const struct mmu_format *format, const struct mmu_context *context,
                         uint64_t entry, unsigned level)
{
    /* By level, of a large page; below its own alignment only bit 12 (PAT) may be set. */
    static const uint64_t large[] = {[2] = 0x1FE000, [3] = 0x3FFFE000, [4] = PTE_LARGE};
    uint64_t high = PTE_ADDR_MASK & ~CBIT_MASK & ~((1ULL << MMU_GPA_BITS) - 1);

    if (format == &format_legacy) { /* bits 20:13 of a large page belong to the address */
        return level == 2 && (entry & PTE_LARGE) && (context->cr4 & CR4_PSE) && (entry & 1u << 21);
    }
    if (format == &format_pae) {
        high |= 0x7FF0000000000000ULL;
    }
    if (context->virtual_tom_active) {
        high |= CBIT_MASK;
    }
    if (format_is_pointer(format, level)) {
        return entry & (high | PTE_NX | 0x1E6);
    }
    if ((entry & high) || ((entry & PTE_NX) && !(context->efer & EFER_NXE))) {
        return true;
    }
    return level > 1 && (entry & PTE_LARGE) && (entry & large[level]);
}

static bool mmu_walk_tables(const struct mmu *mmu, const struct mmu_format *format,
                            const struct mmu_context *context, uint64_t gva, struct mmu_walk *walk,
                            struct mmu_fault *fault)
{
    uint64_t table = context->cr3 & format->root_mask;
    struct mmu_translation place;

    walk->writable = true;
    walk->user = true;
    walk->no_execute = false;
    for (unsigned level = format->levels; level > 0; level--) {
        uint64_t gpa = format_entry(format, table, gva, level), entry = 0;

        if (!mmu_check_page(mmu, context, gpa, RMP_WALK, true, &place, fault)) {
            return false;
        }
        memcpy(&entry, memory_bytes(mmu->memory, place.page) + (gpa & PAGE_MASK),
               format->entry_bytes);
        walk->page[walk->depth] = place.page;
        walk->offset[walk->depth] = gpa & PAGE_MASK;
        walk->entry[walk->depth++] = entry;
        if (!(entry & PTE_PRESENT)) {
            return mmu_fail_pf(fault, context, 0);
        }
        if (mmu_reserved(format, context, entry, level)) {
            return mmu_fail_pf(fault, context, PF_PRESENT | PF_RESERVED);
        }
        if (!format_is_pointer(format, level)) {
            walk->writable = walk->writable && (entry & PTE_WRITE);
            walk->user = walk->user && (entry & PTE_USER);
            walk->no_execute = walk->no_execute || (entry & PTE_NX);
        }
        if (format_is_leaf(format, context, entry, level)) {
            walk->leaf = entry;
            walk->page_size_bytes = 1ULL << format_shift(format, level);
            return true;
        }
        table = mmu_table_gpa(entry);
    }
    return false;
}

/* The start of the page that a leaf leads to. */
static uint64_t mmu_leaf_gpa(const struct mmu_format *format, uint64_t leaf, uint64_t size_bytes)
{
    uint64_t gpa = mmu_table_gpa(leaf) & ~(size_bytes - 1);

    if (format == &format_legacy && size_bytes > PAGE_SIZE) {
        gpa |= (leaf >> 13 & 0xFF) << 32;
    }
    return gpa;
}

/* Rights of the finished walk. APM Vol 2 5.6. */
static bool mmu_allowed(const struct mmu_context *context, const struct mmu_walk *walk,
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
    if (access == MMU_WRITE && !walk->writable) {
        return !user_mode && !(context->cr0 & CR0_WP);
    }
    return true;
}

/*
 * Setting A and D is a checked write to the table's page (APM Vol 2 15.36.10); the walk has made
 * that check already, because its reads need the same rights.
 */
static void mmu_set_accessed(const struct mmu *mmu, const struct mmu_context *context,
                             const struct mmu_walk *walk, bool dirty)
{
    const struct mmu_format *format = mmu_format(context);

    for (unsigned i = 0; i < walk->depth; i++) {
        bool leaf = i == walk->depth - 1;
        uint64_t entry = walk->entry[i] | PTE_ACCESSED | (leaf && dirty ? PTE_DIRTY : 0);

        if (entry != walk->entry[i] && !format_is_pointer(format, format->levels - i)) {
            memcpy(memory_bytes_for_bits(mmu->memory, walk->page[i]) + walk->offset[i], &entry,
                   format->entry_bytes);
        }
    }
}

static enum rmp_access mmu_rmp_access(enum mmu_access access)
{
    static const enum rmp_access map[] = {
        [MMU_READ] = RMP_READ,
        [MMU_WRITE] = RMP_WRITE,
        [MMU_FETCH] = RMP_FETCH,
    };

    return map[access];
}

/* Where paging leads: the GPA and the C-bit, before the RMP is asked about the page itself. */
static bool mmu_page_walk(const struct mmu *mmu, const struct mmu_context *context, uint64_t gva,
                          struct mmu_walk *walk, uint64_t *gpa, bool *private_access,
                          struct mmu_fault *fault)
{
    const struct mmu_format *format = mmu_format(context);

    walk->depth = 0;
    if (!(context->cr0 & CR0_PG)) {
        /* Without paging every access is private. APM Vol 2 15.34.4. */
        *gpa = gva & 0xFFFFFFFFULL;
        if (context->virtual_tom_active && *gpa >= context->virtual_tom) {
            return mmu_fail(fault, MMU_FAULT_UNMODELLED);
        }
        *private_access = true;
        return true;
    }
    if (!format) {
        return mmu_fail(fault, MMU_FAULT_UNMODELLED);
    }
    if (format != &format_long) {
        gva &= UINT32_MAX;
    } else if (!mmu_canonical(gva)) {
        return mmu_fail(fault, MMU_FAULT_GP);
    }
    if (!mmu_walk_tables(mmu, format, context, gva, walk, fault)) {
        return false;
    }
    if (!mmu_allowed(context, walk, fault->access)) {
        return mmu_fail_pf(fault, context, PF_PRESENT);
    }
    *gpa = mmu_leaf_gpa(format, walk->leaf, walk->page_size_bytes) |
           (gva & (walk->page_size_bytes - 1));
    if (!context->virtual_tom_active) {
        *private_access =
            !format->cbit || fault->access == MMU_FETCH || (walk->leaf & CBIT_MASK) != 0;
        return true;
    }
    if (!format->cbit && *gpa >= context->virtual_tom) {
        return mmu_fail(fault, MMU_FAULT_UNMODELLED);
    }
    *private_access = fault->access == MMU_FETCH || *gpa < context->virtual_tom;
    return true;
}

bool mmu_translate(const struct mmu *mmu, const struct mmu_context *context, uint64_t gva,
                   enum mmu_access access, struct mmu_translation *translation,
                   struct mmu_fault *fault)
{
    struct mmu_walk walk;
    uint64_t gpa;
    bool private_access;

    memset(fault, 0, sizeof(*fault));
    fault->gva = gva;
    fault->access = access;
    if (!mmu_page_walk(mmu, context, gva, &walk, &gpa, &private_access, fault)) {
        return false;
    }
    mmu_set_accessed(mmu, context, &walk, access == MMU_WRITE);
    return mmu_check_page(mmu, context, gpa, mmu_rmp_access(access), private_access, translation,
                          fault);
}

bool mmu_settled(const struct mmu *mmu, const struct mmu_context *context, uint64_t gva,
                 enum mmu_access access, struct mmu_translation *translation,
                 uint32_t table[MMU_DEPTH_MAX], unsigned *depth)
{
    const struct mmu_format *format = mmu_format(context);
    struct mmu_walk walk;
    struct mmu_fault fault = {.access = access};
    uint64_t gpa;
    bool private_access;

    /* First without filling pages of tables that nobody has touched. */
    if (!mmu_peek_gpa(mmu, context, gva, &gpa) ||
        !mmu_page_walk(mmu, context, gva, &walk, &gpa, &private_access, &fault)) {
        return false;
    }
    for (unsigned i = 0; i < walk.depth; i++) {
        bool leaf = i == walk.depth - 1;
        uint64_t bits = PTE_ACCESSED | (leaf && access == MMU_WRITE ? PTE_DIRTY : 0);

        if ((walk.entry[i] & bits) != bits && !format_is_pointer(format, format->levels - i)) {
            return false;
        }
        table[i] = walk.page[i];
    }
    *depth = walk.depth;
    return mmu_check_page(mmu, context, gpa, mmu_rmp_access(access), private_access, translation,
                          &fault) &&
           !translation->ciphertext;
}

bool mmu_translate_operand(const struct mmu *mmu, const struct mmu_context *context, uint64_t gva,
                           struct mmu_translation *translation, struct mmu_fault *fault)
{
    struct mmu_walk walk;

    memset(fault, 0, sizeof(*fault));
    memset(translation, 0, sizeof(*translation));
    fault->gva = gva;
    fault->access = MMU_READ;
    if (!mmu_page_walk(mmu, context, gva, &walk, &translation->gpa, &translation->private_access,
                       fault)) {
        return false;
    }
    mmu_set_accessed(mmu, context, &walk, false);
    translation->page = memory_page(mmu->memory, translation->gpa);
    if (translation->page == MEMORY_NO_PAGE) {
        fault->gpa = translation->gpa & ~PAGE_MASK;
        fault->private_access = translation->private_access;
        fault->absent = true;
        return mmu_fail(fault, MMU_FAULT_NPF);
    }
    return true;
}

static size_t mmu_chunk(uint64_t gva, size_t size_bytes)
{
    size_t left = PAGE_SIZE - (gva & PAGE_MASK);

    return size_bytes < left ? size_bytes : left;
}

bool mmu_read(const struct mmu *mmu, const struct mmu_context *context, uint64_t gva, void *bytes,
              size_t size_bytes, struct mmu_fault *fault)
{
    uint8_t *out = bytes;

    while (size_bytes > 0) {
        size_t chunk = mmu_chunk(gva, size_bytes);
        struct mmu_translation place;

        if (!mmu_translate(mmu, context, gva, MMU_READ, &place, fault)) {
            return false;
        }
        if (place.ciphertext) {
            place.page = memory_cipher_page(mmu->memory);
            memcpy(out, mmu->memory->ram + (size_t)place.page * PAGE_SIZE + (gva & PAGE_MASK),
                   chunk);
        } else {
            memcpy(out, memory_bytes(mmu->memory, place.page) + (gva & PAGE_MASK), chunk);
        }
        out += chunk;
        gva += chunk;
        size_bytes -= chunk;
    }
    return true;
}

bool mmu_write(const struct mmu *mmu, const struct mmu_context *context, uint64_t gva,
               const void *bytes, size_t size_bytes, struct mmu_fault *fault)
{
    struct mmu_translation place[2];
    size_t chunk = mmu_chunk(gva, size_bytes);

    assert(size_bytes <= MMU_COPY_MAX);
    if (!mmu_translate(mmu, context, gva, MMU_WRITE, &place[0], fault)) {
        return false;
    }
    if (chunk < size_bytes &&
        !mmu_translate(mmu, context, gva + chunk, MMU_WRITE, &place[1], fault)) {
        return false;
    }
    memcpy(memory_bytes_for_write(mmu->memory, place[0].page) + (gva & PAGE_MASK), bytes, chunk);
    if (chunk < size_bytes) {
        memcpy(memory_bytes_for_write(mmu->memory, place[1].page), (const uint8_t *)bytes + chunk,
               size_bytes - chunk);
    }
    return true;
}

/* No checks but those that keep it inside memory. */
bool mmu_peek_gpa(const struct mmu *mmu, const struct mmu_context *context, uint64_t gva,
                  uint64_t *gpa)
{
    const struct mmu_format *format = mmu_format(context);
    uint64_t table;

    if (!(context->cr0 & CR0_PG)) {
        *gpa = gva & 0xFFFFFFFFULL;
        return true;
    }
    if (!format || (format == &format_long && !mmu_canonical(gva))) {
        return false;
    }
    gva &= format == &format_long ? ~0ULL : UINT32_MAX;
    table = context->cr3 & format->root_mask;
    for (unsigned level = format->levels; level > 0; level--) {
        uint64_t entry_gpa = format_entry(format, table, gva, level), entry = 0;
        uint32_t page = memory_page(mmu->memory, entry_gpa);

        if (page == MEMORY_NO_PAGE || !(mmu->memory->flags[page] & MEMORY_TOUCHED)) {
            return false;
        }
        memcpy(&entry, memory_bytes(mmu->memory, page) + (entry_gpa & PAGE_MASK),
               format->entry_bytes);
        if (!(entry & PTE_PRESENT)) {
            return false;
        }
        if (format_is_leaf(format, context, entry, level)) {
            uint64_t size = 1ULL << format_shift(format, level);

            *gpa = mmu_leaf_gpa(format, entry, size) | (gva & (size - 1));
            return level < 4;
        }
        table = mmu_table_gpa(entry);
    }
    return false;
}

size_t mmu_peek(const struct mmu *mmu, const struct mmu_context *context, uint64_t gva, void *bytes,
                size_t size_bytes)
{
    size_t done = 0;

    while (done < size_bytes) {
        size_t chunk = mmu_chunk(gva + done, size_bytes - done);
        uint64_t gpa;
        uint32_t page;

        if (!mmu_peek_gpa(mmu, context, gva + done, &gpa)) {
            break;
        }
        page = memory_page(mmu->memory, gpa);
        if (page == MEMORY_NO_PAGE || !(mmu->memory->flags[page] & MEMORY_TOUCHED)) {
            break;
        }
        memcpy((uint8_t *)bytes + done, memory_bytes(mmu->memory, page) + (gpa & PAGE_MASK), chunk);
        done += chunk;
    }
    return done;
}
