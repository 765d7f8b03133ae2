/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trap/decode.h"

#include <Zydis/Zydis.h>
#include <assert.h>
#include <string.h>

#include "abi/x86.h"

#define INSN_LENGTH_MAX 15

/*
 * 0F 01 /modrm: the prefix decides. Source: AMD APM Vol 3 (24594), opcode map, group 7; VMGEXIT
 * with F2: binutils, gas/testsuite/gas/i386/arch-13.d.
 */
struct group7_row {
    uint8_t modrm;
    uint8_t prefix; /* 0xF2, 0xF3, or 0 for none of them */
    enum insn_id id;
};

static const struct group7_row group7_rows[] = {
    {0xD9, 0xF3, INSN_VMGEXIT},   {0xD9, 0xF2, INSN_VMGEXIT},  {0xD9, 0x00, INSN_VMMCALL},
    {0xFF, 0xF2, INSN_PVALIDATE}, {0xFF, 0x00, INSN_TLBSYNC},  {0xFE, 0xF3, INSN_RMPADJUST},
    {0xFE, 0x00, INSN_INVLPGB},   {0xFD, 0xF3, INSN_RMPQUERY}, {0xFE, 0xF2, INSN_RMP_HOST},
    {0xFF, 0xF3, INSN_RMP_HOST},  {0xFD, 0xF2, INSN_RMP_HOST},
};

struct mnemonic_row {
    ZydisMnemonic mnemonic;
    enum insn_id id;
};

static const struct mnemonic_row mnemonic_rows[] = {
    {ZYDIS_MNEMONIC_UD0, INSN_UNDEFINED},
    {ZYDIS_MNEMONIC_UD1, INSN_UNDEFINED},
    {ZYDIS_MNEMONIC_UD2, INSN_UNDEFINED},
    {ZYDIS_MNEMONIC_RDMSR, INSN_RDMSR},
    {ZYDIS_MNEMONIC_WRMSR, INSN_WRMSR},
    {ZYDIS_MNEMONIC_CPUID, INSN_CPUID},
    {ZYDIS_MNEMONIC_IN, INSN_IO},
    {ZYDIS_MNEMONIC_OUT, INSN_IO},
    {ZYDIS_MNEMONIC_INSB, INSN_IO},
    {ZYDIS_MNEMONIC_INSW, INSN_IO},
    {ZYDIS_MNEMONIC_INSD, INSN_IO},
    {ZYDIS_MNEMONIC_OUTSB, INSN_IO},
    {ZYDIS_MNEMONIC_OUTSW, INSN_IO},
    {ZYDIS_MNEMONIC_OUTSD, INSN_IO},
    {ZYDIS_MNEMONIC_RDTSC, INSN_RDTSC},
    {ZYDIS_MNEMONIC_RDTSCP, INSN_RDTSCP},
    {ZYDIS_MNEMONIC_RDRAND, INSN_RDRAND},
    {ZYDIS_MNEMONIC_RDSEED, INSN_RDSEED},
    {ZYDIS_MNEMONIC_XSETBV, INSN_XSETBV},
    {ZYDIS_MNEMONIC_SYSCALL, INSN_SYSCALL},
    {ZYDIS_MNEMONIC_SYSRET, INSN_SYSRET},
    {ZYDIS_MNEMONIC_SYSENTER, INSN_SYSENTER},
    {ZYDIS_MNEMONIC_SYSEXIT, INSN_SYSENTER},
    {ZYDIS_MNEMONIC_MONITOR, INSN_MONITOR},
    {ZYDIS_MNEMONIC_MWAIT, INSN_MWAIT},
    {ZYDIS_MNEMONIC_MONITORX, INSN_MONITORX},
    {ZYDIS_MNEMONIC_MWAITX, INSN_MWAITX},
    {ZYDIS_MNEMONIC_RDPRU, INSN_RDPRU},
    {ZYDIS_MNEMONIC_CLZERO, INSN_CLZERO},
    {ZYDIS_MNEMONIC_WBINVD, INSN_WBINVD},
    {ZYDIS_MNEMONIC_INVD, INSN_INVD},
    {ZYDIS_MNEMONIC_VMRUN, INSN_VMRUN},
    {ZYDIS_MNEMONIC_VMLOAD, INSN_SVM},
    {ZYDIS_MNEMONIC_VMSAVE, INSN_SVM},
    {ZYDIS_MNEMONIC_STGI, INSN_SVM},
    {ZYDIS_MNEMONIC_CLGI, INSN_SVM},
    {ZYDIS_MNEMONIC_SKINIT, INSN_SKINIT},
    {ZYDIS_MNEMONIC_INVLPGA, INSN_INVLPGA},
    {ZYDIS_MNEMONIC_RDPMC, INSN_RDPMC},
    {ZYDIS_MNEMONIC_INT, INSN_INT},
    {ZYDIS_MNEMONIC_INT3, INSN_INT},
    {ZYDIS_MNEMONIC_INT1, INSN_INT1},
    {ZYDIS_MNEMONIC_HLT, INSN_HLT},
    {ZYDIS_MNEMONIC_PAUSE, INSN_PAUSE},
};

