/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loops for the kinds of traps. Registers: RDI is CODE_GHCB or where an access goes. */
#include "abi/ghcb.h"
#include "abi/msr.h"
#include "abi/nae.h"
#include "abi/x86.h"
#include "trap.h"

#define VECTOR_INT 0x1E /* of INT n; the gate is there, the exception is not raised here */
#define TSC_LEAF 0x80000000u
#define BAD_SELECTOR 0x1238
#define KERNEL_GS_VALUE 0x1234

static const uint8_t vmgexit[] = {0xF3, 0x0F, 0x01, 0xD9};
static const uint8_t pvalidate[] = {0xF2, 0x0F, 0x01, 0xFF};
static const uint8_t wrmsr[] = {0x0F, 0x30};

#define TRAP(code, bytes) code_trap((code), (bytes), sizeof(bytes))
#define TRAP_BYTES(code, ...) TRAP(code, ((const uint8_t[]){__VA_ARGS__}))

/* ---- exits ---- */

static void write_ghcb_msr(struct code *code, uint64_t value)
{
    code_move(code, CODE_RCX, MSR_GHCB);
    code_move(code, CODE_RAX, value & UINT32_MAX);
    code_move(code, CODE_RDX, value >> 32);
    code_bytes(code, wrmsr, sizeof(wrmsr));
}

static void round_msr_features(struct code *code)
{
    write_ghcb_msr(code, GHCB_MSR_FEATURES_REQ);
    TRAP(code, vmgexit);
}

static void round_msr_page_state(struct code *code)
{
    const uint64_t page = CODE_SHARED | GHCB_MSR_PSC_REQ;

    write_ghcb_msr(code, PSC_OP_PRIVATE << GHCB_MSR_PSC_OP_SHIFT | page);
    TRAP(code, vmgexit);
    write_ghcb_msr(code, PSC_OP_SHARED << GHCB_MSR_PSC_OP_SHIFT | page);
    TRAP(code, vmgexit);
}

/* Bits of the second word of the valid bitmap. */
#define MARK(field) (1ULL << (GHCB_VALID_BIT(field) - 64))
#define MARKS (MARK(GHCB_SW_EXITCODE) | MARK(GHCB_SW_EXITINFO1) | MARK(GHCB_SW_EXITINFO2))

/* R8 and R9: the words of the valid bitmap, which the host clears at each exit. */
static void page_setup(struct code *code, uint64_t first, uint64_t second)
{
    code_move(code, CODE_RDI, CODE_GHCB);
    code_move(code, CODE_R8, first);
    code_move(code, CODE_R9, second | MARKS);
}

static void page_event(struct code *code, uint64_t exit_code, uint32_t info1)
{
    code_store(code, GHCB_SW_EXITCODE, (uint32_t)exit_code);
    code_store(code, GHCB_SW_EXITINFO1, info1);
    CODE(code, 0x4C, 0x89, 0x87, 0xF0, 3, 0, 0); /* mov [rdi + 0x3F0], r8 */
    CODE(code, 0x4C, 0x89, 0x8F, 0xF8, 3, 0, 0); /* mov [rdi + 0x3F8], r9 */
    TRAP(code, vmgexit);
}

static void setup_page(struct code *code)
{
    page_setup(code, 0, 0);
}

static void round_page_wbinvd(struct code *code)
{
    page_event(code, NAE_WBINVD, 0);
}

static void setup_page_cpuid(struct code *code)
{
    page_setup(code, 1ULL << GHCB_VALID_BIT(GHCB_RAX), MARK(GHCB_RCX));
}

static void round_page_cpuid(struct code *code)
{
    code_store(code, GHCB_RAX, TSC_LEAF);
    page_event(code, NAE_CPUID, 0);
}

static void setup_page_port_io(struct code *code)
{
    page_setup(code, 1ULL << GHCB_VALID_BIT(GHCB_RAX), 0);
    code_store(code, GHCB_RAX, 'x');
}

static void round_page_port_io(struct code *code)
{
    page_event(code, NAE_IOIO, 0x3F8u << IOIO_PORT_SHIFT | IOIO_SIZE_8);
}

