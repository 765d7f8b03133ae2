/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The good machine under a hostile guest: page tables, descriptors, handlers, start code. */
#include <elf.h>
#include <string.h>

#include "abi/msr.h"
#include "abi/svsm.h"
#include "abi/x86.h"
#include "guest.h"

#define IMAGE_SIZE (GUEST_IMAGE_PAGES * 4096u)
#define USER_CS 0x1B
#define USER_DS 0x23
#define TR_SELECTOR 0x28
#define GDT_SIZE 0x38
#define VECTORS 32
#define GATE_SIZE 16
#define HANDLER_SIZE 32

struct writer {
    uint8_t *at;
};

static void put(struct writer *writer, uint64_t value, size_t width)
{
    memcpy(writer->at, &value, width); /* the host is little endian, too */
    writer->at += width;
}

static void put_bytes(struct writer *writer, const void *bytes, size_t size)
{
    memcpy(writer->at, bytes, size);
    writer->at += size;
}

static void put_at(uint8_t *image, size_t offset, uint64_t value, size_t width)
{
    put(&(struct writer){image + offset}, value, width);
}

/* ---- header ---- */

static uint64_t take(const uint8_t **at, size_t width)
{
    uint64_t value = 0;

    for (size_t i = 0; i < width; i++) {
        value |= (uint64_t)(*at)[i] << (8 * i);
    }
    *at += width;
    return value;
}

void guest_header_read(struct guest_header *header, const uint8_t *data, size_t size)
{
    uint8_t bytes[GUEST_HEADER_SIZE] = {0};
    const uint8_t *at = bytes;

    if (size) {
        memcpy(bytes, data, size < sizeof(bytes) ? size : sizeof(bytes));
    }
    header->options = (uint8_t)take(&at, 1);
    header->cr0 = (uint8_t)take(&at, 1);
    header->efer = (uint8_t)take(&at, 1);
    header->sev_features = (uint8_t)take(&at, 1);
    header->cr4 = (uint16_t)take(&at, 2);
    header->gdt_limit = (uint16_t)take(&at, 2);
    header->idt_limit = (uint16_t)take(&at, 2);
    header->rflags = (uint16_t)take(&at, 2);
    header->features = (uint8_t)take(&at, 1);
    header->strict = (uint8_t)take(&at, 1);
    header->seed = (uint32_t)take(&at, 2);
    header->ghcb_msr = take(&at, 8);
    for (unsigned i = 0; i < GUEST_GPRS; i++) {
        header->gpr[i] = take(&at, 8);
    }
}

void guest_header_write(const struct guest_header *header, uint8_t data[GUEST_HEADER_SIZE])
{
    struct writer writer = {data};

    put(&writer, header->options, 1);
    put(&writer, header->cr0, 1);
    put(&writer, header->efer, 1);
    put(&writer, header->sev_features, 1);
    put(&writer, header->cr4, 2);
    put(&writer, header->gdt_limit, 2);
    put(&writer, header->idt_limit, 2);
    put(&writer, header->rflags, 2);
    put(&writer, header->features, 1);
    put(&writer, header->strict, 1);
    put(&writer, header->seed, 2);
    put(&writer, header->ghcb_msr, 8);
    for (unsigned i = 0; i < GUEST_GPRS; i++) {
        put(&writer, header->gpr[i], 8);
    }
}

/* ---- memory ---- */

static void put_page_tables(uint8_t *image, const struct guest_header *header)
{
    const uint64_t flags = PTE_PRESENT | PTE_WRITE | (header->options & GUEST_USER ? PTE_USER : 0);
    const uint64_t table = GUEST_BASE | CBIT_MASK | PTE_PRESENT | PTE_WRITE | PTE_USER;
    /* Data is mostly zeroes: see guest_image. Without NXE the bit would be a reserved one. */
    const uint64_t no_code = header->efer & GUEST_EFER_NXE ? PTE_NX : 0;

    put_at(image, GUEST_PML4, table + GUEST_PDPT, 8);
    put_at(image, GUEST_PDPT + 8 * (GUEST_BASE >> 30), table + GUEST_PD, 8);
    put_at(image, GUEST_PD, table + GUEST_PT, 8);
    put_at(image, GUEST_PD + 8, table + GUEST_PT_2, 8);
    for (unsigned i = 0; i < 512; i++) {
        uint64_t gpa = GUEST_BASE + i * PAGE_SIZE, offset = i * PAGE_SIZE;
        bool data = offset >= GUEST_IDT && offset < GUEST_DATA && offset != GUEST_HANDLERS;

        put_at(image, GUEST_PT + 8 * i, gpa | CBIT_MASK | flags | (data ? no_code : 0), 8);
        put_at(image, GUEST_PT_2 + 8 * i, (gpa + LARGE_PAGE_SIZE) | flags, 8);
    }
}

