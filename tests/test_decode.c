/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trap/decode.c: which instructions must trap, told apart by prefix, and where a faulting access
 * went.
 *
 * Source of the encodings: AMD APM Vol 3 (24594), instruction reference and opcode maps; for
 * PVALIDATE, RMPADJUST and RMPQUERY also AMDESE/linux-svsm src/cpu/sys.rs and project-oak/oak; the
 * host's RMPUPDATE and PSMASH: Linux arch/x86/virt/svm/sev.c.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "guest_builder.h"
#include "trap/decode.h"

#define MAX 20

/* ---- what it is ---- */

struct insn_row {
    const char *name;
    uint8_t size; /* bytes there are */
    uint8_t bytes[MAX];
    enum insn_id id;
    uint8_t length;
};

#define BYTES(...)                                                                                 \
    sizeof((uint8_t[]){__VA_ARGS__}),                                                              \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static const struct insn_row insn_rows[] = {
    /* 0F 01 D9 */
    {"vmgexit", BYTES(0xF3, 0x0F, 0x01, 0xD9), INSN_VMGEXIT, 4},
    {"vmgexit with F2", BYTES(0xF2, 0x0F, 0x01, 0xD9), INSN_VMGEXIT, 4},
    {"vmmcall", BYTES(0x0F, 0x01, 0xD9), INSN_VMMCALL, 3},
    {"vmmcall with 66", BYTES(0x66, 0x0F, 0x01, 0xD9), INSN_VMMCALL, 4},
    {"vmmcall with REX.W", BYTES(0x48, 0x0F, 0x01, 0xD9), INSN_VMMCALL, 4},
    {"vmgexit with REX.W", BYTES(0xF3, 0x48, 0x0F, 0x01, 0xD9), INSN_VMGEXIT, 5},
    {"vmgexit with an ignored REX", BYTES(0x48, 0xF3, 0x0F, 0x01, 0xD9), INSN_VMGEXIT, 5},
    {"vmgexit with 66 before", BYTES(0x66, 0xF3, 0x0F, 0x01, 0xD9), INSN_VMGEXIT, 5},
    {"vmgexit with 66 after", BYTES(0xF3, 0x66, 0x0F, 0x01, 0xD9), INSN_VMGEXIT, 5},
    {"vmgexit with a segment", BYTES(0x65, 0xF3, 0x0F, 0x01, 0xD9), INSN_VMGEXIT, 5},
    {"vmgexit with 67", BYTES(0x67, 0xF3, 0x0F, 0x01, 0xD9), INSN_VMGEXIT, 5},
    {"vmgexit with LOCK", BYTES(0xF0, 0xF3, 0x0F, 0x01, 0xD9), INSN_UNDEFINED, 0},
    {"vmgexit, 15 bytes",
     BYTES(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0xF3, 0x0F, 0x01,
           0xD9),
     INSN_VMGEXIT, 15},
    {"vmgexit, 16 bytes",
     BYTES(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0xF3, 0x0F, 0x01,
           0xD9),
     INSN_UNDEFINED, 0},
    /* 0F 01 FF */
    {"pvalidate", BYTES(0xF2, 0x0F, 0x01, 0xFF), INSN_PVALIDATE, 4},
    {"tlbsync", BYTES(0x0F, 0x01, 0xFF), INSN_TLBSYNC, 3},
    {"tlbsync with 66", BYTES(0x66, 0x0F, 0x01, 0xFF), INSN_TLBSYNC, 4},
    {"pvalidate with 66", BYTES(0x66, 0xF2, 0x0F, 0x01, 0xFF), INSN_PVALIDATE, 5},
    {"pvalidate with REX.W", BYTES(0xF2, 0x48, 0x0F, 0x01, 0xFF), INSN_PVALIDATE, 5},
    {"pvalidate with an ignored REX", BYTES(0x41, 0xF2, 0x0F, 0x01, 0xFF), INSN_PVALIDATE, 5},
    {"F3, then F2: the last counts", BYTES(0xF3, 0xF2, 0x0F, 0x01, 0xFF), INSN_PVALIDATE, 5},
    {"pvalidate with LOCK", BYTES(0xF2, 0xF0, 0x0F, 0x01, 0xFF), INSN_UNDEFINED, 0},
    /* 0F 01 FE */
    {"rmpadjust", BYTES(0xF3, 0x0F, 0x01, 0xFE), INSN_RMPADJUST, 4},
    {"invlpgb", BYTES(0x0F, 0x01, 0xFE), INSN_INVLPGB, 3},
    {"F2, then F3: the last counts", BYTES(0xF2, 0xF3, 0x0F, 0x01, 0xFE), INSN_RMPADJUST, 5},
    {"rmpadjust with REX", BYTES(0xF3, 0x40, 0x0F, 0x01, 0xFE), INSN_RMPADJUST, 5},
    /* 0F 01 FD */
    {"rmpquery", BYTES(0xF3, 0x0F, 0x01, 0xFD), INSN_RMPQUERY, 4},
    /* MSRs */
    {"rdmsr", BYTES(0x0F, 0x32), INSN_RDMSR, 2},
    {"rdmsr with F3", BYTES(0xF3, 0x0F, 0x32), INSN_RDMSR, 3},
    {"rdmsr with REX.W", BYTES(0x48, 0x0F, 0x32), INSN_RDMSR, 3},
    {"rdmsr with LOCK", BYTES(0xF0, 0x0F, 0x32), INSN_UNDEFINED, 0},
    {"wrmsr", BYTES(0x0F, 0x30), INSN_WRMSR, 2},
    {"wrmsr with 66", BYTES(0x66, 0x0F, 0x30), INSN_WRMSR, 3},
    /* What is always #VC */
    {"cpuid", BYTES(0x0F, 0xA2), INSN_CPUID, 2},
    {"cpuid with F2", BYTES(0xF2, 0x0F, 0xA2), INSN_CPUID, 3},
    {"in al, imm8", BYTES(0xE4, 0x60), INSN_IO, 2},
    {"in eax, imm8", BYTES(0xE5, 0x60), INSN_IO, 2},
    {"in al, dx", BYTES(0xEC), INSN_IO, 1},
    {"in ax, dx", BYTES(0x66, 0xED), INSN_IO, 2},
    {"in eax, dx", BYTES(0xED), INSN_IO, 1},
    {"out imm8, al", BYTES(0xE6, 0x80), INSN_IO, 2},
    {"out imm8, eax", BYTES(0xE7, 0x80), INSN_IO, 2},
    {"out dx, al", BYTES(0xEE), INSN_IO, 1},
    {"out dx, eax", BYTES(0xEF), INSN_IO, 1},
    {"insb", BYTES(0x6C), INSN_IO, 1},
    {"rep insw", BYTES(0xF3, 0x66, 0x6D), INSN_IO, 3},
    {"insd", BYTES(0x6D), INSN_IO, 1},
    {"rep outsb", BYTES(0xF3, 0x6E), INSN_IO, 2},
    {"outsw", BYTES(0x66, 0x6F), INSN_IO, 2},
    {"outsd from gs", BYTES(0x65, 0x6F), INSN_IO, 2},
    /* Time and chance */
    {"rdtsc", BYTES(0x0F, 0x31), INSN_RDTSC, 2},
    {"rdtscp", BYTES(0x0F, 0x01, 0xF9), INSN_RDTSCP, 3},
    {"rdrand eax", BYTES(0x0F, 0xC7, 0xF0), INSN_RDRAND, 3},
    {"rdrand rax", BYTES(0x48, 0x0F, 0xC7, 0xF0), INSN_RDRAND, 4},
    {"rdseed ecx", BYTES(0x0F, 0xC7, 0xF9), INSN_RDSEED, 3},
    /* What the engine would do in its own way, or not at all */
    {"xsetbv", BYTES(0x0F, 0x01, 0xD1), INSN_XSETBV, 3},
    {"syscall", BYTES(0x0F, 0x05), INSN_SYSCALL, 2},
    {"sysretq", BYTES(0x48, 0x0F, 0x07), INSN_SYSRET, 3},
    {"sysenter", BYTES(0x0F, 0x34), INSN_SYSENTER, 2},
    {"sysexit", BYTES(0x0F, 0x35), INSN_SYSENTER, 2},
    {"monitor", BYTES(0x0F, 0x01, 0xC8), INSN_MONITOR, 3},
    {"mwait", BYTES(0x0F, 0x01, 0xC9), INSN_MWAIT, 3},
    {"monitorx", BYTES(0x0F, 0x01, 0xFA), INSN_MONITORX, 3},
    {"mwaitx", BYTES(0x0F, 0x01, 0xFB), INSN_MWAITX, 3},
    {"rdpru", BYTES(0x0F, 0x01, 0xFD), INSN_RDPRU, 3},
    {"clzero", BYTES(0x0F, 0x01, 0xFC), INSN_CLZERO, 3},
    {"wbinvd", BYTES(0x0F, 0x09), INSN_WBINVD, 2},
    {"wbnoinvd", BYTES(0xF3, 0x0F, 0x09), INSN_WBINVD, 3},
    {"invd", BYTES(0x0F, 0x08), INSN_INVD, 2},
    {"rdpmc", BYTES(0x0F, 0x33), INSN_RDPMC, 2},
    {"int3", BYTES(0xCC), INSN_INT, 1},
    {"int 0x80", BYTES(0xCD, 0x80), INSN_INT, 2},
    {"mov rax, dr0", BYTES(0x0F, 0x21, 0xC0), INSN_MOV_DR, 3},
    {"int1", BYTES(0xF1), INSN_INT1, 1},
    {"mov dr7, rax", BYTES(0x0F, 0x23, 0xF8), INSN_MOV_DR, 3},
    {"vmrun", BYTES(0x0F, 0x01, 0xD8), INSN_VMRUN, 3},
    {"vmload", BYTES(0x0F, 0x01, 0xDA), INSN_SVM, 3},
    {"vmsave", BYTES(0x0F, 0x01, 0xDB), INSN_SVM, 3},
    {"stgi", BYTES(0x0F, 0x01, 0xDC), INSN_SVM, 3},
    {"clgi", BYTES(0x0F, 0x01, 0xDD), INSN_SVM, 3},
    {"skinit", BYTES(0x0F, 0x01, 0xDE), INSN_SKINIT, 3},
    {"invlpga", BYTES(0x0F, 0x01, 0xDF), INSN_INVLPGA, 3},
    /* No instructions */
    {"ud2", BYTES(0x0F, 0x0B), INSN_UNDEFINED, 2},
    {"ud1", BYTES(0x0F, 0xB9, 0xC0), INSN_UNDEFINED, 3},
    {"ud0", BYTES(0x0F, 0xFF, 0xC0), INSN_UNDEFINED, 3},
    {"push es is gone", BYTES(0x06), INSN_UNDEFINED, 0},
    {"pusha is gone", BYTES(0x60), INSN_UNDEFINED, 0},
    {"lock nop", BYTES(0xF0, 0x90), INSN_UNDEFINED, 0},
    /* Cut off */
    {"nothing", 0, {0}, INSN_UNDEFINED, 0},
    {"a prefix", BYTES(0xF3), INSN_UNDEFINED, 0},
    {"an escape", BYTES(0xF2, 0x0F), INSN_UNDEFINED, 0},
    {"all but the last byte of vmgexit", BYTES(0xF3, 0x0F, 0x01), INSN_UNDEFINED, 0},
    {"half an immediate", BYTES(0x48, 0xB8, 1, 2, 3, 4), INSN_UNDEFINED, 0},
    {"nothing but prefixes",
     BYTES(0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
           0x66),
     INSN_UNDEFINED, 0},
    /* The engine's own business, also next door to a trap */
    {"nop", BYTES(0x90), INSN_OTHER, 1},
    {"pause", BYTES(0xF3, 0x90), INSN_PAUSE, 2},
    {"hlt", BYTES(0xF4), INSN_HLT, 1},
    {"mov", BYTES(0x48, 0x89, 0xC3), INSN_OTHER, 3},
    {"xgetbv", BYTES(0x0F, 0x01, 0xD0), INSN_OTHER, 3},
    {"swapgs", BYTES(0x0F, 0x01, 0xF8), INSN_OTHER, 3},
    {"clac", BYTES(0x0F, 0x01, 0xCA), INSN_OTHER, 3},
    {"invlpg [rax]", BYTES(0x0F, 0x01, 0x38), INSN_OTHER, 3},
    {"lidt [rax]", BYTES(0x0F, 0x01, 0x18), INSN_OTHER, 3},
    {"mov cr3, rax", BYTES(0x0F, 0x22, 0xD8), INSN_OTHER, 3},
    {"the bytes of rdmsr inside a mov", BYTES(0xB8, 0x0F, 0x32, 0x0F, 0x32), INSN_OTHER, 5},
    /* The host's */
    {"rmpupdate", BYTES(0xF2, 0x0F, 0x01, 0xFE), INSN_RMP_HOST, 4},
    {"psmash", BYTES(0xF3, 0x0F, 0x01, 0xFF), INSN_RMP_HOST, 4},
    {"rmpread", BYTES(0xF2, 0x0F, 0x01, 0xFD), INSN_RMP_HOST, 4},
};

