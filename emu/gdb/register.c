/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registers and the target description that names them: one row each. The features whose names
 * begin with org.gnu.gdb have the registers that gdb wants in them, the others are our own.
 *
 * Source: Debugging with GDB, appendix G "Target Descriptions", G.5.7 i386 Features.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gdb/cpu.h"
#include "machine/vmsa.h"

enum register_source {
    FROM_PAGE, /* `offset` of the save area */
    FROM_X87,  /* ST(offset) */
    FROM_TAGS,
    FROM_CR8,
    FROM_GHCB_MSR,
    FROM_SEV_STATUS,
    FROM_VMPL,
    FROM_RETIRED,
};

struct register_row {
    const char *name, *type;
    const char *group; /* NULL: none */
    const char *opens; /* the feature that begins here; NULL: it goes on */
    uint8_t size_bytes,
        stored_bytes; /* in a packet, and in the save area, of which zeroes follow */
    enum register_source source;
    uint16_t offset;
};

#define WORD(name, offset)                                                                         \
    {                                                                                              \
        name, "int64", NULL, NULL, 8, 8, FROM_PAGE, offset                                         \
    }
#define HALF(name, group, stored, offset)                                                          \
    {                                                                                              \
        name, "int32", group, NULL, 4, stored, FROM_PAGE, offset                                   \
    }
#define ST(n)                                                                                      \
    {                                                                                              \
        "st" #n, "i387_ext", NULL, NULL, 10, 10, FROM_X87, n                                       \
    }
#define XMM(n, opens)                                                                              \
    {                                                                                              \
        "xmm" #n, "vec128", NULL, opens, 16, 16, FROM_PAGE, VMSA_FPREG_XMM + 16 * n                \
    }

static const struct register_row registers[] = {
    {"rax", "int64", NULL, "org.gnu.gdb.i386.core", 8, 8, FROM_PAGE, VMSA_RAX},
    WORD("rbx", VMSA_RBX),
    WORD("rcx", VMSA_RCX),
    WORD("rdx", VMSA_RDX),
    WORD("rsi", VMSA_RSI),
    WORD("rdi", VMSA_RDI),
    {"rbp", "data_ptr", NULL, NULL, 8, 8, FROM_PAGE, VMSA_RBP},
    {"rsp", "data_ptr", NULL, NULL, 8, 8, FROM_PAGE, VMSA_RSP},
    WORD("r8", VMSA_R8),
    WORD("r9", VMSA_R9),
    WORD("r10", VMSA_R10),
    WORD("r11", VMSA_R11),
    WORD("r12", VMSA_R12),
    WORD("r13", VMSA_R13),
    WORD("r14", VMSA_R14),
    WORD("r15", VMSA_R15),
    {"rip", "code_ptr", NULL, NULL, 8, 8, FROM_PAGE, VMSA_RIP},
    {"eflags", "i386_eflags", NULL, NULL, 4, 4, FROM_PAGE, VMSA_RFLAGS},
    HALF("cs", NULL, 2, VMSA_CS),
    HALF("ss", NULL, 2, VMSA_SS),
    HALF("ds", NULL, 2, VMSA_DS),
    HALF("es", NULL, 2, VMSA_ES),
    HALF("fs", NULL, 2, VMSA_FS),
    HALF("gs", NULL, 2, VMSA_GS),
    ST(0),
    ST(1),
    ST(2),
    ST(3),
    ST(4),
    ST(5),
    ST(6),
    ST(7),
    HALF("fctrl", "float", 2, VMSA_X87_FCW),
    HALF("fstat", "float", 2, VMSA_X87_FSW),
    {"ftag", "int32", "float", NULL, 4, 2, FROM_TAGS, 0},
    HALF("fiseg", "float", 2, VMSA_X87_CS),
    HALF("fioff", "float", 4, VMSA_X87_RIP),
    HALF("foseg", "float", 2, VMSA_X87_DS),
    HALF("fooff", "float", 4, VMSA_X87_DP),
    HALF("fop", "float", 2, VMSA_X87_FOP),
    XMM(0, "org.gnu.gdb.i386.sse"),
    XMM(1, NULL),
    XMM(2, NULL),
    XMM(3, NULL),
    XMM(4, NULL),
    XMM(5, NULL),
    XMM(6, NULL),
    XMM(7, NULL),
    XMM(8, NULL),
    XMM(9, NULL),
    XMM(10, NULL),
    XMM(11, NULL),
    XMM(12, NULL),
    XMM(13, NULL),
    XMM(14, NULL),
    XMM(15, NULL),
    HALF("mxcsr", "vector", 4, VMSA_MXCSR),
    {"fs_base", "int64", NULL, "org.gnu.gdb.i386.segments", 8, 8, FROM_PAGE,
     VMSA_FS + VMSA_SEGMENT_BASE},
    WORD("gs_base", VMSA_GS + VMSA_SEGMENT_BASE),
    {"cr0", "int64", "system", "snpemu.control", 8, 8, FROM_PAGE, VMSA_CR0},
    {"cr2", "data_ptr", "system", NULL, 8, 8, FROM_PAGE, VMSA_CR2},
    {"cr3", "int64", "system", NULL, 8, 8, FROM_PAGE, VMSA_CR3},
    {"cr4", "int64", "system", NULL, 8, 8, FROM_PAGE, VMSA_CR4},
    {"cr8", "int64", "system", NULL, 8, 8, FROM_CR8, 0},
    {"efer", "int64", "system", NULL, 8, 8, FROM_PAGE, VMSA_EFER},
    {"xcr0", "int64", "system", NULL, 8, 8, FROM_PAGE, VMSA_XCR0},
    {"dr0", "data_ptr", "system", NULL, 8, 8, FROM_PAGE, VMSA_DR0},
    {"dr1", "data_ptr", "system", NULL, 8, 8, FROM_PAGE, VMSA_DR1},
    {"dr2", "data_ptr", "system", NULL, 8, 8, FROM_PAGE, VMSA_DR2},
    {"dr3", "data_ptr", "system", NULL, 8, 8, FROM_PAGE, VMSA_DR3},
    {"dr6", "int64", "system", NULL, 8, 8, FROM_PAGE, VMSA_DR6},
    {"dr7", "int64", "system", NULL, 8, 8, FROM_PAGE, VMSA_DR7},
    {"gdt_base", "data_ptr", "system", NULL, 8, 8, FROM_PAGE, VMSA_GDTR + VMSA_SEGMENT_BASE},
    {"idt_base", "data_ptr", "system", NULL, 8, 8, FROM_PAGE, VMSA_IDTR + VMSA_SEGMENT_BASE},
    {"tr_base", "data_ptr", "system", NULL, 8, 8, FROM_PAGE, VMSA_TR + VMSA_SEGMENT_BASE},
    {"kernel_gs_base", "int64", "system", NULL, 8, 8, FROM_PAGE, VMSA_KERNEL_GS_BASE},
    {"ghcb_msr", "int64", "system", "snpemu.sev", 8, 8, FROM_GHCB_MSR, 0},
    {"sev_status", "int64", "system", NULL, 8, 8, FROM_SEV_STATUS, 0},
    {"vmpl", "int32", "system", NULL, 4, 4, FROM_VMPL, 0},
    {"cpl", "int32", "system", NULL, 4, 1, FROM_PAGE, VMSA_CPL},
    {"instructions", "int64", "system", NULL, 8, 8, FROM_RETIRED, 0},
};