static void put_descriptors(uint8_t *image)
{
    static const uint64_t segment[] = {
        0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF, 0x00AFFB000000FFFF, 0x00CFF3000000FFFF,
    };
    const uint64_t tss = GUEST_BASE + GUEST_TSS;

    for (size_t i = 0; i < sizeof(segment) / sizeof(segment[0]); i++) {
        put_at(image, GUEST_GDT + 8 * i, segment[i], 8);
    }
    put_at(image, GUEST_GDT + TR_SELECTOR,
           0x67 | (tss & 0xFFFFFF) << 16 | 0x89ULL << 40 | (tss >> 24 & 0xFF) << 56, 8);
    put_at(image, GUEST_TSS + 4, GUEST_BASE + GUEST_STACK_TOP, 8);
    put_at(image, GUEST_TSS + 0x24, GUEST_BASE + GUEST_STACK_TOP - 0x1000, 8);
    for (unsigned vector = 0; vector < VECTORS; vector++) {
        uint64_t target = GUEST_BASE + GUEST_HANDLERS + vector * HANDLER_SIZE;

        put_at(image, GUEST_IDT + vector * GATE_SIZE,
               (target & 0xFFFF) | 8ULL << 16 | 0xEEULL << 40 | (target >> 16 & 0xFFFF) << 48, 8);
        put_at(image, GUEST_IDT + vector * GATE_SIZE + 8, target >> 32, 8);
    }
}

static void put_handlers(uint8_t *image, const struct guest_header *header)
{
    /* Vectors whose frame begins with an error code. APM Vol 2 (24593) table 8-1. */
    const uint32_t with_code = 1u << 8 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 |
                               1u << 17 | 1u << 21 | 1u << 29 | 1u << 30;
    static const uint8_t skip[] = {0x48, 0x83, 0x04, 0x24, 2, /* add qword [rsp], 2 */
                                   0x48, 0xCF};               /* iretq */
    static const uint8_t skip_code[] = {0x48, 0x83, 0xC4, 8,  /* add rsp, 8 */
                                        0x48, 0x83, 0x04, 0x24, 2, 0x48, 0xCF};

    for (unsigned vector = 0; vector < VECTORS; vector++) {
        struct writer writer = {image + GUEST_HANDLERS + vector * HANDLER_SIZE};

        if (!(header->options & GUEST_SKIP)) {
            put(&writer, 0xF4, 1);
        } else if (with_code >> vector & 1) {
            put_bytes(&writer, skip_code, sizeof(skip_code));
        } else {
            put_bytes(&writer, skip, sizeof(skip));
        }
    }
}

/* ---- the start code ---- */

static void put_move(struct writer *writer, unsigned reg, uint64_t value)
{
    put(writer, reg < 8 ? 0x48 : 0x49, 1);
    put(writer, 0xB8 + (reg & 7), 1);
    put(writer, value, 8);
}

static void put_write_msr(struct writer *writer, uint64_t value)
{
    put_move(writer, 1, MSR_GHCB);
    put_move(writer, 0, value & UINT32_MAX);
    put_move(writer, 2, value >> 32);
    put(writer, 0x300F, 2);
}

static void put_vmgexit(struct writer *writer)
{
    put(writer, 0xD9010FF3, 4);
}

static void put_push(struct writer *writer, uint32_t value)
{
    put(writer, 0x68, 1);
    put(writer, value, 4);
}