static const char *const insn_names[INSN_COUNT] = {
    [INSN_OTHER] = "instruction",
    [INSN_UNDEFINED] = "undefined opcode",
    [INSN_VMGEXIT] = "vmgexit",
    [INSN_VMMCALL] = "vmmcall",
    [INSN_PVALIDATE] = "pvalidate",
    [INSN_RMPADJUST] = "rmpadjust",
    [INSN_RMPQUERY] = "rmpquery",
    [INSN_INVLPGB] = "invlpgb",
    [INSN_TLBSYNC] = "tlbsync",
    [INSN_RDMSR] = "rdmsr",
    [INSN_WRMSR] = "wrmsr",
    [INSN_CPUID] = "cpuid",
    [INSN_IO] = "port i/o",
    [INSN_RDTSC] = "rdtsc",
    [INSN_RDTSCP] = "rdtscp",
    [INSN_RDRAND] = "rdrand",
    [INSN_RDSEED] = "rdseed",
    [INSN_XSETBV] = "xsetbv",
    [INSN_SYSCALL] = "syscall",
    [INSN_MONITOR] = "monitor",
    [INSN_MWAIT] = "mwait",
    [INSN_MWAITX] = "mwaitx",
    [INSN_RDPRU] = "rdpru",
    [INSN_CLZERO] = "clzero",
    [INSN_WBINVD] = "wbinvd",
    [INSN_INVD] = "invd",
    [INSN_MOV_DR] = "mov dr",
    [INSN_SVM] = "svm instruction",
    [INSN_RMP_HOST] = "rmpupdate or psmash",
    [INSN_HLT] = "hlt",
    [INSN_PAUSE] = "pause",
    [INSN_RDPMC] = "rdpmc",
    [INSN_INT] = "int n",
    [INSN_INT1] = "int1",
    [INSN_SYSRET] = "sysret",
    [INSN_SYSENTER] = "sysenter",
    [INSN_MONITORX] = "monitorx",
    [INSN_VMRUN] = "vmrun",
    [INSN_SKINIT] = "skinit",
    [INSN_INVLPGA] = "invlpga",
};

const char *insn_name(enum insn_id id)
{
    return insn_names[id];
}

static bool prefix_is_legacy(uint8_t byte)
{
    static const uint8_t prefixes[] = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65,
                                       0x66, 0x67, 0xF0, 0xF2, 0xF3};

    return memchr(prefixes, byte, sizeof(prefixes)) != NULL;
}

static bool prefix_is_rex(uint8_t byte)
{
    return (byte & 0xF0) == 0x40;
}

/*
 * The 0F 01 group after any prefixes: the last F2 or F3 counts, and a REX says nothing here, be it
 * right before the opcode or earlier, where hardware ignores it. Only 64-bit code has REX.
 */
static bool decode_group7(const uint8_t *bytes, size_t size_bytes, unsigned code_bits,
                          struct insn *insn)
{
    uint8_t repeat = 0;
    size_t at = 0;

    if (size_bytes > INSN_LENGTH_MAX) {
        size_bytes = INSN_LENGTH_MAX;
    }
    while (at < size_bytes &&
           (prefix_is_legacy(bytes[at]) || (code_bits == 64 && prefix_is_rex(bytes[at])))) {
        if (bytes[at] == 0xF0) {
            return false; /* LOCK makes all of them undefined */
        }
        if (bytes[at] >= 0xF2) {
            repeat = bytes[at];
        }
        at++;
    }
    if (at + 3 > size_bytes || bytes[at] != 0x0F || bytes[at + 1] != 0x01) {
        return false;
    }
    for (size_t i = 0; i < sizeof(group7_rows) / sizeof(group7_rows[0]); i++) {
        if (group7_rows[i].modrm == bytes[at + 2] && group7_rows[i].prefix == repeat) {
            insn->id = group7_rows[i].id;
            insn->length = (uint8_t)(at + 3);
            return true;
        }
    }
    return false;
}

