/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guest_builder.h"

#include <check.h>
#include <string.h>

#include "abi/msr.h"
#include "trap/decode.h"

#define TABLES_MAX 256
#define HANDLER_SIZE 16
#define VECTORS 32
#define GATE_SIZE 16
#define TSS_SIZE 0x68
#define TSS_RSP0 0x04
#define TSS_IST1 0x24
#define RUN_MAX 100000 /* traps in one guest_run */

static const struct {
    uint64_t gva;
    unsigned pages;
    bool shared;
} areas[] = {
    {GUEST_CODE, 16, false},  {GUEST_STACK, 4, false},    {GUEST_IST, 2, false},
    {GUEST_SYSTEM, 2, false}, {GUEST_HANDLERS, 1, false}, {GUEST_DATA, 64, false},
    {GUEST_SHARED, 16, true},
};

uint32_t guest_page(const struct guest *guest, uint64_t gpa)
{
    uint32_t page = memory_page(&guest->machine.memory, gpa);

    ck_assert_msg(page != MEMORY_NO_PAGE, "no memory at gpa 0x%llx", (unsigned long long)gpa);
    return page;
}

struct rmp_entry *guest_rmp(struct guest *guest, uint64_t gpa)
{
    return &guest->machine.rmp.entry[guest_page(guest, gpa)];
}

/* ---- page tables ---- */

static uint64_t table_new(struct guest *guest)
{
    uint32_t page = guest->table_count++;

    ck_assert_uint_lt(guest->table_count, TABLES_MAX);
    machine_launch_page(&guest->machine, page);
    return memory_gpa(&guest->machine.memory, page);
}

static uint64_t *table_entry(struct guest *guest, uint64_t table, uint64_t gva, unsigned level)
{
    uint32_t page = guest_page(guest, table & PTE_ADDR_MASK & ~CBIT_MASK);
    uint64_t *entries = (uint64_t *)memory_bytes_for_write(&guest->machine.memory, page);

    return &entries[(gva >> (PAGE_SHIFT + 9 * (level - 1))) & 0x1FF];
}

uint64_t *guest_entry(struct guest *guest, uint64_t gva, unsigned level)
{
    uint64_t table = GUEST_GPA;

    for (unsigned at = 4; at > level; at--) {
        table = *table_entry(guest, table, gva, at);
        ck_assert(table & PTE_PRESENT);
    }
    return table_entry(guest, table, gva, level);
}

void guest_map(struct guest *guest, uint64_t gva, uint64_t gpa, uint64_t size, uint64_t flags)
{
    unsigned leaf = size == PAGE_SIZE ? 1 : size == LARGE_PAGE_SIZE ? 2 : 3;

    for (unsigned level = 4; level > leaf; level--) {
        uint64_t *entry = guest_entry(guest, gva, level);

        if (!(*entry & PTE_PRESENT)) {
            *entry = table_new(guest) | PTE_PRESENT | PTE_WRITE | PTE_USER;
        }
    }
    *guest_entry(guest, gva, leaf) = gpa | flags | (leaf > 1 ? PTE_LARGE : 0);
}

struct mmu_context guest_context(const struct guest *guest)
{
    struct mmu_context context;

    vcpu_mmu_context(guest->machine.vcpu, &context);
    return context;
}

static void map_areas(struct guest *guest)
{
    for (size_t i = 0; i < COUNT(areas); i++) {
        for (unsigned page = 0; page < areas[i].pages; page++) {
            uint64_t gva = areas[i].gva + page * PAGE_SIZE;

            guest_map(guest, gva, GUEST_GPA + gva, PAGE_SIZE,
                      areas[i].shared ? GUEST_PUBLIC : GUEST_PRIVATE);
            if (!areas[i].shared) {
                machine_launch_page(&guest->machine, guest_page(guest, GUEST_GPA + gva));
            }
        }
    }
}

/* ---- memory ---- */