/* Entries that make shared what is shared; each round turns all of them around first. */
static void setup_page_state(struct code *code)
{
    page_setup(code, 0, MARK(GHCB_SW_SCRATCH));
    code_store(code, GHCB_SW_SCRATCH, CODE_GHCB + GHCB_SHARED_BUFFER);
    code_move(code, CODE_RAX, CODE_SHARED | PSC_OP_SHARED << PSC_OP_SHIFT);
    code_move(code, CODE_RSI, CODE_GHCB + GHCB_SHARED_BUFFER + PSC_HEADER_SIZE);
    code_move(code, CODE_RCX, PSC_ENTRY_MAX);
    CODE(code, 0x48, 0x89, 0x06);        /* mov [rsi], rax */
    CODE(code, 0x48, 0x05, 0, 16, 0, 0); /* add rax, 0x1000 */
    CODE(code, 0x48, 0x83, 0xC6, 8);     /* add rsi, 8 */
    CODE(code, 0x48, 0xFF, 0xC9);        /* dec rcx */
    CODE(code, 0x75, 0xEE);              /* jnz */
}

static void round_page_state(struct code *code)
{
    code_move(code, CODE_RAX, (PSC_OP_SHARED ^ PSC_OP_PRIVATE) << PSC_OP_SHIFT);
    code_move(code, CODE_RSI, CODE_GHCB + GHCB_SHARED_BUFFER + PSC_HEADER_SIZE);
    code_move(code, CODE_RCX, PSC_ENTRY_MAX);
    CODE(code, 0x48, 0x31, 0x06);    /* xor [rsi], rax */
    CODE(code, 0x48, 0x83, 0xC6, 8); /* add rsi, 8 */
    CODE(code, 0x48, 0xFF, 0xC9);    /* dec rcx */
    CODE(code, 0x75, 0xF4);          /* jnz */
    code_store(code, GHCB_SHARED_BUFFER, (PSC_ENTRY_MAX - 1) << 16);
    page_event(code, NAE_PAGE_STATE_CHANGE, 0);
}

/* ---- instructions on the RMP ---- */

static void load_rmp_operands(struct code *code, uint64_t page, uint64_t rdx)
{
    code_move(code, CODE_RAX, page);
    code_move(code, CODE_RCX, 0);
    code_move(code, CODE_RDX, rdx);
}

static void round_pvalidate(struct code *code)
{
    load_rmp_operands(code, CODE_PRIVATE, 0);
    TRAP(code, pvalidate);
    load_rmp_operands(code, CODE_PRIVATE, 1);
    TRAP(code, pvalidate);
}

static void round_rmpadjust(struct code *code)
{
    load_rmp_operands(code, CODE_PRIVATE, 0xF01);
    TRAP_BYTES(code, 0xF3, 0x0F, 0x01, 0xFE);
}

static void round_rmpquery(struct code *code)
{
    load_rmp_operands(code, CODE_PRIVATE, 1);
    TRAP_BYTES(code, 0xF3, 0x0F, 0x01, 0xFD);
}

/* ---- registers ---- */

static void round_wrmsr(struct code *code)
{
    code_move(code, CODE_RCX, MSR_GHCB);
    code_move(code, CODE_RAX, GHCB_MSR_FEATURES_REQ);
    code_move(code, CODE_RDX, 0);
    TRAP(code, wrmsr);
}

static void round_wrmsr_engine(struct code *code)
{
    code_move(code, CODE_RCX, MSR_KERNEL_GS_BASE);
    code_move(code, CODE_RAX, KERNEL_GS_VALUE);
    code_move(code, CODE_RDX, 0);
    TRAP(code, wrmsr);
}

static void setup_rdmsr(struct code *code)
{
    code_move(code, CODE_RCX, MSR_GHCB);
}

static void round_rdtscp(struct code *code)
{
    TRAP_BYTES(code, 0x0F, 0x01, 0xF9);
}

static void setup_xsetbv(struct code *code)
{
    code_move(code, CODE_RCX, 0);
    code_move(code, CODE_RAX, 3);
    code_move(code, CODE_RDX, 0);
}

/* ---- other levels ---- */

static void write_msr(struct code *code, uint32_t index, uint64_t value)
{
    code_move(code, CODE_RCX, index);
    code_move(code, CODE_RAX, value & UINT32_MAX);
    code_move(code, CODE_RDX, value >> 32);
    code_bytes(code, wrmsr, sizeof(wrmsr));
}

/* LSTAR leads to where RCX says. */
static void setup_syscall(struct code *code)
{
    static const uint8_t back[] = {0xFF, 0xE1}; /* jmp rcx */

    write_msr(code, MSR_STAR, 0x0010000800000000);
    write_msr(code, MSR_LSTAR, CODE_SYSCALL);
    code_syscall(code, back, sizeof(back));
}

static void round_syscall(struct code *code)
{
    if (code->with) {
        TRAP_BYTES(code, 0x0F, 0x05);
    } else {
        CODE(code, 0x48, 0x8D, 0x0D, 5, 0, 0, 0); /* lea rcx, [rip + 5] */
        code_jump(code, CODE_SYSCALL);
        code->extra += 2;
    }
}

