/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * machine/mmu.c: the walk of the guest's tables, the C-bit, the RMP's word on what it leads to.
 *
 * Source of the expectations: AMD APM Vol 2 (24593) 5.3 (tables, page sizes, reserved bits), 5.4.1
 * (A and D bits), 5.6 (protection), 8.2.15 (error codes of #PF), 15.34.4 to 15.34.6 (C-bit),
 * 15.36.10 (RMP checks and their priority).
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "abi/msr.h"
#include "guest_builder.h"

#define SIZE_4K PAGE_SIZE
#define SIZE_2M LARGE_PAGE_SIZE
#define SIZE_1G 0x40000000ULL

/* One address for each page size; all lead to GUEST_GPA + GUEST_DATA and further. */
#define GVA_4K (GUEST_UNMAPPED + 0x10000)
#define GVA_2M 0x40000000ULL
#define GVA_1G 0x80000000ULL

#define USER PTE_USER
#define NX PTE_NX

static struct guest guest;

static void setup(void)
{
    guest_open(&guest);
}

static void teardown(void)
{
    guest_close(&guest);
}

/* ---- one access ---- */

/* What is not given is zero: a supervisor's read through a good private page. */
struct access_row {
    const char *name;
    uint64_t size;             /* of the page; 0: 4 KiB */
    uint64_t leaf, leaf_clear; /* bits changed in the leaf */
    unsigned level;            /* bits changed in the entry of that level; 0: none */
    uint64_t upper, upper_clear;
    uint64_t cr0_clear, cr4, efer_clear, rflags;
    unsigned cpl;
    enum mmu_access access;
    bool refused; /* then kind and code, else a good translation */
    enum mmu_fault_kind kind;
    uint32_t code;
};

#define OK .refused = false
#define PF(c) .refused = true, .kind = MMU_FAULT_PF, .code = (c)

static const struct access_row access_rows[] = {
    {.name = "read", OK},
    {.name = "write", .access = MMU_WRITE, OK},
    {.name = "fetch", .access = MMU_FETCH, OK},
    {.name = "2 MiB read", .size = SIZE_2M, OK},
    {.name = "2 MiB write", .size = SIZE_2M, .access = MMU_WRITE, OK},
    {.name = "2 MiB fetch", .size = SIZE_2M, .access = MMU_FETCH, OK},
    {.name = "1 GiB read", .size = SIZE_1G, OK},
    {.name = "1 GiB write", .size = SIZE_1G, .access = MMU_WRITE, OK},
    {.name = "1 GiB fetch", .size = SIZE_1G, .access = MMU_FETCH, OK},
    /* Not present */
    {.name = "not present, read", .leaf_clear = PTE_PRESENT, PF(0)},
    {.name = "not present, write", .leaf_clear = PTE_PRESENT, .access = MMU_WRITE, PF(PF_WRITE)},
    {.name = "not present, user read", .leaf_clear = PTE_PRESENT, .cpl = 3, PF(PF_USER)},
    {.name = "not present, fetch", .leaf_clear = PTE_PRESENT, .access = MMU_FETCH, PF(PF_FETCH)},
    {.name = "not present, fetch without NXE",
     .leaf_clear = PTE_PRESENT,
     .efer_clear = EFER_NXE,
     .access = MMU_FETCH,
     PF(0)},
    {.name = "not present, fetch with SMEP alone",
     .leaf_clear = PTE_PRESENT,
     .efer_clear = EFER_NXE,
     .cr4 = CR4_SMEP,
     .access = MMU_FETCH,
     PF(PF_FETCH)},
    {.name = "level 4 not present", .level = 4, .upper_clear = PTE_PRESENT, PF(0)},
    {.name = "level 3 not present", .level = 3, .upper_clear = PTE_PRESENT, PF(0)},
    {.name = "level 2 not present", .level = 2, .upper_clear = PTE_PRESENT, PF(0)},
    {.name = "2 MiB not present", .size = SIZE_2M, .leaf_clear = PTE_PRESENT, PF(0)},
    {.name = "reserved bits do not count when not present",
     .leaf = 1ULL << 50,
     .leaf_clear = PTE_PRESENT,
     PF(0)},
    /* Read-only pages and CR0.WP */
    {.name = "read-only, read", .leaf_clear = PTE_WRITE, OK},
    {.name = "read-only, write",
     .leaf_clear = PTE_WRITE,
     .access = MMU_WRITE,
     PF(PF_PRESENT | PF_WRITE)},
    {.name = "read-only, write without WP",
     .leaf_clear = PTE_WRITE,
     .cr0_clear = CR0_WP,
     .access = MMU_WRITE,
     OK},
    {.name = "read-only, user write",
     .leaf = USER,
     .leaf_clear = PTE_WRITE,
     .cpl = 3,
     .access = MMU_WRITE,
     PF(PF_PRESENT | PF_WRITE | PF_USER)},
    {.name = "read-only, user write without WP",
     .leaf = USER,
     .leaf_clear = PTE_WRITE,
     .cpl = 3,
     .cr0_clear = CR0_WP,
     .access = MMU_WRITE,
     PF(PF_PRESENT | PF_WRITE | PF_USER)},
    {.name = "read-only at level 3",
     .level = 3,
     .upper_clear = PTE_WRITE,
     .access = MMU_WRITE,
     PF(PF_PRESENT | PF_WRITE)},
    {.name = "read-only at level 3, read", .level = 3, .upper_clear = PTE_WRITE, OK},
    {.name = "2 MiB read-only, write",
     .size = SIZE_2M,
     .leaf_clear = PTE_WRITE,
     .access = MMU_WRITE,
     PF(PF_PRESENT | PF_WRITE)},
    /* User and supervisor, SMEP, SMAP */
    {.name = "user page, user read", .leaf = USER, .cpl = 3, OK},
    {.name = "user page, user write", .leaf = USER, .cpl = 3, .access = MMU_WRITE, OK},
    {.name = "user page, user fetch", .leaf = USER, .cpl = 3, .access = MMU_FETCH, OK},
    {.name = "supervisor page, user read", .cpl = 3, PF(PF_PRESENT | PF_USER)},
    {.name = "supervisor page, user write",
     .cpl = 3,
     .access = MMU_WRITE,
     PF(PF_PRESENT | PF_USER | PF_WRITE)},
    {.name = "supervisor page, user fetch",
     .cpl = 3,
     .access = MMU_FETCH,
     PF(PF_PRESENT | PF_USER | PF_FETCH)},
    {.name = "supervisor at level 2, user read",
     .leaf = USER,
     .level = 2,
     .upper_clear = USER,
     .cpl = 3,
     PF(PF_PRESENT | PF_USER)},
    {.name = "supervisor at level 4, user read",
     .leaf = USER,
     .level = 4,
     .upper_clear = USER,
     .cpl = 3,
     PF(PF_PRESENT | PF_USER)},
    {.name = "user page, supervisor read", .leaf = USER, OK},
    {.name = "user page, supervisor fetch", .leaf = USER, .access = MMU_FETCH, OK},
    {.name = "SMEP, supervisor fetch",
     .leaf = USER,
     .cr4 = CR4_SMEP,
     .access = MMU_FETCH,
     PF(PF_PRESENT | PF_FETCH)},
    {.name = "SMEP, supervisor read", .leaf = USER, .cr4 = CR4_SMEP, OK},
    {.name = "SMEP, user fetch", .leaf = USER, .cr4 = CR4_SMEP, .cpl = 3, .access = MMU_FETCH, OK},
    {.name = "SMEP, supervisor page", .cr4 = CR4_SMEP, .access = MMU_FETCH, OK},
    {.name = "SMAP, supervisor read", .leaf = USER, .cr4 = CR4_SMAP, PF(PF_PRESENT)},
    {.name = "SMAP, supervisor write",
     .leaf = USER,
     .cr4 = CR4_SMAP,
     .access = MMU_WRITE,
     PF(PF_PRESENT | PF_WRITE)},
    {.name = "SMAP and AC, supervisor read",
     .leaf = USER,
     .cr4 = CR4_SMAP,
     .rflags = RFLAGS_AC,
     OK},
    {.name = "SMAP and AC, supervisor write",
     .leaf = USER,
     .cr4 = CR4_SMAP,
     .rflags = RFLAGS_AC,
     .access = MMU_WRITE,
     OK},
    {.name = "SMAP, supervisor fetch", .leaf = USER, .cr4 = CR4_SMAP, .access = MMU_FETCH, OK},
    {.name = "SMAP, user read", .leaf = USER, .cr4 = CR4_SMAP, .cpl = 3, OK},
    {.name = "SMAP, supervisor page", .cr4 = CR4_SMAP, OK},
    {.name = "SMAP, page is the supervisor's at level 3",
     .leaf = USER,
     .level = 3,
     .upper_clear = USER,
     .cr4 = CR4_SMAP,
     OK},
    /* NX */
    {.name = "NX, fetch", .leaf = NX, .access = MMU_FETCH, PF(PF_PRESENT | PF_FETCH)},
    {.name = "NX, read", .leaf = NX, OK},
    {.name = "NX, write", .leaf = NX, .access = MMU_WRITE, OK},
    {.name = "NX, user fetch",
     .leaf = NX | USER,
     .cpl = 3,
     .access = MMU_FETCH,
     PF(PF_PRESENT | PF_USER | PF_FETCH)},
    {.name = "NX at level 4, fetch",
     .level = 4,
     .upper = NX,
     .access = MMU_FETCH,
     PF(PF_PRESENT | PF_FETCH)},
    {.name = "NX at level 2, read", .level = 2, .upper = NX, OK},
    {.name = "2 MiB NX, fetch",
     .size = SIZE_2M,
     .leaf = NX,
     .access = MMU_FETCH,
     PF(PF_PRESENT | PF_FETCH)},
    {.name = "1 GiB NX, fetch",
     .size = SIZE_1G,
     .leaf = NX,
     .access = MMU_FETCH,
     PF(PF_PRESENT | PF_FETCH)},
    {.name = "NX is reserved without NXE",
     .leaf = NX,
     .efer_clear = EFER_NXE,
     PF(PF_PRESENT | PF_RESERVED)},
    {.name = "NX is reserved without NXE, fetch",
     .leaf = NX,
     .efer_clear = EFER_NXE,
     .access = MMU_FETCH,
     PF(PF_PRESENT | PF_RESERVED)},
    {.name = "NX is reserved without NXE, level 4",
     .level = 4,
     .upper = NX,
     .efer_clear = EFER_NXE,
     PF(PF_PRESENT | PF_RESERVED)},
    {.name = "no NX, no NXE, fetch", .efer_clear = EFER_NXE, .access = MMU_FETCH, OK},
    /* Reserved bits: physical addresses have 48 bits, bit 51 is the C-bit */
    {.name = "address bit 48", .leaf = 1ULL << 48, PF(PF_PRESENT | PF_RESERVED)},
    {.name = "address bit 50", .leaf = 1ULL << 50, PF(PF_PRESENT | PF_RESERVED)},
    {.name = "address bit 49, user write",
     .leaf = 1ULL << 49 | USER,
     .cpl = 3,
     .access = MMU_WRITE,
     PF(PF_PRESENT | PF_RESERVED | PF_USER | PF_WRITE)},
    {.name = "address bit 48 at level 3",
     .level = 3,
     .upper = 1ULL << 48,
     PF(PF_PRESENT | PF_RESERVED)},
    {.name = "reserved bit and no right: reserved",
     .leaf = 1ULL << 48,
     .cpl = 3,
     PF(PF_PRESENT | PF_RESERVED | PF_USER)},
    {.name = "page size bit at level 4",
     .level = 4,
     .upper = PTE_LARGE,
     PF(PF_PRESENT | PF_RESERVED)},
    {.name = "at level 1 it is PAT", .leaf = PTE_LARGE, OK},
    {.name = "2 MiB, address bit 13",
     .size = SIZE_2M,
     .leaf = 1ULL << 13,
     PF(PF_PRESENT | PF_RESERVED)},
    {.name = "2 MiB, address bit 20",
     .size = SIZE_2M,
     .leaf = 1ULL << 20,
     PF(PF_PRESENT | PF_RESERVED)},
    {.name = "2 MiB, bit 12 is PAT", .size = SIZE_2M, .leaf = 1ULL << 12, OK},
    {.name = "1 GiB, address bit 13",
     .size = SIZE_1G,
     .leaf = 1ULL << 13,
     PF(PF_PRESENT | PF_RESERVED)},
    {.name = "1 GiB, address bit 29",
     .size = SIZE_1G,
     .leaf = 1ULL << 29,
     PF(PF_PRESENT | PF_RESERVED)},
    {.name = "1 GiB, bit 12 is PAT", .size = SIZE_1G, .leaf = 1ULL << 12, OK},
    {.name = "bits 11:9 and 62:52 are software's", .leaf = 0x7FF0000000000E00ULL, OK},
    /* The C-bit above the leaf is accepted and ignored */
    {.name = "C-bit at level 4", .level = 4, .upper = CBIT_MASK, OK},
    {.name = "C-bit at level 2", .level = 2, .upper = CBIT_MASK, OK},
};

static uint64_t row_gva(const struct access_row *row)
{
    return row->size == SIZE_1G   ? GVA_1G + GUEST_DATA + 0x123
           : row->size == SIZE_2M ? GVA_2M + GUEST_DATA + 0x123
                                  : GVA_4K + 0x123;
}

static unsigned row_leaf_level(const struct access_row *row)
{
    return row->size == SIZE_1G ? 3 : row->size == SIZE_2M ? 2 : 1;
}

static void row_map(const struct access_row *row)
{
    uint64_t gva = row_gva(row);
    uint64_t *leaf;

    if (row->size > SIZE_4K) {
        guest_map(&guest, gva, GUEST_GPA, row->size, GUEST_PRIVATE);
    } else {
        guest_map(&guest, gva, GUEST_GPA + GUEST_DATA, SIZE_4K, GUEST_PRIVATE);
    }
    leaf = guest_entry(&guest, gva, row_leaf_level(row));
    *leaf = (*leaf | row->leaf) & ~row->leaf_clear;
}

/* After the leaf: from here on the tables may not lead down any more. */
static void row_bend_upper(const struct access_row *row)
{
    if (row->level) {
        uint64_t *entry = guest_entry(&guest, row_gva(row), row->level);

        *entry = (*entry | row->upper) & ~row->upper_clear;
    }
}

static struct mmu_context row_context(const struct access_row *row)
{
    struct mmu_context context = guest_context(&guest);

    context.cr0 &= ~row->cr0_clear;
    context.cr4 |= row->cr4;
    context.efer &= ~row->efer_clear;
    context.rflags |= row->rflags;
    context.cpl = row->cpl;
    return context;
}

START_TEST(access_table)
{
    const struct access_row *row = &access_rows[_i];
    uint64_t gva = row_gva(row);
    struct mmu_context context = row_context(row);
    struct mmu_translation place;
    struct mmu_fault fault;
    uint64_t *leaf, leaf_before;
    bool done;

    row_map(row);
    leaf = guest_entry(&guest, gva, row_leaf_level(row));
    leaf_before = *leaf;
    row_bend_upper(row);
    done = mmu_translate(&guest.machine.mmu, &context, gva, row->access, &place, &fault);
    ck_assert_msg(done == !row->refused, "%s: kind %d, code 0x%x", row->name, fault.kind,
                  fault.error_code);
    if (done) {
        ck_assert_msg(place.gpa == GUEST_GPA + GUEST_DATA + 0x123, "%s: gpa 0x%llx", row->name,
                      (unsigned long long)place.gpa);
        ck_assert_uint_eq(place.page, guest_page(&guest, GUEST_GPA + GUEST_DATA));
        ck_assert(place.private_access && !place.ciphertext);
        ck_assert_msg((*leaf & PTE_ACCESSED) && !(*leaf & PTE_DIRTY) == (row->access != MMU_WRITE),
                      "%s: leaf 0x%llx", row->name, (unsigned long long)*leaf);
        return;
    }
    ck_assert_msg(fault.kind == row->kind, "%s: kind %d", row->name, fault.kind);
    ck_assert_msg(fault.error_code == row->code, "%s: code 0x%x", row->name, fault.error_code);
    ck_assert_uint_eq(fault.gva, gva);
    ck_assert_msg(*leaf == leaf_before, "%s: leaf 0x%llx", row->name, (unsigned long long)*leaf);
}
END_TEST

/* ---- addresses that are none ---- */

static const struct {
    const char *name;
    uint64_t gva;
    bool canonical;
} canonical_rows[] = {
    {"the last of the lower half", 0x00007FFFFFFFFFFFULL, true},
    {"the first after it", 0x0000800000000000ULL, false},
    {"the last before the upper half", 0xFFFF7FFFFFFFFFFFULL, false},
    {"the first of the upper half", 0xFFFF800000000000ULL, true},
    {"the very last", 0xFFFFFFFFFFFFFFFFULL, true},
    {"a C-bit in a virtual address", CBIT_MASK | GUEST_DATA, false},
};

START_TEST(canonical_table)
{
    struct mmu_context context = guest_context(&guest);
    struct mmu_translation place;
    struct mmu_fault fault;

    ck_assert(!mmu_translate(&guest.machine.mmu, &context, canonical_rows[_i].gva, MMU_READ, &place,
                             &fault));
    ck_assert_msg(fault.kind == (canonical_rows[_i].canonical ? MMU_FAULT_PF : MMU_FAULT_GP),
                  "%s: kind %d", canonical_rows[_i].name, fault.kind);
}
END_TEST

START_TEST(upper_half)
{
    struct mmu_context context = guest_context(&guest);
    uint64_t gva = 0xFFFFFFFFFFFFF000ULL;
    struct mmu_translation place;
    struct mmu_fault fault;

    guest_map(&guest, gva, GUEST_GPA + GUEST_DATA, SIZE_4K, GUEST_PRIVATE);
    ck_assert(mmu_translate(&guest.machine.mmu, &context, gva + 0xFFF, MMU_READ, &place, &fault));
    ck_assert_uint_eq(place.gpa, GUEST_GPA + GUEST_DATA + 0xFFF);
}
END_TEST

/* ---- other paging modes ---- */

static const struct {
    const char *name;
    uint64_t cr0_clear, cr4, efer_clear;
    bool done;
} mode_rows[] = {
    {"no paging: everything is private", CR0_PG, 0, 0, true},
    {"five levels are not modelled", 0, CR4_LA57, 0, false},
};

START_TEST(mode_table)
{
    struct mmu_context context = guest_context(&guest);
    struct mmu_translation place;
    struct mmu_fault fault;

    context.cr0 &= ~mode_rows[_i].cr0_clear;
    context.cr4 |= mode_rows[_i].cr4;
    context.efer &= ~mode_rows[_i].efer_clear;
    ck_assert_msg(mmu_translate(&guest.machine.mmu, &context, GUEST_GPA + GUEST_DATA, MMU_WRITE,
                                &place, &fault) == mode_rows[_i].done,
                  "%s", mode_rows[_i].name);
    if (mode_rows[_i].done) {
        ck_assert_uint_eq(place.gpa, GUEST_GPA + GUEST_DATA);
        ck_assert(place.private_access);
    } else {
        ck_assert_int_eq(fault.kind, MMU_FAULT_UNMODELLED);
    }
}
END_TEST

/* ---- 32-bit paging ---- */

/* Tables in GUEST_DATA: root, then directory, then table; entries of 8 bytes, or of 4. */
#define ROOT_32 (GUEST_GPA + GUEST_DATA + 0x20) /* a PAE root is aligned to 32 bytes */
#define DIRECTORY_32 (GUEST_GPA + GUEST_DATA + 0x1000)
#define TABLE_32 (GUEST_GPA + GUEST_DATA + 0x2000)
#define LEAF_32 (GUEST_GPA + GUEST_DATA + 0x8000)
#define GVA_32 0x40A05678ULL /* PAE: 1, 5, 5; the older format: 0x102, 0x205 */
#define LEAF_LARGE GUEST_REGION(1)
#define USUAL (PTE_PRESENT | PTE_WRITE | PTE_USER)

enum format_32 { PAE, PAE_LARGE, OLD, OLD_LARGE, OLD_WITHOUT_PSE };

static const struct row_32 {
    const char *name;
    enum format_32 format;
    uint64_t root, directory, leaf; /* bits changed in that entry */
    uint64_t gva_high;              /* added: does not count */
    uint64_t efer, cr0;             /* bits besides */
    unsigned cpl;
    enum mmu_access access;
    int code; /* of the #PF; -1: a translation */
    bool shared;
} rows_32[] = {
    {.name = "PAE", .format = PAE, .code = -1},
    {.name = "PAE, upper half of the address", .format = PAE, .gva_high = 1ULL << 32, .code = -1},
    {.name = "PAE, write", .format = PAE, .access = MMU_WRITE, .code = -1},
    {.name = "PAE, 2 MiB", .format = PAE_LARGE, .access = MMU_WRITE, .code = -1},
    {.name = "PAE, C = 0", .format = PAE, .leaf = CBIT_MASK, .code = -1, .shared = true},
    {.name = "PAE, fetch with C = 0",
     .format = PAE,
     .leaf = CBIT_MASK,
     .access = MMU_FETCH,
     .code = -1},
    {.name = "PAE, no root entry", .format = PAE, .root = PTE_PRESENT, .code = 0},
    {.name = "PAE, rights in a root entry",
     .format = PAE,
     .root = PTE_WRITE,
     .code = PF_PRESENT | PF_RESERVED},
    {.name = "PAE, NX in a root entry",
     .format = PAE,
     .root = PTE_NX,
     .efer = EFER_NXE,
     .code = PF_PRESENT | PF_RESERVED},
    {.name = "PAE, large root entry",
     .format = PAE,
     .root = PTE_LARGE,
     .code = PF_PRESENT | PF_RESERVED},
    {.name = "PAE, bit 52", .format = PAE, .leaf = 1ULL << 52, .code = PF_PRESENT | PF_RESERVED},
    {.name = "PAE, NX without NXE",
     .format = PAE,
     .leaf = PTE_NX,
     .code = PF_PRESENT | PF_RESERVED},
    {.name = "PAE, NX",
     .format = PAE,
     .leaf = PTE_NX,
     .efer = EFER_NXE,
     .access = MMU_FETCH,
     .code = PF_PRESENT | PF_FETCH},
    {.name = "PAE, read-only for a user",
     .format = PAE,
     .directory = PTE_WRITE,
     .cpl = 3,
     .access = MMU_WRITE,
     .code = PF_PRESENT | PF_WRITE | PF_USER},
    {.name = "old", .format = OLD, .code = -1},
    {.name = "old, write", .format = OLD, .access = MMU_WRITE, .code = -1},
    {.name = "old, fetch", .format = OLD, .access = MMU_FETCH, .code = -1},
    {.name = "old, 4 MiB", .format = OLD_LARGE, .access = MMU_WRITE, .code = -1},
    {.name = "old, 4 MiB, bit 21",
     .format = OLD_LARGE,
     .directory = 1u << 21,
     .code = PF_PRESENT | PF_RESERVED},
    {.name = "old, bit 7 without PSE", .format = OLD_WITHOUT_PSE, .code = -1},
    {.name = "old, not present",
     .format = OLD,
     .leaf = PTE_PRESENT,
     .access = MMU_FETCH,
     .efer = EFER_NXE,
     .code = 0},
    {.name = "old, read-only",
     .format = OLD,
     .leaf = PTE_WRITE,
     .access = MMU_WRITE,
     .cr0 = CR0_WP,
     .code = PF_PRESENT | PF_WRITE},
    {.name = "old, a supervisor's",
     .format = OLD,
     .leaf = PTE_USER,
     .cpl = 3,
     .code = PF_PRESENT | PF_USER},
};

static void store_32(uint64_t table, unsigned index, uint64_t entry, unsigned size_bytes)
{
    uint8_t *page = memory_bytes_for_write(&guest.machine.memory, guest_page(&guest, table));

    memcpy(page + (table & PAGE_MASK) + (size_t)index * size_bytes, &entry, size_bytes);
}

static uint64_t load_32(uint64_t table, unsigned index, unsigned size_bytes)
{
    uint64_t entry = 0;

    memcpy(&entry,
           memory_bytes(&guest.machine.memory, guest_page(&guest, table)) + (table & PAGE_MASK) +
               (size_t)index * size_bytes,
           size_bytes);
    return entry;
}

/* The registers; the tables are made on the way. */
static struct mmu_context make_32(const struct row_32 *row)
{
    struct mmu_context context = {
        .cr0 = CR0_PG | CR0_PE | row->cr0, .efer = EFER_SVME | row->efer, .cpl = row->cpl};

    if (row->format == PAE || row->format == PAE_LARGE) {
        bool large = row->format == PAE_LARGE;

        context.cr3 = ROOT_32;
        context.cr4 = CR4_PAE;
        store_32(ROOT_32, 1, (DIRECTORY_32 | PTE_PRESENT | CBIT_MASK) ^ row->root, 8);
        store_32(
            DIRECTORY_32, 5,
            (large ? LEAF_LARGE | USUAL | PTE_LARGE | CBIT_MASK : TABLE_32 | USUAL | CBIT_MASK) ^
                row->directory,
            8);
        store_32(TABLE_32, 5, (LEAF_32 | USUAL | CBIT_MASK) ^ row->leaf, 8);
    } else {
        bool large = row->format == OLD_LARGE;

        context.cr3 = DIRECTORY_32 | 0x18; /* bits that are no address */
        context.cr4 = row->format == OLD_WITHOUT_PSE ? 0 : CR4_PSE;
        store_32(DIRECTORY_32, 0x102,
                 (large ? GUEST_GPA | USUAL | PTE_LARGE
                        : TABLE_32 | USUAL | (row->format == OLD ? 0 : PTE_LARGE)) ^
                     row->directory,
                 4);
        store_32(TABLE_32, 0x205, (LEAF_32 | USUAL) ^ row->leaf, 4);
    }
    return context;
}

static void check_accessed_32(const struct row_32 *row)
{
    bool pae = row->format == PAE || row->format == PAE_LARGE;
    bool large = row->format == PAE_LARGE || row->format == OLD_LARGE;
    uint64_t directory = load_32(DIRECTORY_32, pae ? 5 : 0x102, pae ? 8 : 4);
    uint64_t leaf = large ? directory : load_32(TABLE_32, pae ? 5 : 0x205, pae ? 8 : 4);

    ck_assert(directory & PTE_ACCESSED);
    ck_assert(leaf & PTE_ACCESSED);
    ck_assert_int_eq(!(leaf & PTE_DIRTY), row->access != MMU_WRITE);
    if (pae) {
        ck_assert_uint_eq(load_32(ROOT_32, 1, 8), DIRECTORY_32 | PTE_PRESENT | CBIT_MASK);
    }
}

START_TEST(table_of_32_bit_paging)
{
    const struct row_32 *row = &rows_32[_i];
    struct mmu_context context = make_32(row);
    uint64_t gpa = row->format == PAE_LARGE   ? LEAF_LARGE + (GVA_32 & 0x1FFFFF)
                   : row->format == OLD_LARGE ? GUEST_GPA + (GVA_32 & 0x3FFFFF)
                                              : LEAF_32 + (GVA_32 & PAGE_MASK);
    struct mmu_translation place;
    struct mmu_fault fault;
    uint8_t byte;

    if (row->shared) {
        machine_unassign(&guest.machine, guest_page(&guest, LEAF_32));
    } else if (row->format == PAE_LARGE || row->format == OLD_LARGE) {
        machine_launch_page(&guest.machine, guest_page(&guest, gpa));
    }
    if (row->code >= 0) {
        ck_assert_msg(!mmu_translate(&guest.machine.mmu, &context, GVA_32 + row->gva_high,
                                     row->access, &place, &fault),
                      "%s", row->name);
        ck_assert_int_eq(fault.kind, MMU_FAULT_PF);
        ck_assert_msg((int)fault.error_code == row->code, "%s: 0x%x", row->name, fault.error_code);
        return;
    }
    if (!row->shared) { /* whose page nobody has touched */
        ck_assert_uint_eq(mmu_peek(&guest.machine.mmu, &context, GVA_32 + row->gva_high, &byte, 1),
                          1);
    }
    ck_assert_msg(mmu_translate(&guest.machine.mmu, &context, GVA_32 + row->gva_high, row->access,
                                &place, &fault),
                  "%s: %d, 0x%x", row->name, fault.kind, fault.error_code);
    ck_assert_uint_eq(place.gpa, gpa);
    ck_assert_int_eq(place.private_access, !row->shared);
    check_accessed_32(row);
}
END_TEST

/* ---- the C-bit and the RMP ---- */

enum owner { GUESTS_VALID, GUESTS_INVALID, GUESTS_IMMUTABLE, HYPERVISORS, NOBODYS };

enum access_result {
    PLAIN,      /* a translation to memory */
    CIPHERTEXT, /* a translation to noise */
    VC,         /* #VC 0x404 */
    NPF,
    PAGE_FAULT,
};

static const struct {
    const char *name;
    enum owner owner;
    bool cbit, read_only;
    enum mmu_access access;
    enum access_result result;
    enum rmp_result reason; /* with NPF */
} rmp_rows[] = {
    {"private read", GUESTS_VALID, true, false, MMU_READ, PLAIN, RMP_OK},
    {"private write", GUESTS_VALID, true, false, MMU_WRITE, PLAIN, RMP_OK},
    {"private fetch", GUESTS_VALID, true, false, MMU_FETCH, PLAIN, RMP_OK},
    {"shared read of a private page", GUESTS_VALID, false, false, MMU_READ, CIPHERTEXT, RMP_OK},
    {"shared read of an invalid page", GUESTS_INVALID, false, false, MMU_READ, CIPHERTEXT, RMP_OK},
    {"shared write to a private page", GUESTS_VALID, false, false, MMU_WRITE, NPF,
     RMP_NPF_ASSIGNED},
    {"fetch of a private page through C = 0", GUESTS_VALID, false, false, MMU_FETCH, PLAIN, RMP_OK},
    {"shared read", HYPERVISORS, false, false, MMU_READ, PLAIN, RMP_OK},
    {"shared write", HYPERVISORS, false, false, MMU_WRITE, PLAIN, RMP_OK},
    {"private read of a shared page", HYPERVISORS, true, false, MMU_READ, NPF,
     RMP_NPF_NOT_ASSIGNED},
    {"private write to a shared page", HYPERVISORS, true, false, MMU_WRITE, NPF,
     RMP_NPF_NOT_ASSIGNED},
    {"fetch of a shared page", HYPERVISORS, false, false, MMU_FETCH, NPF, RMP_NPF_NOT_ASSIGNED},
    {"read before validation", GUESTS_INVALID, true, false, MMU_READ, VC, RMP_OK},
    {"write before validation", GUESTS_INVALID, true, false, MMU_WRITE, VC, RMP_OK},
    {"fetch before validation", GUESTS_INVALID, true, false, MMU_FETCH, VC, RMP_OK},
    {"immutable", GUESTS_IMMUTABLE, true, false, MMU_READ, NPF, RMP_NPF_IMMUTABLE},
    {"paging comes first", GUESTS_INVALID, true, true, MMU_WRITE, PAGE_FAULT, RMP_OK},
    {"paging comes first, no memory", NOBODYS, true, true, MMU_WRITE, PAGE_FAULT, RMP_OK},
    {"no memory, private", NOBODYS, true, false, MMU_READ, NPF, RMP_OK},
    {"no memory, shared", NOBODYS, false, false, MMU_READ, NPF, RMP_OK},
};

static void give_page(uint64_t gpa, enum owner owner)
{
    static const uint8_t flags[] = {
        [GUESTS_VALID] = RMP_ASSIGNED | RMP_VALIDATED,
        [GUESTS_INVALID] = RMP_ASSIGNED,
        [GUESTS_IMMUTABLE] = RMP_ASSIGNED | RMP_VALIDATED | RMP_IMMUTABLE,
        [HYPERVISORS] = 0,
    };

    if (owner != NOBODYS) {
        guest_rmp(&guest, gpa)->flags = flags[owner];
    }
}

START_TEST(rmp_table)
{
    const char *name = rmp_rows[_i].name;
    uint64_t gpa = rmp_rows[_i].owner == NOBODYS ? 0x70000000 : GUEST_GPA + GUEST_DATA;
    uint64_t gva = GVA_4K + 0x123;
    bool private_access = rmp_rows[_i].cbit || rmp_rows[_i].access == MMU_FETCH;
    struct mmu_context context = guest_context(&guest);
    struct mmu_translation place;
    struct mmu_fault fault;
    bool done;

    give_page(gpa, rmp_rows[_i].owner);
    guest_map(&guest, gva, gpa, SIZE_4K,
              PTE_PRESENT | (rmp_rows[_i].cbit ? CBIT_MASK : 0) |
                  (rmp_rows[_i].read_only ? 0 : PTE_WRITE));
    done = mmu_translate(&guest.machine.mmu, &context, gva, rmp_rows[_i].access, &place, &fault);
    ck_assert_msg(done == (rmp_rows[_i].result == PLAIN || rmp_rows[_i].result == CIPHERTEXT),
                  "%s: kind %d", name, fault.kind);
    if (done) {
        ck_assert_msg(place.ciphertext == (rmp_rows[_i].result == CIPHERTEXT), "%s", name);
        ck_assert_msg(place.private_access == private_access, "%s", name);
        ck_assert_uint_eq(place.gpa, gpa + 0x123);
        return;
    }
    ck_assert_uint_eq(fault.gva, gva);
    if (rmp_rows[_i].result == PAGE_FAULT) {
        ck_assert_int_eq(fault.kind, MMU_FAULT_PF);
        ck_assert_uint_eq(fault.error_code, PF_PRESENT | PF_WRITE);
        return;
    }
    ck_assert_msg(fault.kind == (rmp_rows[_i].result == VC ? MMU_FAULT_VC : MMU_FAULT_NPF),
                  "%s: kind %d", name, fault.kind);
    ck_assert_uint_eq(fault.gpa, gpa);
    ck_assert_msg(fault.private_access == private_access, "%s: effective C-bit", name);
    ck_assert(!fault.walk);
    ck_assert_msg(fault.absent == (rmp_rows[_i].owner == NOBODYS), "%s: absent", name);
    if (rmp_rows[_i].result == NPF && !fault.absent) {
        ck_assert_msg(fault.reason == rmp_rows[_i].reason, "%s: %s", name,
                      rmp_result_text(fault.reason));
    }
}
END_TEST

/* ---- where the tables themselves are ---- */

static const struct {
    const char *name;
    unsigned level; /* whose entry is bent; 5: CR3 */
    uint64_t table; /* where it leads */
    enum owner owner;
    enum access_result result;
} table_rows[] = {
    {"a table in a shared page", 2, GUEST_GPA + GUEST_SHARED, HYPERVISORS, NPF},
    {"... with a C-bit in the entry", 2, (GUEST_GPA + GUEST_SHARED) | CBIT_MASK, HYPERVISORS, NPF},
    {"a table in an invalid page", 3, GUEST_GPA + GUEST_DATA, GUESTS_INVALID, VC},
    {"a table in an immutable page", 4, GUEST_GPA + GUEST_DATA, GUESTS_IMMUTABLE, NPF},
    {"a table outside memory", 2, 0x70000000, NOBODYS, NPF},
    {"a table at the top of memory", 2, 0x0000FFFFFFFFF000, NOBODYS, NPF},
    {"CR3 leads outside memory", 5, 0x0007FFFFFFFFF000 & ((1ULL << 48) - 1), NOBODYS, NPF},
    {"CR3 leads to a shared page", 5, GUEST_GPA + GUEST_SHARED, HYPERVISORS, NPF},
    {"CR3 leads to an invalid page", 5, GUEST_GPA + GUEST_DATA, GUESTS_INVALID, VC},
};

START_TEST(table_table)
{
    const char *name = table_rows[_i].name;
    uint64_t gva = GVA_4K + 0x123;
    struct mmu_context context = guest_context(&guest);
    struct mmu_translation place;
    struct mmu_fault fault;

    guest_map(&guest, gva, GUEST_GPA + GUEST_DATA + 0x1000, SIZE_4K, GUEST_PRIVATE);
    give_page(table_rows[_i].table & ~CBIT_MASK, table_rows[_i].owner);
    if (table_rows[_i].level == 5) {
        context.cr3 = table_rows[_i].table;
    } else {
        *guest_entry(&guest, gva, table_rows[_i].level) =
            table_rows[_i].table | PTE_PRESENT | PTE_WRITE;
    }
    ck_assert_msg(!mmu_translate(&guest.machine.mmu, &context, gva, MMU_READ, &place, &fault), "%s",
                  name);
    ck_assert_msg(fault.kind == (table_rows[_i].result == VC ? MMU_FAULT_VC : MMU_FAULT_NPF),
                  "%s: kind %d", name, fault.kind);
    ck_assert_msg(fault.walk && fault.private_access, "%s", name);
    ck_assert_uint_eq(fault.gva, gva);
    ck_assert_uint_eq(fault.gpa, table_rows[_i].table & PTE_ADDR_MASK & ~CBIT_MASK);
    ck_assert_int_eq(fault.absent, table_rows[_i].owner == NOBODYS);
}
END_TEST

/* A root that is its own table at all levels: the walk still ends, at the root itself. */
START_TEST(table_loop)
{
    struct mmu_context context = guest_context(&guest);
    uint64_t gva = 0xFFFFFFFFFFFFF000ULL | 0x18;
    struct mmu_translation place;
    struct mmu_fault fault;
    uint8_t byte;

    *guest_entry(&guest, gva, 4) = GUEST_GPA | PTE_PRESENT | PTE_WRITE | CBIT_MASK;
    ck_assert(mmu_translate(&guest.machine.mmu, &context, gva, MMU_WRITE, &place, &fault));
    ck_assert_uint_eq(place.gpa, GUEST_GPA + 0x18);
    ck_assert_uint_eq(mmu_peek(&guest.machine.mmu, &context, gva, &byte, 1), 1);
}
END_TEST

START_TEST(cr3_low_bits_and_cbit)
{
    static const uint64_t extra[] = {0, 0x18, CBIT_MASK, CBIT_MASK | 0xFFF};
    struct mmu_context context = guest_context(&guest);
    struct mmu_translation place;
    struct mmu_fault fault;

    for (size_t i = 0; i < COUNT(extra); i++) {
        context.cr3 = GUEST_GPA | extra[i];
        ck_assert_msg(
            mmu_translate(&guest.machine.mmu, &context, GUEST_DATA, MMU_READ, &place, &fault),
            "CR3 0x%llx", (unsigned long long)context.cr3);
    }
}
END_TEST

/* ---- virtual TOM ---- */

#define TOM (GUEST_GPA + GUEST_DATA + PAGE_SIZE)

/* The C-bit of none of the tables counts, or may be set. */
static void clear_cbits(uint64_t gva)
{
    for (unsigned level = 4; level > 0; level--) {
        *guest_entry(&guest, gva, level) &= ~CBIT_MASK;
    }
}

static const struct {
    const char *name;
    uint64_t gpa, tom;
    enum mmu_access access;
    bool private_access;
} tom_rows[] = {
    {"data below", TOM - PAGE_SIZE, TOM, MMU_READ, true},
    {"data written below", TOM - PAGE_SIZE, TOM, MMU_WRITE, true},
    {"data at it", TOM, TOM, MMU_READ, false},
    {"data above", TOM + PAGE_SIZE, TOM, MMU_WRITE, false},
    {"a fetch below", TOM - PAGE_SIZE, TOM, MMU_FETCH, true},
    {"a fetch above", TOM + PAGE_SIZE, TOM, MMU_FETCH, true},
    {"nothing is below 0", TOM, 0, MMU_READ, false},
};

START_TEST(tom_table)
{
    struct mmu_context context = guest_context(&guest);
    struct mmu_translation place;
    struct mmu_fault fault;
    uint32_t page = guest_page(&guest, tom_rows[_i].gpa);

    guest_map(&guest, GVA_4K, tom_rows[_i].gpa, SIZE_4K, GUEST_PUBLIC);
    clear_cbits(GVA_4K);
    context.virtual_tom_active = true;
    context.virtual_tom = tom_rows[_i].tom;
    if (tom_rows[_i].private_access) {
        machine_launch_page(&guest.machine, page);
    } else {
        machine_unassign(&guest.machine, page);
    }
    ck_assert_msg(
        mmu_translate(&guest.machine.mmu, &context, GVA_4K, tom_rows[_i].access, &place, &fault),
        "%s: kind %d", tom_rows[_i].name, fault.kind);
    ck_assert_msg(place.private_access == tom_rows[_i].private_access, "%s", tom_rows[_i].name);
    ck_assert_uint_eq(place.gpa, tom_rows[_i].gpa);
}
END_TEST

/* At each level; and with no virtual TOM it is the C-bit again. */
START_TEST(tom_cbit_is_reserved)
{
    struct mmu_context context = guest_context(&guest);
    struct mmu_translation place;
    struct mmu_fault fault;

    guest_map(&guest, GVA_4K, GUEST_GPA + GUEST_DATA, SIZE_4K, GUEST_PRIVATE);
    ck_assert(mmu_translate(&guest.machine.mmu, &context, GVA_4K, MMU_READ, &place, &fault));
    context.virtual_tom_active = true;
    context.virtual_tom = TOM;
    for (unsigned level = 1; level <= 4; level++) {
        clear_cbits(GVA_4K);
        *guest_entry(&guest, GVA_4K, level) |= CBIT_MASK;
        ck_assert(!mmu_translate(&guest.machine.mmu, &context, GVA_4K, MMU_READ, &place, &fault));
        ck_assert_int_eq(fault.kind, MMU_FAULT_PF);
        ck_assert_uint_eq(fault.error_code, PF_PRESENT | PF_RESERVED);
    }
    clear_cbits(GVA_4K);
    ck_assert(mmu_translate(&guest.machine.mmu, &context, GVA_4K, MMU_READ, &place, &fault));
    context.virtual_tom_active = false;
    ck_assert(mmu_translate(&guest.machine.mmu, &context, GVA_4K, MMU_READ, &place, &fault));
    ck_assert(!place.private_access && place.ciphertext);
}
END_TEST

/* ---- accessed and dirty ---- */

START_TEST(accessed_and_dirty)
{
    struct mmu_context context = guest_context(&guest);
    struct mmu_translation place;
    struct mmu_fault fault;

    guest_map(&guest, GVA_4K, GUEST_GPA + GUEST_DATA, SIZE_4K, GUEST_PRIVATE);
    for (unsigned level = 1; level <= 4; level++) {
        *guest_entry(&guest, GVA_4K, level) &= ~(PTE_ACCESSED | PTE_DIRTY);
    }
    ck_assert(mmu_translate(&guest.machine.mmu, &context, GVA_4K, MMU_READ, &place, &fault));
    for (unsigned level = 1; level <= 4; level++) {
        ck_assert_uint_eq(*guest_entry(&guest, GVA_4K, level) & (PTE_ACCESSED | PTE_DIRTY),
                          PTE_ACCESSED);
    }
    ck_assert(mmu_translate(&guest.machine.mmu, &context, GVA_4K, MMU_WRITE, &place, &fault));
    for (unsigned level = 1; level <= 4; level++) {
        ck_assert_uint_eq(*guest_entry(&guest, GVA_4K, level) & (PTE_ACCESSED | PTE_DIRTY),
                          level == 1 ? PTE_ACCESSED | PTE_DIRTY : PTE_ACCESSED);
    }
}
END_TEST

/* ---- copies ---- */

#define FIRST GVA_4K
#define SECOND (GVA_4K + PAGE_SIZE)

static void map_pair(uint64_t second_flags)
{
    /* Not neighbours in memory. */
    guest_map(&guest, FIRST, GUEST_GPA + GUEST_DATA + 0x3000, SIZE_4K, GUEST_PRIVATE);
    guest_map(&guest, SECOND, GUEST_GPA + GUEST_DATA, SIZE_4K, second_flags);
}

START_TEST(copy_across_pages)
{
    struct mmu_context context = guest_context(&guest);
    const uint64_t value = 0x8877665544332211ULL;
    struct mmu_fault fault;
    uint64_t back = 0;

    map_pair(GUEST_PRIVATE);
    ck_assert(mmu_write(&guest.machine.mmu, &context, SECOND - 3, &value, 8, &fault));
    ck_assert(mmu_read(&guest.machine.mmu, &context, SECOND - 3, &back, 8, &fault));
    ck_assert_uint_eq(back, value);
    ck_assert_uint_eq(*guest_at(&guest, GUEST_DATA + 0x3FFF), 0x33);
    ck_assert_uint_eq(*guest_at(&guest, GUEST_DATA), 0x44);
    back = 0;
    ck_assert_uint_eq(mmu_peek(&guest.machine.mmu, &context, SECOND - 3, &back, 8), 8);
    ck_assert_uint_eq(back, value);
}
END_TEST

static const struct {
    const char *name;
    uint64_t second_flags;
    bool write;
    enum mmu_fault_kind kind;
    uint32_t code;
} copy_rows[] = {
    {"second page not present, read", 0, false, MMU_FAULT_PF, 0},
    {"second page not present, write", 0, true, MMU_FAULT_PF, PF_WRITE},
    {"second page read-only", PTE_PRESENT | CBIT_MASK, true, MMU_FAULT_PF, PF_PRESENT | PF_WRITE},
    {"second page written as shared", GUEST_PUBLIC, true, MMU_FAULT_NPF, 0},
};

START_TEST(copy_table)
{
    struct mmu_context context = guest_context(&guest);
    uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint64_t before;
    struct mmu_fault fault;
    bool done;

    map_pair(copy_rows[_i].second_flags);
    before = guest_load(&guest, GUEST_DATA + 0x3FF8);
    done = copy_rows[_i].write
               ? mmu_write(&guest.machine.mmu, &context, SECOND - 4, bytes, 8, &fault)
               : mmu_read(&guest.machine.mmu, &context, SECOND - 4, bytes, 8, &fault);
    ck_assert_msg(!done, "%s", copy_rows[_i].name);
    ck_assert_msg(fault.kind == copy_rows[_i].kind, "%s: kind %d", copy_rows[_i].name, fault.kind);
    ck_assert_uint_eq(fault.gva, SECOND);
    ck_assert_msg(fault.kind != MMU_FAULT_PF || fault.error_code == copy_rows[_i].code,
                  "%s: code 0x%x", copy_rows[_i].name, fault.error_code);
    ck_assert_msg(guest_load(&guest, GUEST_DATA + 0x3FF8) == before, "%s: stored a part",
                  copy_rows[_i].name);
}
END_TEST

START_TEST(copy_of_ciphertext)
{
    struct mmu_context context = guest_context(&guest);
    uint64_t plain = 0x1122334455667788ULL, one = 0, two = 0;
    struct mmu_fault fault;

    guest_store(&guest, GUEST_DATA, plain);
    guest_map(&guest, FIRST, GUEST_GPA + GUEST_DATA, SIZE_4K, GUEST_PUBLIC);
    ck_assert(mmu_read(&guest.machine.mmu, &context, FIRST, &one, 8, &fault));
    ck_assert(mmu_read(&guest.machine.mmu, &context, FIRST, &two, 8, &fault));
    ck_assert_uint_ne(one, plain);
    ck_assert_uint_eq(one, two);
    ck_assert_uint_eq(guest_load(&guest, GUEST_DATA), plain);
}
END_TEST

/* ---- looking without touching ---- */

static const struct {
    const char *name;
    uint64_t gva;
    size_t size, got;
} peek_rows[] = {
    {"inside", GUEST_DATA + 0x10, 16, 16},
    {"nothing", GUEST_DATA, 0, 0},
    {"up to the end of a page", GUEST_DATA + 0xFF0, 16, 16},
    {"into what is not mapped", GUEST_SHARED + 0xFFF8, 16, 8},
    {"not mapped", GUEST_UNMAPPED, 16, 0},
    {"in a page nobody has touched", GUEST_SHARED + 0x5000, 16, 0},
    {"non-canonical, where the low bits are mapped", 0x0001000000000000ULL | GUEST_DATA, 16, 0},
    {"the last bytes of the address space", 0xFFFFFFFFFFFFFFF8ULL, 16, 0},
};

START_TEST(peek_table)
{
    struct mmu_context context = guest_context(&guest);
    uint8_t bytes[16] = {0};

    (void)guest_at(&guest, GUEST_SHARED + 0xF000);
    ck_assert_msg(mmu_peek(&guest.machine.mmu, &context, peek_rows[_i].gva, bytes,
                           peek_rows[_i].size) == peek_rows[_i].got,
                  "%s", peek_rows[_i].name);
}
END_TEST

/* A table outside memory, a leaf outside memory, an invalid page, and no A bits anywhere. */
START_TEST(peek_is_careful)
{
    struct mmu_context context = guest_context(&guest);
    uint64_t *entry;
    uint8_t byte;

    guest_map(&guest, GVA_4K, 0x70000000, SIZE_4K, GUEST_PRIVATE);
    ck_assert_uint_eq(mmu_peek(&guest.machine.mmu, &context, GVA_4K, &byte, 1), 0);
    guest_map(&guest, GVA_4K, GUEST_GPA + GUEST_DATA, SIZE_4K, GUEST_PRIVATE);
    entry = guest_entry(&guest, GVA_4K, 1);
    give_page(GUEST_GPA + GUEST_DATA, GUESTS_INVALID);
    ck_assert_uint_eq(mmu_peek(&guest.machine.mmu, &context, GVA_4K, &byte, 1), 1);
    ck_assert(!(*entry & PTE_ACCESSED));
    *guest_entry(&guest, GVA_4K, 2) = 0x70000000 | PTE_PRESENT;
    ck_assert_uint_eq(mmu_peek(&guest.machine.mmu, &context, GVA_4K, &byte, 1), 0);
    context.cr3 = 0x70000000;
    ck_assert_uint_eq(mmu_peek(&guest.machine.mmu, &context, GVA_4K, &byte, 1), 0);
}
END_TEST

/* PVALIDATE and RMPADJUST find their page whatever the RMP says of it. */
START_TEST(operand)
{
    struct mmu_context context = guest_context(&guest);
    struct mmu_translation place;
    struct mmu_fault fault;

    guest_map(&guest, GVA_4K, GUEST_GPA + GUEST_DATA, SIZE_4K, GUEST_PRIVATE);
    for (enum owner owner = GUESTS_VALID; owner <= HYPERVISORS; owner++) {
        give_page(GUEST_GPA + GUEST_DATA, owner);
        ck_assert(mmu_translate_operand(&guest.machine.mmu, &context, GVA_4K + 5, &place, &fault));
        ck_assert_uint_eq(place.gpa, GUEST_GPA + GUEST_DATA + 5);
        ck_assert_uint_eq(place.page, guest_page(&guest, GUEST_GPA + GUEST_DATA));
    }
    guest_map(&guest, GVA_4K, 0x70000000, SIZE_4K, GUEST_PRIVATE);
    ck_assert(!mmu_translate_operand(&guest.machine.mmu, &context, GVA_4K, &place, &fault));
    ck_assert_int_eq(fault.kind, MMU_FAULT_NPF);
    ck_assert(fault.absent);
    ck_assert(
        !mmu_translate_operand(&guest.machine.mmu, &context, GVA_4K + 0x8000, &place, &fault));
    ck_assert_int_eq(fault.kind, MMU_FAULT_PF);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mmu");
    TCase *tcase = tcase_create("mmu");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tcase);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, access_table, 0, COUNT(access_rows));
    tcase_add_loop_test(tcase, canonical_table, 0, COUNT(canonical_rows));
    tcase_add_test(tcase, upper_half);
    tcase_add_loop_test(tcase, mode_table, 0, COUNT(mode_rows));
    tcase_add_loop_test(tcase, table_of_32_bit_paging, 0, COUNT(rows_32));
    tcase_add_loop_test(tcase, rmp_table, 0, COUNT(rmp_rows));
    tcase_add_loop_test(tcase, table_table, 0, COUNT(table_rows));
    tcase_add_test(tcase, table_loop);
    tcase_add_test(tcase, cr3_low_bits_and_cbit);
    tcase_add_loop_test(tcase, tom_table, 0, COUNT(tom_rows));
    tcase_add_test(tcase, tom_cbit_is_reserved);
    tcase_add_test(tcase, accessed_and_dirty);
    tcase_add_test(tcase, copy_across_pages);
    tcase_add_loop_test(tcase, copy_table, 0, COUNT(copy_rows));
    tcase_add_test(tcase, copy_of_ciphertext);
    tcase_add_loop_test(tcase, peek_table, 0, COUNT(peek_rows));
    tcase_add_test(tcase, peek_is_careful);
    tcase_add_test(tcase, operand);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