START_TEST(insn_table)
{
    const struct insn_row *row = &insn_rows[_i];
    struct insn insn;

    decode_insn(row->bytes, row->size, 64, &insn);
    ck_assert_msg(insn.id == row->id, "%s: decoded as %s", row->name, insn_name(insn.id));
    ck_assert_msg(insn.length == row->length, "%s: length %u", row->name, insn.length);
}
END_TEST

/* What lies behind an instruction does not matter; where it is cut off, nothing is read. */
START_TEST(insn_at_an_end)
{
    const struct insn_row *row = &insn_rows[_i];
    struct insn insn;
    uint8_t *exact, longer[MAX + 15];

    if (row->length == 0) {
        return;
    }
    memset(longer, 0xFF, sizeof(longer));
    memcpy(longer, row->bytes, row->size);
    decode_insn(longer, sizeof(longer), 64, &insn);
    ck_assert_msg(insn.id == row->id && insn.length == row->length, "%s, more behind", row->name);
    for (size_t size = 0; size < row->length; size++) {
        exact = malloc(size + 1);
        ck_assert_ptr_nonnull(exact);
        /* At the end of its allocation, so that a sanitizer sees one byte too many. */
        memcpy(exact + 1, row->bytes, size);
        decode_insn(exact + 1, size, 64, &insn);
        ck_assert_msg(insn.id == INSN_UNDEFINED && insn.length == 0, "%s, cut to %zu", row->name,
                      size);
        free(exact);
    }
}
END_TEST