static enum insn_id mnemonic_id(const ZydisDecodedInstruction *decoded)
{
    for (size_t i = 0; i < sizeof(mnemonic_rows) / sizeof(mnemonic_rows[0]); i++) {
        if (mnemonic_rows[i].mnemonic == decoded->mnemonic) {
            return mnemonic_rows[i].id;
        }
    }
    /* 0F 21 and 0F 23: MOV from and to a debug register. */
    if (decoded->opcode_map == ZYDIS_OPCODE_MAP_0F &&
        (decoded->opcode == 0x21 || decoded->opcode == 0x23)) {
        return INSN_MOV_DR;
    }
    return INSN_OTHER;
}

/*
 * Of what extension an instruction is. AVX512's many are told by their foundation alone. FMA4, XOP,
 * TBM and 3DNow! went with the families before 17h; the rest of the absent is Intel's, VIA's or
 * newer than these processors.
 */
static const struct {
    ZydisISAExt extension;
    enum feature feature;
} feature_rows_by_extension[] = {
    {ZYDIS_ISA_EXT_AVX, FEATURE_AVX},
    {ZYDIS_ISA_EXT_AVXAES, FEATURE_AVX},
    {ZYDIS_ISA_EXT_AVX2, FEATURE_AVX2},
    {ZYDIS_ISA_EXT_AVX2GATHER, FEATURE_AVX2},
    {ZYDIS_ISA_EXT_AVX512EVEX, FEATURE_AVX512},
    {ZYDIS_ISA_EXT_AVX512VEX, FEATURE_AVX512},
    {ZYDIS_ISA_EXT_AVX_VNNI, FEATURE_AVX_VNNI},
    {ZYDIS_ISA_EXT_F16C, FEATURE_F16C},
    {ZYDIS_ISA_EXT_FMA, FEATURE_FMA},
    {ZYDIS_ISA_EXT_SHA, FEATURE_SHA},
    {ZYDIS_ISA_EXT_GFNI, FEATURE_GFNI},
    {ZYDIS_ISA_EXT_VAES, FEATURE_VAES},
    {ZYDIS_ISA_EXT_VPCLMULQDQ, FEATURE_VPCLMULQDQ},
    {ZYDIS_ISA_EXT_INVPCID, FEATURE_INVPCID},
    {ZYDIS_ISA_EXT_RDPID, FEATURE_RDPID},
    {ZYDIS_ISA_EXT_PKU, FEATURE_PKU},
    {ZYDIS_ISA_EXT_MOVDIR, FEATURE_MOVDIRI},
    {ZYDIS_ISA_EXT_XSAVEC, FEATURE_XSAVEC},
    {ZYDIS_ISA_EXT_XSAVES, FEATURE_XSAVES},
    {ZYDIS_ISA_EXT_AMD3DNOW, FEATURE_ABSENT},
    {ZYDIS_ISA_EXT_FMA4, FEATURE_ABSENT},
    {ZYDIS_ISA_EXT_TBM, FEATURE_ABSENT},
    {ZYDIS_ISA_EXT_XOP, FEATURE_ABSENT},
    {ZYDIS_ISA_EXT_AMX_BF16, FEATURE_ABSENT},
    {ZYDIS_ISA_EXT_AMX_INT8, FEATURE_ABSENT},
    {ZYDIS_ISA_EXT_AMX_TILE, FEATURE_ABSENT},
    {ZYDIS_ISA_EXT_ENQCMD, FEATURE_ABSENT},
    {ZYDIS_ISA_EXT_KEYLOCKER, FEATURE_ABSENT},
    {ZYDIS_ISA_EXT_KEYLOCKER_WIDE, FEATURE_ABSENT},
    {ZYDIS_ISA_EXT_PADLOCK, FEATURE_ABSENT},
    {ZYDIS_ISA_EXT_PCONFIG, FEATURE_ABSENT},
    {ZYDIS_ISA_EXT_SGX, FEATURE_ABSENT},
    {ZYDIS_ISA_EXT_SMX, FEATURE_ABSENT},
    {ZYDIS_ISA_EXT_TDX, FEATURE_ABSENT},
    {ZYDIS_ISA_EXT_UINTR, FEATURE_ABSENT},
    {ZYDIS_ISA_EXT_VMFUNC, FEATURE_ABSENT},
    {ZYDIS_ISA_EXT_VTX, FEATURE_ABSENT},
    {ZYDIS_ISA_EXT_WAITPKG, FEATURE_ABSENT},
};