#define REGISTER_COUNT (sizeof(registers) / sizeof(registers[0]))
#define X87_HIGH 64 /* of the save area's field: where bytes 9:8 of the registers begin */
#define TAG_EMPTY 3u

size_t gdb_register_count(void)
{
    return REGISTER_COUNT;
}

size_t gdb_register_size_bytes(size_t number)
{
    return registers[number].size_bytes;
}

static void x87_get(const uint8_t *page, unsigned number, uint8_t bytes[10])
{
    memcpy(bytes, page + VMSA_FPREG_X87 + 8 * number, 8);
    memcpy(bytes + 8, page + VMSA_FPREG_X87 + X87_HIGH + 2 * number, 2);
}

/* Two bits a register, as FSTENV has them; the save area has one. Intel SDM Vol 1 8.1.7. */
static uint16_t x87_tags(const uint8_t *page)
{
    unsigned top = page[VMSA_X87_FSW + 1] >> 3 & 7;
    uint16_t tags = 0;

    for (unsigned i = 0; i < 8; i++) {
        uint8_t st[10];
        unsigned exponent, tag = 0;
        uint64_t mantissa;

        x87_get(page, (i - top) & 7, st);
        memcpy(&mantissa, st, sizeof(mantissa));
        exponent = (st[8] | st[9] << 8) & 0x7FFF;
        if (!(page[VMSA_X87_FTW] >> i & 1)) {
            tag = TAG_EMPTY;
        } else if (exponent == 0 && mantissa == 0) {
            tag = 1;
        } else if (exponent == 0 || exponent == 0x7FFF || !(mantissa >> 63)) {
            tag = 2;
        }
        tags = (uint16_t)(tags | tag << 2 * i);
    }
    return tags;
}