/* The engine would run these as if they were the SSE ones: by what the processor must have. */
static const struct {
    const char *name;
    uint8_t size;
    uint8_t bytes[15];
    enum feature feature;
} feature_code_rows[] = {
    {"vaddps xmm", BYTES(0xC5, 0xF8, 0x58, 0xC0), FEATURE_AVX},
    {"vpaddd ymm", BYTES(0xC5, 0xFD, 0xFE, 0xC0), FEATURE_AVX2},
    {"vaesenc xmm", BYTES(0xC4, 0xE2, 0x79, 0xDC, 0xC0), FEATURE_AVX},
    {"vaesenc ymm", BYTES(0xC4, 0xE2, 0x7D, 0xDC, 0xC0), FEATURE_VAES},
    {"vfmadd132ps", BYTES(0xC4, 0xE2, 0x79, 0x98, 0xC0), FEATURE_FMA},
    {"vcvtph2ps", BYTES(0xC4, 0xE2, 0x79, 0x13, 0xC0), FEATURE_F16C},
    {"vaddps zmm", BYTES(0x62, 0xF1, 0x7C, 0x48, 0x58, 0xC0), FEATURE_AVX512},
    {"kmovw", BYTES(0xC5, 0xF8, 0x92, 0xC8), FEATURE_AVX512},
    {"sha256rnds2", BYTES(0x0F, 0x38, 0xCB, 0xC1), FEATURE_SHA},
    {"gf2p8mulb", BYTES(0x66, 0x0F, 0x38, 0xCF, 0xC1), FEATURE_GFNI},
    {"rdpid", BYTES(0xF3, 0x0F, 0xC7, 0xF8), FEATURE_RDPID},
    {"xsaves", BYTES(0x0F, 0xC7, 0x28), FEATURE_XSAVES},
    {"xsavec", BYTES(0x0F, 0xC7, 0x20), FEATURE_XSAVEC},
    {"vfmaddps of FMA4", BYTES(0xC4, 0xE3, 0x79, 0x68, 0xC0, 0x00), FEATURE_ABSENT},
    {"vmcall", BYTES(0x0F, 0x01, 0xC1), FEATURE_ABSENT},
    {"andn, which the engine has", BYTES(0xC4, 0xE2, 0x78, 0xF2, 0xC0), FEATURE_UNKNOWN},
    {"aesenc, which the engine has", BYTES(0x66, 0x0F, 0x38, 0xDC, 0xC0), FEATURE_UNKNOWN},
    {"addps", BYTES(0x0F, 0x58, 0xC0), FEATURE_UNKNOWN},
    {"prefetchw", BYTES(0x0F, 0x0D, 0x08), FEATURE_UNKNOWN},
};