static enum feature extension_feature(ZydisISAExt extension)
{
    for (size_t i = 0; i < sizeof(feature_rows_by_extension) / sizeof(feature_rows_by_extension[0]);
         i++) {
        if (feature_rows_by_extension[i].extension == extension) {
            return feature_rows_by_extension[i].feature;
        }
    }
    return FEATURE_UNKNOWN;
}

static void decoder_open(ZydisDecoder *decoder, unsigned code_bits)
{
    ZydisDecoderInit(decoder,
                     code_bits == 64   ? ZYDIS_MACHINE_MODE_LONG_64
                     : code_bits == 32 ? ZYDIS_MACHINE_MODE_LEGACY_32
                                       : ZYDIS_MACHINE_MODE_LEGACY_16,
                     code_bits == 64   ? ZYDIS_STACK_WIDTH_64
                     : code_bits == 32 ? ZYDIS_STACK_WIDTH_32
                                       : ZYDIS_STACK_WIDTH_16);
}

/* Without a prefix; the offset is that of the whole instruction. */
static bool decode_is_spin(const uint8_t *bytes, const ZydisDecodedInstruction *decoded)
{
    return (decoded->length == 2 && memcmp(bytes, "\xEB\xFE", 2) == 0) ||
           (decoded->length == 3 && memcmp(bytes, "\xE9\xFD\xFF", 3) == 0) ||
           (decoded->length == 5 && memcmp(bytes, "\xE9\xFB\xFF\xFF\xFF", 5) == 0);
}

/* Far jumps, calls and returns, IRET, and what writes CR0. */
static bool decode_changes_mode(const ZydisDecodedInstruction *decoded)
{
    return decoded->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR ||
           decoded->mnemonic == ZYDIS_MNEMONIC_IRET || decoded->mnemonic == ZYDIS_MNEMONIC_IRETD ||
           decoded->mnemonic == ZYDIS_MNEMONIC_IRETQ || decoded->mnemonic == ZYDIS_MNEMONIC_LMSW ||
           (decoded->opcode_map == ZYDIS_OPCODE_MAP_0F && decoded->opcode == 0x22 &&
            decoded->raw.modrm.reg == 0);
}

/* The operands that the instructions of enum insn_id have. */
static void decode_operands(const ZydisDecodedInstruction *decoded, struct insn *insn)
{
    insn->wide = decoded->raw.rex.W;
    switch (insn->id) {
    case INSN_RDRAND:
    case INSN_RDSEED:
        insn->reg = (uint8_t)(decoded->raw.modrm.rm | (decoded->raw.rex.B << 3));
        insn->operand_size_bytes = decoded->operand_width / 8;
        break;
    case INSN_MOV_DR:
        insn->reg = (uint8_t)(decoded->raw.modrm.rm | (decoded->raw.rex.B << 3));
        insn->debug_register = (uint8_t)(decoded->raw.modrm.reg | (decoded->raw.rex.R << 3));
        insn->writes = decoded->opcode == 0x23;
        break;
    case INSN_INT:
        insn->vector = decoded->opcode == 0xCC ? VECTOR_BP : (uint8_t)decoded->raw.imm[0].value.u;
        break;
    case INSN_IO: /* bit 0 of the opcode: more than a byte; E4 to E7: the port is in it */
        insn->port_in_dx = decoded->opcode < 0xE4 || decoded->opcode > 0xE7;
        insn->port = (uint8_t)decoded->raw.imm[0].value.u;
        insn->operand_size_bytes = !(decoded->opcode & 1)         ? 1
                                   : decoded->operand_width == 16 ? 2
                                                                  : 4;
        break;
    default:
        break;
    }
}