static void put_start(uint8_t *image, const struct guest_header *header)
{
    struct writer writer = {image + GUEST_START};
    const unsigned options = header->options;

    put_move(&writer, 4, GUEST_BASE + GUEST_STACK_TOP);
    if (options & GUEST_LOAD_TR) {
        put_move(&writer, 0, TR_SELECTOR);
        put(&writer, 0xD8000F, 3); /* ltr ax */
    }
    if (options & GUEST_FILL_GHCB) {
        put_move(&writer, 6, GUEST_BASE + GUEST_TEMPLATE);
        put_move(&writer, 7, GUEST_BASE + GUEST_GHCB);
        put_move(&writer, 1, PAGE_SIZE / 8);
        put(&writer, 0xA548F3, 3); /* rep movsq */
    }
    if (options & GUEST_REGISTER_GHCB) {
        put_write_msr(&writer, (GUEST_BASE + GUEST_GHCB) | GHCB_MSR_REGISTER_REQ);
        put_vmgexit(&writer);
    }
    if (options & GUEST_SET_MSR) {
        put_write_msr(&writer, header->ghcb_msr);
    }
    if (options & GUEST_VMGEXIT) {
        put_vmgexit(&writer);
    }
    if (options & GUEST_USER) {
        put_push(&writer, USER_DS);
        put_push(&writer, (uint32_t)GUEST_BASE + GUEST_DATA + 0x2000);
        put_push(&writer, header->rflags);
        put_push(&writer, USER_CS);
        put_push(&writer, (uint32_t)GUEST_BASE + GUEST_CODE);
    } else {
        put_push(&writer, header->rflags);
        put(&writer, 0x9D, 1); /* popfq */
    }
    for (unsigned reg = 0; reg < GUEST_GPRS; reg++) {
        if (reg != 4 || ((options & GUEST_SET_RSP) && !(options & GUEST_USER))) {
            put_move(&writer, reg, header->gpr[reg]);
        }
    }
    if (options & GUEST_USER) {
        put(&writer, 0xCF48, 2); /* iretq */
        return;
    }
    put(&writer, 0xE9, 1);
    put(&writer, GUEST_CODE - (uint64_t)(writer.at + 4 - image), 4);
}

/* ---- what the loader reads ---- */

static void put_info(uint8_t *image, const struct guest_header *header)
{
    static const uint8_t envelope[16] = {0xEA, 0x4F, 0x38, 0x81, 0x48, 0xAD, 0xB6, 0x4E,
                                         0xAF, 0x4F, 0x6A, 0xC4, 0x93, 0x16, 0xDF, 0x2B};
    static const uint8_t info[16] = {0x12, 0xA6, 0x89, 0xA7, 0x97, 0x05, 0x4B, 0x4C,
                                     0xA4, 0x9F, 0xCB, 0xB1, 0xFE, 0x9D, 0x1D, 0xDD};
    static const uint8_t metadata[16] = {0x9B, 0x18, 0x30, 0xBE, 0x44, 0xAB, 0x97, 0x4A,
                                         0x82, 0xDD, 0xEA, 0x81, 0x39, 0x41, 0x04, 0x7E};
    /* CR0: WP, EM, TS, AM, NW, CD. CR4: all but PAE and LA57. APM Vol 2 (24593) 3.1. */
    static const uint8_t cr0_bit[8] = {16, 2, 3, 18, 29, 30, 1, 5};
    static const uint8_t cr4_bit[16] = {9, 10, 20, 21, 16, 18, 2, 3, 4, 6, 7, 8, 11, 17, 22, 0};
    static const uint8_t efer_bit[8] = {11, 0, 12, 14, 13, 15, 18, 21};
    const unsigned entries_size = 4 + 18 + 86 + 18 + 18;
    struct writer writer = {image + IMAGE_SIZE - entries_size - 16 - 2 * 16};
    uint64_t cr0 = 0x80000031, cr4 = CR4_PAE, efer = EFER_LME | EFER_LMA;

    for (unsigned i = 0; i < 16; i++) {
        cr0 |= i < 8 && header->cr0 >> i & 1 ? 1ULL << cr0_bit[i] : 0;
        efer |= i < 8 && header->efer >> i & 1 ? 1ULL << efer_bit[i] : 0;
        cr4 |= header->cr4 >> i & 1 ? 1ULL << cr4_bit[i] : 0;
    }
    /* VMRUN refuses a launch with NW and without CD. */
    cr0 |= cr0 & CR0_NW ? CR0_CD : 0;
    put_bytes(&writer, SVSM_METADATA_SIGNATURE, 4);
    put(&writer, 16 + 2 * 16, 4);
    put(&writer, SVSM_METADATA_VERSION, 4);
    put(&writer, 2, 4);
    put(&writer, GUEST_BASE + IMAGE_SIZE, 8);
    put(&writer, 4096, 4);
    put(&writer, SVSM_SECTION_SECRETS, 4);
    put(&writer, GUEST_BASE + IMAGE_SIZE + 4096, 8);
    put(&writer, 4096, 4);
    put(&writer, SVSM_SECTION_CPUID, 4);

    put(&writer, entries_size + 16 + 2 * 16, 4);
    put(&writer, 4 + 18, 2);
    put_bytes(&writer, metadata, 16);
    put(&writer, GUEST_BASE, 8);
    put(&writer, GUEST_MEMORY, 8);
    put(&writer, (GUEST_BASE + GUEST_PML4) | CBIT_MASK, 8);
    put(&writer, GUEST_BASE + GUEST_GDT, 8);
    put(&writer, (uint16_t)(GDT_SIZE - 1 + header->gdt_limit), 2);
    put(&writer, GUEST_BASE + GUEST_IDT, 8);
    put(&writer, (uint16_t)(VECTORS * GATE_SIZE - 1 + header->idt_limit), 2);
    put(&writer, 8, 2);
    put(&writer, 0x00AF9B000000FFFF, 8);
    put(&writer, GUEST_BASE, 8);
    put(&writer, efer, 8);
    put(&writer, cr0, 8);
    put(&writer, cr4, 8);
    put(&writer, 86 + 18, 2);
    put_bytes(&writer, info, 16);
    put(&writer, entries_size, 2);
    put_bytes(&writer, envelope, 16);
}