START_TEST(feature_table)
{
    const uint8_t *bytes = feature_code_rows[_i].bytes;
    struct vcpu_insn seen = {0};
    struct insn insn;

    decode_insn(bytes, feature_code_rows[_i].size, 64, &insn);
    decode_for_vcpu(bytes, feature_code_rows[_i].size, 64, &seen);
    ck_assert_msg(insn.id == INSN_OTHER && insn.length == feature_code_rows[_i].size &&
                      insn.feature == feature_code_rows[_i].feature,
                  "%s: id %d, feature %d", feature_code_rows[_i].name, insn.id, insn.feature);
    ck_assert_msg(seen.trap == (insn.feature != FEATURE_UNKNOWN), "%s: trap %d",
                  feature_code_rows[_i].name, seen.trap);
}
END_TEST

/* What must never run in the engine gets a trap, and so does what is no instruction. */
START_TEST(trap_table)
{
    const struct insn_row *row = &insn_rows[_i];
    bool want = row->id >= INSN_RDMSR || row->id == INSN_PAUSE || row->length == 0;
    struct vcpu_insn insn = {0};

    decode_for_vcpu(row->bytes, row->size, 64, &insn);
    ck_assert_msg(insn.trap == want, "%s: trap %d", row->name, insn.trap);
    ck_assert_uint_eq(insn.length, row->length);
}
END_TEST