void decode_insn(const uint8_t *bytes, size_t size_bytes, unsigned code_bits, struct insn *insn)
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction decoded;
    ZyanStatus status;

    memset(insn, 0, sizeof(*insn));
    if (decode_group7(bytes, size_bytes, code_bits, insn)) {
        return;
    }
    decoder_open(&decoder, code_bits);
    status = ZydisDecoderDecodeInstruction(&decoder, NULL, bytes, size_bytes, &decoded);
    if (ZYAN_FAILED(status)) {
        insn->id = INSN_UNDEFINED;
        insn->too_long = status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG ||
                         (status == ZYDIS_STATUS_NO_MORE_DATA && size_bytes >= INSN_LENGTH_MAX);
        return;
    }
    insn->length = decoded.length;
    insn->id = mnemonic_id(&decoded);
    insn->feature = extension_feature(decoded.meta.isa_ext);
    insn->address_32 = decoded.address_width == 32;
    insn->spin = decode_is_spin(bytes, &decoded);
    insn->repeats = decoded.attributes &
                    (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
    insn->mode = decode_changes_mode(&decoded);
    decode_operands(&decoded, insn);
}

void decode_for_vcpu(const uint8_t *bytes, size_t size_bytes, unsigned code_bits,
                     struct vcpu_insn *out)
{
    struct insn insn;

    decode_insn(bytes, size_bytes, code_bits, &insn);
    out->length = insn.length;
    out->spin = insn.spin;
    out->mode = insn.mode;
    /*
     * The engine reports what it does not know by itself; a hook there would only cost. But it
     * executes some encodings that do not exist, RDMSR with LOCK among them, and VEX-encoded
     * instructions as if they were the SSE ones.
     */
    out->trap = insn.id >= INSN_RDMSR || insn.id == INSN_PAUSE || insn.feature != FEATURE_UNKNOWN ||
                insn.length == 0;
}

/* ---- where an access went: CR2 ---- */

enum vcpu_register decode_register(unsigned number)
{
    static const enum vcpu_register by_number[16] = {
        VCPU_RAX, VCPU_RCX, VCPU_RDX, VCPU_RBX, VCPU_RSP, VCPU_RBP, VCPU_RSI, VCPU_RDI,
        VCPU_R8,  VCPU_R9,  VCPU_R10, VCPU_R11, VCPU_R12, VCPU_R13, VCPU_R14, VCPU_R15,
    };

    return by_number[number & 15];
}

/* How many bits of a general register are named. 0: it is none. */
static unsigned register_bits(ZydisRegister reg)
{
    return reg >= ZYDIS_REGISTER_RAX && reg <= ZYDIS_REGISTER_R15    ? 64
           : reg >= ZYDIS_REGISTER_EAX && reg <= ZYDIS_REGISTER_R15D ? 32
           : reg >= ZYDIS_REGISTER_AX && reg <= ZYDIS_REGISTER_R15W  ? 16
                                                                     : 0;
}

static bool register_value(const struct vcpu *vcpu, ZydisRegister reg, uint64_t next_rip,
                           uint64_t *value)
{
    unsigned bits = register_bits(reg);

    if (reg == ZYDIS_REGISTER_NONE) {
        *value = 0;
        return true;
    }
    if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP) {
        *value = next_rip;
        return true;
    }
    if (bits == 0) {
        return false;
    }
    *value = vcpu_get(vcpu, decode_register((unsigned)ZydisRegisterGetId(reg)));
    *value &= bits == 64 ? ~0ULL : (1ULL << bits) - 1;
    return true;
}

/* An address in its segment. 64-bit code has bases in FS and GS alone. */
static uint64_t segment_address(const struct vcpu *vcpu, ZydisRegister reg, uint64_t offset)
{
    struct vcpu_segment segment[VCPU_SEGMENT_COUNT];
    unsigned number = (unsigned)(reg - ZYDIS_REGISTER_ES);

    if (vcpu_code_bits(vcpu) == 64) {
        return offset + (reg == ZYDIS_REGISTER_FS   ? vcpu_get(vcpu, VCPU_FS_BASE)
                         : reg == ZYDIS_REGISTER_GS ? vcpu_get(vcpu, VCPU_GS_BASE)
                                                    : 0);
    }
    vcpu_get_segments(vcpu, segment);
    return (uint32_t)(offset + (number < VCPU_SEGMENT_COUNT ? segment[number].base : 0));
}