static void put_records(uint8_t *image, const uint8_t *data, size_t size)
{
    while (size > 4) {
        size_t at = (data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16) % GUEST_PATCH_BYTES;
        size_t length = data[3];

        data += 4;
        size -= 4;
        length = length < size ? length : size;
        memcpy(image + at, data, length < GUEST_PATCH_BYTES - at ? length : GUEST_PATCH_BYTES - at);
        data += length;
        size -= length;
    }
}

/* jmp to the next instruction, again and again */
static void put_jumps(uint8_t *image, size_t from, size_t to)
{
    const uint64_t jumps = 0x00EB00EB00EB00EB;

    for (size_t at = from; at < to; at += sizeof(jumps)) {
        memcpy(image + at, &jumps, sizeof(jumps));
    }
}

void guest_image(uint8_t *file, const struct guest_header *header, const uint8_t *data, size_t size)
{
    const Elf64_Ehdr ehdr = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_entry = GUEST_BASE,
        .e_phoff = sizeof(Elf64_Ehdr),
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = 1,
    };
    const Elf64_Phdr phdr = {
        .p_type = PT_LOAD,
        .p_flags = PF_R,
        .p_offset = 4096,
        .p_vaddr = GUEST_BASE,
        .p_paddr = GUEST_BASE,
        .p_filesz = IMAGE_SIZE,
        .p_memsz = IMAGE_SIZE,
        .p_align = 4096,
    };
    uint8_t *image = file + 4096;

    memset(file, 0, GUEST_IMAGE_BYTES);
    /* Who runs off the code halts, and who runs through what is no code jumps on: zeroes would be
       blocks of hundreds of stores, translated anew after each fault. */
    memset(image + GUEST_CODE, 0xF4, GUEST_IDT - GUEST_CODE);
    put_jumps(image, GUEST_START, GUEST_CODE);
    put_jumps(image, GUEST_HANDLERS, GUEST_TEMPLATE);
    put_jumps(image, GUEST_TEMPLATE + PAGE_SIZE, GUEST_STACK_TOP);
    put_jumps(image, GUEST_DATA, IMAGE_SIZE - PAGE_SIZE);
    memcpy(file, &ehdr, sizeof(ehdr));
    memcpy(file + sizeof(ehdr), &phdr, sizeof(phdr));
    put_page_tables(image, header);
    put_descriptors(image);
    put_handlers(image, header);
    put_start(image, header);
    memset(image + GUEST_TEMPLATE + 0x3F0, 0xFF, 16); /* the valid bitmap; then version and usage */
    put_at(image, GUEST_TEMPLATE + 0xFFA, 2, 6);
    put_info(image, header);
    if (size > GUEST_HEADER_SIZE) {
        put_records(image, data + GUEST_HEADER_SIZE, size - GUEST_HEADER_SIZE);
    }
}