START_TEST(every_id_has_a_name)
{
    for (int id = 0; id < INSN_COUNT; id++) {
        ck_assert_ptr_nonnull(insn_name((enum insn_id)id));
    }
}
END_TEST

static const struct {
    const char *name;
    uint8_t size;
    uint8_t bytes[8];
    bool spin;
} spin_rows[] = {
    {"jmp rel8 to itself", BYTES(0xEB, 0xFE), true},
    {"jmp rel32 to itself", BYTES(0xE9, 0xFB, 0xFF, 0xFF, 0xFF), true},
    {"jmp one byte back", BYTES(0xEB, 0xFD), false},
    {"jmp to the next", BYTES(0xEB, 0x00), false},
    {"jne to itself may end", BYTES(0x75, 0xFE), false},
    {"loop to itself ends", BYTES(0xE2, 0xFE), false},
    {"call to itself pushes", BYTES(0xE8, 0xFB, 0xFF, 0xFF, 0xFF), false},
    {"jmp rel32 into itself", BYTES(0xE9, 0xFC, 0xFF, 0xFF, 0xFF), false},
};

START_TEST(spin_table)
{
    struct insn insn;

    decode_insn(spin_rows[_i].bytes, spin_rows[_i].size, 64, &insn);
    ck_assert_msg(insn.spin == spin_rows[_i].spin, "%s", spin_rows[_i].name);
}
END_TEST

static const struct {
    const char *name;
    uint8_t size;
    uint8_t bytes[8];
    uint8_t reg, operand_size_bytes;
} random_rows[] = {
    {"rdrand eax", BYTES(0x0F, 0xC7, 0xF0), 0, 4},
    {"rdrand rax", BYTES(0x48, 0x0F, 0xC7, 0xF0), 0, 8},
    {"rdrand ax", BYTES(0x66, 0x0F, 0xC7, 0xF0), 0, 2},
    {"rdrand edi", BYTES(0x0F, 0xC7, 0xF7), 7, 4},
    {"rdrand r15d", BYTES(0x41, 0x0F, 0xC7, 0xF7), 15, 4},
    {"rdrand r8", BYTES(0x49, 0x0F, 0xC7, 0xF0), 8, 8},
    {"rdseed rdx", BYTES(0x48, 0x0F, 0xC7, 0xFA), 2, 8},
    {"rdseed r9w", BYTES(0x66, 0x41, 0x0F, 0xC7, 0xF9), 9, 2},
};