uint8_t *guest_at(struct guest *guest, uint64_t gva)
{
    struct mmu_context context = guest_context(guest);
    uint64_t table = context.cr3;

    for (unsigned level = 4; level > 0; level--) {
        uint64_t entry = *table_entry(guest, table, gva, level);
        uint64_t mask = (1ULL << (PAGE_SHIFT + 9 * (level - 1))) - 1;

        ck_assert_msg(entry & PTE_PRESENT, "gva 0x%llx is not mapped", (unsigned long long)gva);
        if (level == 1 || (entry & PTE_LARGE)) {
            uint64_t gpa = (entry & PTE_ADDR_MASK & ~CBIT_MASK & ~mask) | (gva & mask);
            uint32_t page = guest_page(guest, gpa);

            return memory_bytes_for_write(&guest->machine.memory, page) + (gpa & PAGE_MASK);
        }
        table = entry;
    }
    return NULL;
}

uint64_t guest_load(struct guest *guest, uint64_t gva)
{
    uint64_t value;

    memcpy(&value, guest_at(guest, gva), sizeof(value));
    return value;
}

void guest_store(struct guest *guest, uint64_t gva, uint64_t value)
{
    memcpy(guest_at(guest, gva), &value, sizeof(value));
}

void guest_copy(struct guest *guest, uint64_t gva, const void *bytes, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        *guest_at(guest, gva + i) = ((const uint8_t *)bytes)[i];
    }
}

void guest_code(struct guest *guest, const void *bytes, size_t size_bytes)
{
    guest_copy(guest, GUEST_CODE, bytes, size_bytes);
    guest_set(guest, VCPU_RIP, GUEST_CODE);
    guest_set(guest, VCPU_RSP, GUEST_STACK_TOP);
}

/* ---- descriptors ---- */

void guest_gate(struct guest *guest, unsigned vector, uint16_t selector, uint64_t target,
                uint8_t ist, uint8_t type)
{
    uint64_t gva = GUEST_IDT + vector * GATE_SIZE;

    guest_store(guest, gva,
                (target & 0xFFFF) | (uint64_t)selector << 16 | (uint64_t)ist << 32 |
                    (uint64_t)type << 40 | (target >> 16 & 0xFFFF) << 48);
    guest_store(guest, gva + 8, target >> 32);
}

void guest_handler(struct guest *guest, unsigned vector, const void *bytes, size_t size_bytes)
{
    ck_assert_uint_le(size_bytes, HANDLER_SIZE);
    guest_copy(guest, GUEST_HANDLERS + vector * HANDLER_SIZE, bytes, size_bytes);
}

static void fill_system(struct guest *guest)
{
    static const struct {
        uint16_t selector;
        uint64_t descriptor;
    } segments[] = {
        {GUEST_CS, 0x00AF9B000000FFFF},           {GUEST_DS, 0x00CF93000000FFFF},
        {GUEST_USER_CS & ~3, 0x00AFFB000000FFFF}, {GUEST_USER_DS & ~3, 0x00CFF3000000FFFF},
        {GUEST_CS_OTHER, 0x00AF9B000000FFFF},     {GUEST_CS_NOT_PRESENT, 0x00AF1B000000FFFF},
        {GUEST_CS_32, 0x00CF9B000000FFFF},
    };
    struct vcpu *vcpu = guest->machine.vcpu;

    for (size_t i = 0; i < COUNT(segments); i++) {
        guest_store(guest, GUEST_GDT + segments[i].selector, segments[i].descriptor);
    }
    guest_store(guest, GUEST_GDT + GUEST_TR,
                (TSS_SIZE - 1) | (GUEST_TSS & 0xFFFFFF) << 16 | 0x8BULL << 40);
    guest_store(guest, GUEST_TSS + TSS_RSP0, GUEST_STACK_TOP - 0x1000);
    guest_store(guest, GUEST_TSS + TSS_IST1, GUEST_IST_TOP);
    for (unsigned vector = 0; vector < VECTORS; vector++) {
        guest_gate(guest, vector, GUEST_CS, GUEST_HANDLERS + vector * HANDLER_SIZE, 0,
                   GUEST_GATE_INTERRUPT);
        guest_handler(guest, vector, "\xF4", 1);
    }
    vcpu_set_table(vcpu, VCPU_GDTR,
                   &(struct vcpu_table){.base = GUEST_GDT, .limit = GUEST_GDT_SIZE - 1});
    vcpu_set_table(vcpu, VCPU_IDTR,
                   &(struct vcpu_table){.base = GUEST_IDT, .limit = VECTORS * GATE_SIZE - 1});
    vcpu_set_table(
        vcpu, VCPU_TR,
        &(struct vcpu_table){.selector = GUEST_TR, .base = GUEST_TSS, .limit = TSS_SIZE - 1});
}