/* The loop is there: the last SYSCALL halts. */
static void setup_sysret(struct code *code)
{
    /* dec r15; jz to the end; sysretq, or jmp rcx; hlt */
    static const uint8_t with[] = {0x49, 0xFF, 0xCF, 0x74, 3, 0x48, 0x0F, 0x07, 0xF4};
    static const uint8_t without[] = {0x49, 0xFF, 0xCF, 0x74, 2, 0xFF, 0xE1, 0xF4};

    setup_syscall(code);
    if (code->with) {
        code_syscall(code, with, sizeof(with));
    } else {
        code_syscall(code, without, sizeof(without));
    }
}

static void round_sysret(struct code *code)
{
    if (code->with) {
        code_move(code, CODE_RCX, CODE_USER);
        code_move(code, CODE_R11, RFLAGS_FIXED);
        CODE(code, 0x48, 0x0F, 0x07);
    } else {
        CODE(code, 0x90, 0x90, 0x90);
        CODE(code, 0x48, 0x8D, 0x0D, 5, 0, 0, 0); /* lea rcx, [rip + 5] */
        code_jump(code, CODE_SYSCALL);
        CODE(code, 0xEB, 0xF2); /* to the LEA */
        code->extra++;
    }
}

/* ---- exceptions ---- */

static void setup_memory_unmapped(struct code *code)
{
    code_move(code, CODE_RDI, CODE_UNMAPPED);
}

static void setup_memory_rescinded(struct code *code)
{
    load_rmp_operands(code, CODE_RESCINDED, 0);
    code_bytes(code, pvalidate, sizeof(pvalidate));
    code_move(code, CODE_RDI, CODE_RESCINDED);
}

static void setup_memory_not_canonical(struct code *code)
{
    code_move(code, CODE_RDI, 1ULL << 63);
}

static void setup_divide(struct code *code)
{
    code_move(code, CODE_RCX, 0);
}

static void setup_selector(struct code *code)
{
    code_move(code, CODE_RCX, BAD_SELECTOR);
}

static void setup_port(struct code *code)
{
    code_move(code, CODE_RDX, 0x3F8);
}

static void setup_address(struct code *code)
{
    code_move(code, CODE_RAX, CODE_PRIVATE);
}

#define VC(...)                                                                                    \
    .fault = {{__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), VECTOR_VC, true, false}
#define UD(...)                                                                                    \
    .fault = {{__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), VECTOR_UD, false, false}
#define RETIRES(...) .bytes = {__VA_ARGS__}, .size = sizeof((const uint8_t[]){__VA_ARGS__})