static bool operand_address(const struct vcpu *vcpu, const ZydisDecodedInstruction *decoded,
                            const ZydisDecodedOperand *operand, uint64_t rip, uint64_t *address)
{
    const ZydisDecodedOperandMem *mem = &operand->mem;
    bool on_stack = register_bits(mem->base) != 0 && ZydisRegisterGetId(mem->base) == 4;
    unsigned bits = on_stack && operand->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN
                        ? register_bits(mem->base)
                        : decoded->address_width;
    uint64_t base, index;

    if (!register_value(vcpu, mem->base, rip + decoded->length, &base) ||
        !register_value(vcpu, mem->index, rip + decoded->length, &index)) {
        return false;
    }
    *address = base + index * (mem->scale ? mem->scale : 1) +
               (mem->disp.has_displacement ? (uint64_t)mem->disp.value : 0);
    /* A push stores below the stack pointer it starts from. */
    if (operand->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN && on_stack &&
        (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)) {
        *address -= operand->size / 8;
    }
    if (decoded->mnemonic == ZYDIS_MNEMONIC_XLAT) { /* [rbx + al], of which only rbx is named */
        *address += (uint8_t)vcpu_get(vcpu, VCPU_RAX);
    }
    /* A pop to memory computes its address with the stack pointer that it leaves behind. */
    if (operand->visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT && on_stack &&
        decoded->mnemonic == ZYDIS_MNEMONIC_POP) {
        *address += decoded->operand_width / 8;
    }
    if (bits < 64) {
        *address &= (1ULL << bits) - 1;
    }
    *address = segment_address(vcpu, mem->segment, *address);
    return true;
}

/* SS says how wide the stack pointer is, unless the code is 64-bit. */
static void decoder_set_stack(ZydisDecoder *decoder, const struct vcpu *vcpu)
{
    struct vcpu_segment segment[VCPU_SEGMENT_COUNT];

    if (vcpu_code_bits(vcpu) != 64) {
        vcpu_get_segments(vcpu, segment);
        decoder->stack_width = segment[VCPU_SEG_SS].attributes & SEGMENT_DEFAULT
                                   ? ZYDIS_STACK_WIDTH_32
                                   : ZYDIS_STACK_WIDTH_16;
    }
}

static ZydisOperandActions action_mask(enum mmu_access access)
{
    return access == MMU_WRITE ? ZYDIS_OPERAND_ACTION_MASK_WRITE : ZYDIS_OPERAND_ACTION_MASK_READ;
}

void decode_fault_access(const struct vcpu *vcpu, const uint8_t *bytes, size_t size_bytes,
                         uint64_t rip, uint64_t page_gva, enum mmu_access access,
                         struct insn_access *out)
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction decoded;
    ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
    bool any = false;

    *out = (struct insn_access){.gva = page_gva, .write = access == MMU_WRITE};
    decoder_open(&decoder, vcpu_code_bits(vcpu));
    decoder_set_stack(&decoder, vcpu);
    if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, bytes, size_bytes, &decoded, operand))) {
        return;
    }
    for (size_t i = 0; i < decoded.operand_count; i++) {
        uint64_t start, end;

        if (operand[i].type != ZYDIS_OPERAND_TYPE_MEMORY ||
            !(operand[i].actions & action_mask(access)) ||
            !operand_address(vcpu, &decoded, &operand[i], rip, &start)) {
            continue;
        }
        end = start + (operand[i].size ? operand[i].size / 8 : 1);
        if (end - 1 < page_gva || start > page_gva + (PAGE_SIZE - 1)) {
            continue;
        }
        start = start < page_gva ? page_gva : start;
        if (!any || start < out->gva) {
            any = true;
            out->gva = start;
            out->write = operand[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
            out->stack = operand[i].mem.segment == ZYDIS_REGISTER_SS;
        }
    }
}

size_t decode_reads(const struct vcpu *vcpu, const uint8_t *bytes, size_t size_bytes, uint64_t rip,
                    uint64_t gva[], size_t max)
{
    ZydisDecoder decoder;
    ZydisDecodedInstruction decoded;
    ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
    size_t count = 0;

    decoder_open(&decoder, vcpu_code_bits(vcpu));
    decoder_set_stack(&decoder, vcpu);
    if (ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, bytes, size_bytes, &decoded, operand))) {
        return 0;
    }
    for (size_t i = 0; i < decoded.operand_count && count < max; i++) {
        if (operand[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
            (operand[i].actions & ZYDIS_OPERAND_ACTION_MASK_READ) &&
            operand_address(vcpu, &decoded, &operand[i], rip, &gva[count])) {
            count++;
        }
    }
    return count;
}
