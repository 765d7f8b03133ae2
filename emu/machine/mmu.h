/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Address translation as an SNP guest sees it: the walk of its page tables, the C-bit, the RMP.
 *
 * Source: AMD APM Vol 2 (24593) chapter 5 (paging: 64-bit with four levels, PAE, and the
 * oldest), 15.34.4 to 15.34.6 (C-bit), 15.36.8 (virtual TOM), 15.36.10 (RMP checks, which come
 * after all paging checks).
 */
#ifndef SNPEMU_MACHINE_MMU_H
#define SNPEMU_MACHINE_MMU_H

#include <stdbool.h>
#include <stdint.h>

#include "machine/memory.h"
#include "machine/rmp.h"

/* Guest physical addresses have 48 bits, as CPUID 0x80000008 of the modelled processor says. */
#define MMU_GPA_BITS 48

enum mmu_access {
    MMU_READ,
    MMU_WRITE,
    MMU_FETCH,
};

/* The registers that a translation depends on. */
struct mmu_context {
    uint64_t cr0, cr3, cr4, efer;
    uint64_t rflags; /* counts only with SMAP */
    unsigned cpl;
    unsigned vmpl;
    /* SEV_FEATURES has it: data below virtual_tom are private, others shared, by address alone. */
    bool virtual_tom_active;
    uint64_t virtual_tom;
};

struct mmu {
    struct memory *memory; /* not owned */
    struct rmp *rmp;       /* not owned */
};

/* Where a GPA leads; page is MEMORY_NO_PAGE when there is no memory. */
static inline struct rmp_place mmu_place(const struct mmu *mmu, uint64_t gpa)
{
    struct rmp_place place = {.guest_page = memory_guest_page(mmu->memory, gpa)};

    place.page = place.guest_page;
    if (mmu->memory->nested && place.page != MEMORY_NO_PAGE) {
        place.page = memory_page(mmu->memory, gpa);
        place.nested_small = memory_nested_small(mmu->memory, place.guest_page);
    }
    return place;
}

struct mmu_translation {
    uint64_t gpa;        /* without the C-bit */
    uint32_t page;       /* of memory */
    bool private_access; /* the leaf's C-bit, or paging disabled, or a fetch */
    bool ciphertext;     /* shared read of an assigned page */
};

enum mmu_fault_kind {
    MMU_FAULT_PF,         /* #PF with error_code, CR2 = gva */
    MMU_FAULT_GP,         /* non-canonical address: #GP(0) */
    MMU_FAULT_VC,         /* #VC 0x404, CR2 = gva */
    MMU_FAULT_NPF,        /* nested page fault to the host, reason below */
    MMU_FAULT_UNMODELLED, /* a paging mode that is not modelled */
};

struct mmu_fault {
    enum mmu_fault_kind kind;
    enum mmu_access access;
    uint64_t gva;
    uint32_t error_code;    /* MMU_FAULT_PF */
    uint64_t gpa;           /* MMU_FAULT_NPF, MMU_FAULT_VC: the page, C-bit removed */
    bool absent;            /* MMU_FAULT_NPF: no memory at gpa at all */
    bool walk;              /* the access that failed was to a page table */
    bool private_access;    /* effective C-bit of the failing access */
    enum rmp_result reason; /* MMU_FAULT_NPF with !absent */
};

/* Bits 63 to 47 are all equal: an address that four-level paging can translate. */
bool mmu_canonical(uint64_t gva);

/*
 * Translate one access to the byte at gva, with all its side effects (accessed and dirty bits).
 * True with `translation`, or false with `fault` and no side effect but A bits on the way.
 */
bool mmu_translate(const struct mmu *mmu, const struct mmu_context *context, uint64_t gva,
                   enum mmu_access access, struct mmu_translation *translation,
                   struct mmu_fault *fault);

/*
 * The same, when it would succeed and have no side effect: true, with the `depth` pages of tables
 * on the way. False otherwise, and nothing was changed.
 */
#define MMU_DEPTH_MAX 4
bool mmu_settled(const struct mmu *mmu, const struct mmu_context *context, uint64_t gva,
                 enum mmu_access access, struct mmu_translation *translation,
                 uint32_t table[MMU_DEPTH_MAX], unsigned *depth);

/*
 * Where PVALIDATE and RMPADJUST find their page: a supervisor data access as far as paging goes,
 * without the RMP's word on the page itself, which is the instruction's own business.
 */
bool mmu_translate_operand(const struct mmu *mmu, const struct mmu_context *context, uint64_t gva,
                           struct mmu_translation *translation, struct mmu_fault *fault);

/*
 * Copy between the guest's address space and the emulator, as a supervisor data access of the
 * guest would. size_bytes may cross pages. False with `fault` at the first byte that faults; a
 * write is checked whole before its first byte is stored.
 */
bool mmu_read(const struct mmu *mmu, const struct mmu_context *context, uint64_t gva, void *bytes,
              size_t size_bytes, struct mmu_fault *fault);
bool mmu_write(const struct mmu *mmu, const struct mmu_context *context, uint64_t gva,
               const void *bytes, size_t size_bytes, struct mmu_fault *fault);

/*
 * Look without touching: no A or D bits, no RMP checks, no faults. For symbols, decoding and
 * debuggers. Where gva leads, if it is mapped; and how many bytes could be read there.
 */
bool mmu_peek_gpa(const struct mmu *mmu, const struct mmu_context *context, uint64_t gva,
                  uint64_t *gpa);
size_t mmu_peek(const struct mmu *mmu, const struct mmu_context *context, uint64_t gva, void *bytes,
                size_t size_bytes);

#endif