START_TEST(random_table)
{
    struct insn insn;

    decode_insn(random_rows[_i].bytes, random_rows[_i].size, 64, &insn);
    ck_assert_msg(insn.reg == random_rows[_i].reg, "%s: register %u", random_rows[_i].name,
                  insn.reg);
    ck_assert_msg(insn.operand_size_bytes == random_rows[_i].operand_size_bytes, "%s: size %u",
                  random_rows[_i].name, insn.operand_size_bytes);
}
END_TEST

/* ---- where the access went ---- */

#define RIP 0xA000000ULL
#define RBX 0x5000010ULL
#define RSI 0x6000020ULL
#define RDI 0x7000030ULL
#define RSP 0x8000040ULL
#define RBP 0x9000050ULL
#define FS 0xB000000ULL
#define GS 0xC000000ULL

static struct guest guest;

static void setup(void)
{
    guest_open(&guest);
    guest_set(&guest, VCPU_RAX, 0x123);
    guest_set(&guest, VCPU_RBX, RBX);
    guest_set(&guest, VCPU_RCX, 4);
    guest_set(&guest, VCPU_RDX, ~0ULL - 7);
    guest_set(&guest, VCPU_RSI, RSI);
    guest_set(&guest, VCPU_RDI, RDI);
    guest_set(&guest, VCPU_R8, RSI + 0x200); /* in the page of RSI */
    guest_set(&guest, VCPU_RSP, RSP);
    guest_set(&guest, VCPU_RBP, RBP);
    guest_set(&guest, VCPU_FS_BASE, FS);
    guest_set(&guest, VCPU_GS_BASE, GS);
}

static void teardown(void)
{
    guest_close(&guest);
}