const struct trap_row trap_rows[] = {
    {"vmgexit_msr", "VMGEXIT: MSR protocol, features", INSN_VMGEXIT, .round = round_msr_features},
    {"vmgexit_msr_page_state", "VMGEXIT: MSR protocol, page state", INSN_VMGEXIT, .traps = 2,
     .round = round_msr_page_state},
    {"vmgexit_wbinvd", "VMGEXIT: GHCB page, wbinvd", INSN_VMGEXIT, .setup = setup_page,
     .round = round_page_wbinvd},
    {"vmgexit_cpuid", "VMGEXIT: GHCB page, cpuid", INSN_VMGEXIT, .setup = setup_page_cpuid,
     .round = round_page_cpuid},
    {"vmgexit_port_io", "VMGEXIT: GHCB page, port_io", INSN_VMGEXIT, .setup = setup_page_port_io,
     .round = round_page_port_io},
    {TRAP_PAGE_STATE, "VMGEXIT: GHCB page, page_state_change of 253 entries", INSN_VMGEXIT,
     .share = 50, .setup = setup_page_state, .round = round_page_state},
    {"pvalidate", "PVALIDATE, a page rescinded and validated in turn", INSN_PVALIDATE, .traps = 2,
     .round = round_pvalidate},
    {"rmpadjust", "RMPADJUST, with the refills after its flush", INSN_RMPADJUST,
     .round = round_rmpadjust},
    {"rmpquery", "RMPQUERY", INSN_RMPQUERY, .round = round_rmpquery},
    {"invlpgb", "INVLPGB, with the refills after its flush", INSN_INVLPGB,
     RETIRES(0x0F, 0x01, 0xFE)},
    {"tlbsync", "TLBSYNC, with the refills after its flush", INSN_TLBSYNC,
     RETIRES(0x0F, 0x01, 0xFF)},
    {"rdmsr", "RDMSR of the GHCB MSR", INSN_RDMSR, .setup = setup_rdmsr, RETIRES(0x0F, 0x32)},
    {"wrmsr", "WRMSR of the GHCB MSR", INSN_WRMSR, .round = round_wrmsr},
    {"wrmsr_engine", "WRMSR of one that the CPU engine keeps", INSN_WRMSR,
     .round = round_wrmsr_engine},
    {"rdtsc", "RDTSC", INSN_RDTSC, RETIRES(0x0F, 0x31)},
    {"rdtscp", "RDTSCP", INSN_RDTSCP, .round = round_rdtscp},
    {"rdrand", "RDRAND", INSN_RDRAND, RETIRES(0x48, 0x0F, 0xC7, 0xF0)},
    {"rdseed", "RDSEED", INSN_RDSEED, RETIRES(0x48, 0x0F, 0xC7, 0xF8)},
    {"clzero", "CLZERO", INSN_CLZERO, .setup = setup_address, RETIRES(0x0F, 0x01, 0xFC)},
    {"xsetbv", "XSETBV", INSN_XSETBV, .setup = setup_xsetbv, RETIRES(0x0F, 0x01, 0xD1)},
    {"syscall", "SYSCALL from CPL 0", INSN_SYSCALL, .setup = setup_syscall, .round = round_syscall},
    {"sysret", "SYSRET to CPL 3 and SYSCALL back, each", INSN_SYSRET, .traps = 2,
     .setup = setup_sysret, .round = round_sysret},
    {"int", "INT n through the IDT", INSN_INT,
     .fault = {{0xCD, VECTOR_INT}, 2, VECTOR_INT, false, true}},
    {"int1", "INT1 through the IDT", INSN_INT1, .fault = {{0xF1}, 1, VECTOR_DB, false, true}},
    {"cpuid", "CPUID: #VC", INSN_CPUID, VC(0x0F, 0xA2)},
    {"in", "IN: #VC", INSN_IO, .setup = setup_port, VC(0xEC)},
    {"vmmcall", "VMMCALL: #VC", INSN_VMMCALL, VC(0x0F, 0x01, 0xD9)},
    {"rdpmc", "RDPMC: #VC", INSN_RDPMC, VC(0x0F, 0x33)},
    {"wbinvd", "WBINVD: #VC", INSN_WBINVD, VC(0x0F, 0x09)},
    {"invd", "INVD: #VC", INSN_INVD, VC(0x0F, 0x08)},
    {"monitor", "MONITOR: #VC", INSN_MONITOR, .setup = setup_address, VC(0x0F, 0x01, 0xC8)},
    {"mwait", "MWAIT: #VC", INSN_MWAIT, VC(0x0F, 0x01, 0xC9)},
    {"monitorx", "MONITORX: #VC", INSN_MONITORX, .setup = setup_address, VC(0x0F, 0x01, 0xFA)},
    {"mwaitx", "MWAITX: #VC", INSN_MWAITX, VC(0x0F, 0x01, 0xFB)},
    {"rdpru", "RDPRU: #VC", INSN_RDPRU, VC(0x0F, 0x01, 0xFD)},
    {"mov_dr7", "MOV from DR7: #VC", INSN_MOV_DR, VC(0x0F, 0x21, 0xF8)},
    {"vmrun", "VMRUN: #VC", INSN_VMRUN, VC(0x0F, 0x01, 0xD8)},
    {"skinit", "SKINIT: #VC", INSN_SKINIT, VC(0x0F, 0x01, 0xDE)},
    {"invlpga", "INVLPGA: #VC", INSN_INVLPGA, VC(0x0F, 0x01, 0xDF)},
    {"ud2", "UD2: #UD", INSN_UNDEFINED, UD(0x0F, 0x0B)},
    {"sysenter", "SYSENTER: #UD", INSN_SYSENTER, UD(0x0F, 0x34)},
    {"page_fault", "#PF of a page that is not present", .setup = setup_memory_unmapped,
     .fault = {{0x8A, 0x07}, 2, VECTOR_PF, true, false}},
    {"not_validated", "#VC of a page that is not validated", .setup = setup_memory_rescinded,
     .fault = {{0x8A, 0x07}, 2, VECTOR_VC, true, false}},
    {"not_canonical", "#GP of an address that is not canonical",
     .setup = setup_memory_not_canonical, .fault = {{0x8A, 0x07}, 2, VECTOR_GP, true, false}},
    {"divide", "#DE, raised by the CPU engine", .setup = setup_divide,
     .fault = {{0xF7, 0xF1}, 2, VECTOR_DE, false, false}},
    {"selector", "#GP with a selector, raised by the CPU engine", .setup = setup_selector,
     .fault = {{0x8E, 0xD9}, 2, VECTOR_GP, true, false}},
};
const size_t trap_row_count = sizeof(trap_rows) / sizeof(trap_rows[0]);