/* ---- opening and running ---- */

void guest_open_seed(struct guest *guest, uint64_t seed)
{
    const struct memory_slot slot = {.gpa = GUEST_GPA, .page_count = GUEST_PAGES};
    int status;

    memset(guest, 0, sizeof(*guest));
    status = machine_init(&guest->machine, &slot, 1, seed, decode_for_vcpu, &guest->error);
    ck_assert_msg(status == 0, "%s", guest->error.text);
    guest->trap = (struct trap_context){.machine = &guest->machine, .outcome = &guest->outcome};
    ck_assert_uint_eq(table_new(guest), GUEST_GPA);
    map_areas(guest);
    guest_map(guest, GUEST_UNMAPPED, 0, PAGE_SIZE, 0);
    vcpu_enter_long_mode(guest->machine.vcpu, CR0_PG | CR0_WP | 0x33, GUEST_GPA | CBIT_MASK,
                         CR4_PAE | 0x600, EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME | EFER_SCE);
    guest->machine.state.sev_features = SEV_STATUS_SNP >> 2;
    fill_system(guest);
    guest_set(guest, VCPU_CS, GUEST_CS);
    guest_set(guest, VCPU_RFLAGS, RFLAGS_FIXED);
    guest_set(guest, VCPU_RIP, GUEST_CODE);
    guest_set(guest, VCPU_RSP, GUEST_STACK_TOP);
    vcpu_set_limit(guest->machine.vcpu, 100000000);
}

void guest_open(struct guest *guest)
{
    guest_open_seed(guest, 1);
}

void guest_close(struct guest *guest)
{
    machine_release(&guest->machine);
}

uint64_t guest_get(const struct guest *guest, enum vcpu_register reg)
{
    return vcpu_get(guest->machine.vcpu, reg);
}

void guest_set(struct guest *guest, enum vcpu_register reg, uint64_t value)
{
    vcpu_set(guest->machine.vcpu, reg, value);
}

enum vcpu_stop_kind guest_stop(struct guest *guest)
{
    int status = vcpu_run(guest->machine.vcpu, &guest->stop, &guest->error);

    ck_assert_msg(status == 0, "%s", guest->error.text);
    return guest->stop.kind;
}

enum trap_next guest_handle(struct guest *guest)
{
    enum trap_next next = trap_handle(&guest->trap, &guest->stop);

    if (next == TRAP_HALT || next == TRAP_SPIN) {
        return trap_end(&guest->trap, next == TRAP_HALT ? OUTCOME_HALTED : OUTCOME_STUCK, NULL);
    }
    return next == TRAP_PAUSE ? TRAP_RESUME : next;
}

enum trap_next guest_run(struct guest *guest)
{
    memset(&guest->outcome, 0, sizeof(guest->outcome));
    for (unsigned i = 0; i < RUN_MAX; i++) {
        enum trap_next next;

        guest_stop(guest);
        next = guest_handle(guest);
        if (next != TRAP_RESUME) {
            return next;
        }
    }
    ck_abort_msg("the guest does not come to an end");
    return TRAP_END;
}

int guest_halted_in(const struct guest *guest)
{
    uint64_t offset = guest_get(guest, VCPU_RIP) - 1 - GUEST_HANDLERS;

    if (guest->outcome.kind != OUTCOME_HALTED || offset % HANDLER_SIZE ||
        offset >= VECTORS * HANDLER_SIZE) {
        return -1;
    }
    return (int)(offset / HANDLER_SIZE);
}