static const struct {
    const char *name;
    uint8_t size;
    uint8_t bytes[MAX];
    enum mmu_access access;
    uint64_t page; /* which faulted */
    uint64_t gva;
    bool write, stack;
} address_rows[] = {
    {"mov rax, [rbx+8]", BYTES(0x48, 0x8B, 0x43, 0x08), MMU_READ, RBX, RBX + 8, false, false},
    {"mov [rbx+rcx*8-0x10], rax", BYTES(0x48, 0x89, 0x44, 0xCB, 0xF0), MMU_WRITE, RBX, RBX + 0x10,
     true, false},
    {"mov al, [rbx+rdx]", BYTES(0x8A, 0x04, 0x13), MMU_READ, RBX, RBX - 8, false, false},
    {"add [rbx], rax, as the engine reads", BYTES(0x48, 0x01, 0x03), MMU_READ, RBX, RBX, true,
     false},
    {"add rax, [rbx]", BYTES(0x48, 0x03, 0x03), MMU_READ, RBX, RBX, false, false},
    {"cmp [rbx], rax", BYTES(0x48, 0x39, 0x03), MMU_READ, RBX, RBX, false, false},
    {"xchg [rbx], rax", BYTES(0x48, 0x87, 0x03), MMU_WRITE, RBX, RBX, true, false},
    {"lock cmpxchg16b [rbx]", BYTES(0xF0, 0x48, 0x0F, 0xC7, 0x0B), MMU_WRITE, RBX, RBX, true,
     false},
    {"movups [rbx+8], xmm0", BYTES(0x0F, 0x11, 0x43, 0x08), MMU_WRITE, RBX, RBX + 8, true, false},
    {"fxsave [rbx]", BYTES(0x0F, 0xAE, 0x03), MMU_WRITE, RBX, RBX, true, false},
    {"lgdt [rbx]", BYTES(0x0F, 0x01, 0x13), MMU_READ, RBX, RBX, false, false},
    {"mov rax, moffs", BYTES(0x48, 0xA1, 0x34, 0x12, 0, 5, 0, 0, 0, 0), MMU_READ, 0x5001000,
     0x5001234, false, false},
    {"xlat", BYTES(0xD7), MMU_READ, RBX, RBX + 0x23, false, false},
    /* The stack */
    {"push rax", BYTES(0x50), MMU_WRITE, RSP, RSP - 8, true, true},
    {"push ax", BYTES(0x66, 0x50), MMU_WRITE, RSP, RSP - 2, true, true},
    {"push imm8", BYTES(0x6A, 0x00), MMU_WRITE, RSP, RSP - 8, true, true},
    {"pushfq", BYTES(0x9C), MMU_WRITE, RSP, RSP - 8, true, true},
    {"push [rbx], the read", BYTES(0xFF, 0x33), MMU_READ, RBX, RBX, false, false},
    {"push [rbx], the write", BYTES(0xFF, 0x33), MMU_WRITE, RSP, RSP - 8, true, true},
    {"pop rax", BYTES(0x58), MMU_READ, RSP, RSP, false, true},
    {"popfq", BYTES(0x9D), MMU_READ, RSP, RSP, false, true},
    {"pop [rbx], the read", BYTES(0x8F, 0x03), MMU_READ, RSP, RSP, false, true},
    {"pop [rbx], the write", BYTES(0x8F, 0x03), MMU_WRITE, RBX, RBX, true, false},
    {"pop [rsp+8], RSP has moved", BYTES(0x8F, 0x44, 0x24, 0x08), MMU_WRITE, RSP, RSP + 16, true,
     true},
    {"mov rax, [rsp+8]", BYTES(0x48, 0x8B, 0x44, 0x24, 0x08), MMU_READ, RSP, RSP + 8, false, true},
    {"mov rax, [rbp-8]", BYTES(0x48, 0x8B, 0x45, 0xF8), MMU_READ, RBP, RBP - 8, false, true},
    {"call rel32", BYTES(0xE8, 0, 0, 0, 0), MMU_WRITE, RSP, RSP - 8, true, true},
    {"call [rbx], the read", BYTES(0xFF, 0x13), MMU_READ, RBX, RBX, false, false},
    {"call [rbx], the write", BYTES(0xFF, 0x13), MMU_WRITE, RSP, RSP - 8, true, true},
    {"ret", BYTES(0xC3), MMU_READ, RSP, RSP, false, true},
    {"ret 8", BYTES(0xC2, 8, 0), MMU_READ, RSP, RSP, false, true},
    {"iretq", BYTES(0x48, 0xCF), MMU_READ, RSP, RSP, false, true},
    {"leave", BYTES(0xC9), MMU_READ, RBP, RBP, false, true},
    {"enter 16, 0", BYTES(0xC8, 0x10, 0, 0), MMU_WRITE, RSP, RSP - 8, true, true},
    /* Strings */
    {"movsb, the read", BYTES(0xA4), MMU_READ, RSI, RSI, false, false},
    {"movsb, the write", BYTES(0xA4), MMU_WRITE, RDI, RDI, true, false},
    {"rep movsq, the write", BYTES(0xF3, 0x48, 0xA5), MMU_WRITE, RDI, RDI, true, false},
    {"gs movsq, the read", BYTES(0x65, 0x48, 0xA5), MMU_READ, GS + RSI, GS + RSI, false, false},
    {"rep stosq", BYTES(0xF3, 0x48, 0xAB), MMU_WRITE, RDI, RDI, true, false},
    {"lodsb", BYTES(0xAC), MMU_READ, RSI, RSI, false, false},
    {"scasb", BYTES(0xAE), MMU_READ, RDI, RDI, false, false},
    {"cmpsb, one side", BYTES(0xA6), MMU_READ, RSI, RSI, false, false},
    {"cmpsb, the other", BYTES(0xA6), MMU_READ, RDI, RDI, false, false},
    /* Segments, RIP, address size */
    {"mov rax, gs:[0x10]", BYTES(0x65, 0x48, 0x8B, 0x04, 0x25, 0x10, 0, 0, 0), MMU_READ, GS,
     GS + 0x10, false, false},
    {"mov rax, fs:[rbx]", BYTES(0x64, 0x48, 0x8B, 0x03), MMU_READ, FS + RBX, FS + RBX, false,
     false},
    {"mov rax, [rip+0x10]", BYTES(0x48, 0x8B, 0x05, 0x10, 0, 0, 0), MMU_READ, RIP, RIP + 0x17,
     false, false},
    {"cmp byte [rip-0x10], 5: RIP is after the immediate",
     BYTES(0x80, 0x3D, 0xF0, 0xFF, 0xFF, 0xFF, 0x05), MMU_READ, RIP - 9, RIP - 9, false, false},
    {"mov rax, [ebx+edx]", BYTES(0x67, 0x48, 0x8B, 0x04, 0x13), MMU_READ, RBX, RBX - 8, false,
     false},
    /* Across a page's end */
    {"straddling, the first page", BYTES(0x48, 0x8B, 0x43, 0xEC), MMU_READ, RBX - 0x1000,
     RBX - 0x14, false, false},
    {"straddling, the second page", BYTES(0x48, 0x8B, 0x43, 0xEC), MMU_READ, RBX, 0x5000000, false,
     false},
    /* Two operands in one page: the access tells them apart */
    {"push [rsp+0x100], the read", BYTES(0xFF, 0xB4, 0x24, 0, 1, 0, 0), MMU_READ, RSP, RSP + 0x100,
     false, true},
    {"push [rsp+0x100], the write", BYTES(0xFF, 0xB4, 0x24, 0, 1, 0, 0), MMU_WRITE, RSP, RSP - 8,
     true, true},
    /* Nothing fits */
    {"nop", BYTES(0x90), MMU_READ, 0x5001000, 0x5001000, false, false},
    {"another page", BYTES(0x48, 0x8B, 0x43, 0x08), MMU_READ, 0x5001000, 0x5001000, false, false},
    {"no instruction", BYTES(0x06), MMU_WRITE, 0x5001000, 0x5001000, true, false},
};