bool gdb_register_get(const struct gdb_cpu *cpu, size_t number, uint8_t bytes[GDB_REGISTER_MAX])
{
    const struct register_row *row = &registers[number];
    uint64_t value = 0;

    memset(bytes, 0, GDB_REGISTER_MAX);
    switch (row->source) {
    case FROM_PAGE:
        memcpy(bytes, cpu->page + row->offset, row->stored_bytes);
        return true;
    case FROM_X87:
        x87_get(cpu->page, row->offset, bytes);
        return true;
    case FROM_TAGS:
        value = x87_tags(cpu->page);
        break;
    case FROM_CR8:
        value = cpu->cr8;
        break;
    case FROM_GHCB_MSR:
        value = cpu->ghcb_msr;
        break;
    case FROM_SEV_STATUS:
        value = cpu->sev_status;
        break;
    case FROM_VMPL:
        value = cpu->vmpl;
        break;
    case FROM_RETIRED:
        value = cpu->retired;
        break;
    }
    memcpy(bytes, &value, sizeof(value));
    return cpu->runs || (row->source != FROM_CR8 && row->source != FROM_SEV_STATUS);
}

bool gdb_register_set(struct gdb_cpu *cpu, size_t number, const uint8_t bytes[GDB_REGISTER_MAX])
{
    const struct register_row *row = &registers[number];
    uint8_t old[GDB_REGISTER_MAX];

    gdb_register_get(cpu, number, old);
    if (memcmp(old, bytes, row->size_bytes) == 0) {
        return true;
    }
    switch (row->source) {
    case FROM_PAGE:
        memcpy(cpu->page + row->offset, bytes, row->stored_bytes);
        return row->offset != VMSA_CPL;
    case FROM_X87:
        memcpy(cpu->page + VMSA_FPREG_X87 + (size_t)8 * row->offset, bytes, 8);
        memcpy(cpu->page + VMSA_FPREG_X87 + X87_HIGH + (size_t)2 * row->offset, bytes + 8, 2);
        return true;
    case FROM_CR8:
        memcpy(&cpu->cr8, bytes, sizeof(cpu->cr8));
        return cpu->runs;
    case FROM_GHCB_MSR:
        memcpy(&cpu->ghcb_msr, bytes, sizeof(cpu->ghcb_msr));
        return true;
    default:
        return false;
    }
}

/* ---- the description ---- */

static const char xml_types_core[] =
    "<flags id=\"i386_eflags\" size=\"4\">"
    "<field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"\" start=\"1\" end=\"1\"/>"
    "<field name=\"PF\" start=\"2\" end=\"2\"/><field name=\"AF\" start=\"4\" end=\"4\"/>"
    "<field name=\"ZF\" start=\"6\" end=\"6\"/><field name=\"SF\" start=\"7\" end=\"7\"/>"
    "<field name=\"TF\" start=\"8\" end=\"8\"/><field name=\"IF\" start=\"9\" end=\"9\"/>"
    "<field name=\"DF\" start=\"10\" end=\"10\"/><field name=\"OF\" start=\"11\" end=\"11\"/>"
    "<field name=\"NT\" start=\"14\" end=\"14\"/><field name=\"RF\" start=\"16\" end=\"16\"/>"
    "<field name=\"VM\" start=\"17\" end=\"17\"/><field name=\"AC\" start=\"18\" end=\"18\"/>"
    "<field name=\"ID\" start=\"21\" end=\"21\"/></flags>\n";

static const char xml_types_sse[] =
    "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
    "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
    "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
    "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
    "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
    "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
    "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/>"
    "<field name=\"v2_double\" type=\"v2d\"/><field name=\"v16_int8\" type=\"v16i8\"/>"
    "<field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
    "<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/>"
    "</union>\n";

static void xml_register(FILE *file, const struct register_row *row, bool first)
{
    if (row->opens) {
        fprintf(file, "%s<feature name=\"%s\">\n", first ? "" : "</feature>\n", row->opens);
        fputs(strcmp(row->type, "vec128") == 0 ? xml_types_sse : first ? xml_types_core : "", file);
    }
    fprintf(file, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"", row->name, 8u * row->size_bytes,
            row->type);
    if (row->group) {
        fprintf(file, " group=\"%s\"", row->group);
    }
    fputs("/>\n", file);
}

char *gdb_target_xml(void)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);

    if (!file) {
        return NULL;
    }
    fputs("<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
          "<target version=\"1.0\">\n<architecture>i386:x86-64</architecture>\n",
          file);
    for (size_t i = 0; i < REGISTER_COUNT; i++) {
        xml_register(file, &registers[i], i == 0);
    }
    fputs("</feature>\n</target>\n", file);
    if (fclose(file) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