START_TEST(address_table)
{
    const char *name = address_rows[_i].name;
    struct insn_access where;

    decode_fault_access(guest.machine.vcpu, address_rows[_i].bytes, address_rows[_i].size, RIP,
                        address_rows[_i].page & ~PAGE_MASK, address_rows[_i].access, &where);
    ck_assert_msg(where.gva == address_rows[_i].gva, "%s: 0x%llx", name,
                  (unsigned long long)where.gva);
    ck_assert_msg(where.write == address_rows[_i].write, "%s: write %d", name, where.write);
    ck_assert_msg(where.stack == address_rows[_i].stack, "%s: stack %d", name, where.stack);
}
END_TEST

/* movsq with both ends in one page. */
START_TEST(address_of_each_end)
{
    static const uint8_t movsq[] = {0x48, 0xA5};
    struct insn_access where;

    guest_set(&guest, VCPU_RDI, RSI + 0x200);
    decode_fault_access(guest.machine.vcpu, movsq, sizeof(movsq), RIP, RSI & ~PAGE_MASK, MMU_READ,
                        &where);
    ck_assert_uint_eq(where.gva, RSI);
    decode_fault_access(guest.machine.vcpu, movsq, sizeof(movsq), RIP, RSI & ~PAGE_MASK, MMU_WRITE,
                        &where);
    ck_assert_uint_eq(where.gva, RSI + 0x200);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("decode");
    TCase *bytes = tcase_create("bytes");
    TCase *addresses = tcase_create("addresses");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, bytes);
    tcase_add_loop_test(bytes, insn_table, 0, COUNT(insn_rows));
    tcase_add_loop_test(bytes, insn_at_an_end, 0, COUNT(insn_rows));
    tcase_add_loop_test(bytes, feature_table, 0, COUNT(feature_code_rows));
    tcase_add_loop_test(bytes, trap_table, 0, COUNT(insn_rows));
    tcase_add_test(bytes, every_id_has_a_name);
    tcase_add_loop_test(bytes, spin_table, 0, COUNT(spin_rows));
    tcase_add_loop_test(bytes, random_table, 0, COUNT(random_rows));

    suite_add_tcase(suite, addresses);
    tcase_add_checked_fixture(addresses, setup, teardown);
    tcase_add_loop_test(addresses, address_table, 0, COUNT(address_rows));
    tcase_add_test(addresses, address_of_each_end);

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
