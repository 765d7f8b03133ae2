/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions that change where and at which level the guest runs, or that ask whether they may.
 */
#include "abi/msr.h"
#include "abi/x86.h"
#include "trap/debug.h"
#include "trap/fault.h"
#include "trap/handlers.h"

#define TSS_IO_MAP_OFFSET 0x66
#define RFLAGS_IOPL_SHIFT 12
#define STAR_SYSCALL_SHIFT 32
#define STAR_SYSRET_SHIFT 48
/* What SYSRET takes from R11: all that is not reserved, but RF and VM. */
#define SYSRET_RFLAGS 0x003C7FD5ULL

enum trap_next insn_int(struct trap_context *trap, const struct insn *insn)
{
    return fault_raise_software(trap, insn->vector, insn->length);
}

enum trap_next insn_int1(struct trap_context *trap, const struct insn *insn)
{
    return fault_raise_int1(trap, insn->length);
}

/*
 * Whether a single step follows SYSCALL and SYSRET is read from the flags that they leave, the
 * engine's authors say (QEMU target/i386/tcg/translate.c, do_gen_eob_worker); Bochs goes by those
 * before. So it is certain where both are the same.
 */
static enum trap_next flow_done(struct trap_context *trap, bool stepped)
{
    if (stepped != debug_steps(trap) && trap_is_guess(trap, "single step over a change of TF")) {
        return TRAP_END;
    }
    return debug_steps(trap) ? debug_raise_step(trap, false) : TRAP_RESUME;
}

static bool syscall_enabled(const struct trap_context *trap)
{
    return vcpu_get_msr(trap->machine->vcpu, MSR_EFER) & EFER_SCE;
}

/* Flat segments of that level whatever their descriptors hold. `code`: attributes at level 0. */
static void flow_set_code(struct vcpu *vcpu, uint16_t code, uint64_t cs, uint64_t ss, unsigned cpl)
{
    struct vcpu_segment segment[VCPU_SEGMENT_COUNT];
    const uint16_t dpl = (uint16_t)(cpl << 5);

    vcpu_get_segments(vcpu, segment);
    segment[VCPU_SEG_CS] = (struct vcpu_segment){
        .selector = (uint16_t)cs, .attributes = code | dpl, .limit = UINT32_MAX};
    segment[VCPU_SEG_SS] = (struct vcpu_segment){
        .selector = (uint16_t)ss, .attributes = SEGMENT_DATA_32 | dpl, .limit = UINT32_MAX};
    vcpu_set_segments(vcpu, segment);
}

/* To the address in LSTAR, at CPL 0. AMD APM Vol 3 (24594), SYSCALL. */
enum trap_next insn_syscall(struct trap_context *trap, const struct insn *insn)
{
    struct vcpu *vcpu = trap->machine->vcpu;
    uint64_t rflags = vcpu_get(vcpu, VCPU_RFLAGS) & ~RFLAGS_RF;
    uint64_t selector;
    bool stepped;

    if (!syscall_enabled(trap)) {
        return fault_raise_ud(trap);
    }
    selector = (vcpu_get_msr(vcpu, MSR_STAR) >> STAR_SYSCALL_SHIFT) & 0xFFFC;
    stepped = debug_steps(trap);
    vcpu_retire(vcpu, insn->length);
    vcpu_set(vcpu, VCPU_RCX, vcpu_get(vcpu, VCPU_RIP));
    vcpu_set(vcpu, VCPU_R11, rflags);
    vcpu_set(vcpu, VCPU_RFLAGS, (rflags & ~vcpu_get_msr(vcpu, MSR_SFMASK)) | RFLAGS_FIXED);
    flow_set_code(vcpu, SEGMENT_CODE_64, selector, selector + 8, 0);
    vcpu_set(vcpu, VCPU_RIP, vcpu_get_msr(vcpu, MSR_LSTAR));
    return flow_done(trap, stepped);
}

/* Back to CPL 3: to 64-bit code with REX.W, else to 32-bit code. AMD APM Vol 3 (24594), SYSRET. */
enum trap_next insn_sysret(struct trap_context *trap, const struct insn *insn)
{
    struct vcpu *vcpu = trap->machine->vcpu;
    uint64_t selector, rcx = vcpu_get(vcpu, VCPU_RCX);
    bool stepped;

    if (!syscall_enabled(trap)) {
        return fault_raise_ud(trap);
    }
    if (insn_cpl(trap) != 0) {
        return fault_raise_gp(trap, 0);
    }
    selector = vcpu_get_msr(vcpu, MSR_STAR) >> STAR_SYSRET_SHIFT;
    stepped = debug_steps(trap);
    vcpu_retire(vcpu, insn->length);
    vcpu_set(vcpu, VCPU_RFLAGS, (vcpu_get(vcpu, VCPU_R11) & SYSRET_RFLAGS) | RFLAGS_FIXED);
    flow_set_code(vcpu, insn->wide ? SEGMENT_CODE_64 : SEGMENT_CODE_32,
                  ((selector + (insn->wide ? 16 : 0)) & 0xFFFF) | 3, ((selector + 8) & 0xFFFF) | 3,
                  3);
    vcpu_set(vcpu, VCPU_RIP, insn->wide ? rcx : (uint32_t)rcx);
    return flow_done(trap, stepped);
}

enum permission {
    PERMISSION_YES,
    PERMISSION_NO,
    PERMISSION_ENDED, /* a fault was raised while looking */
};

/* The bits of the TSS's map that belong to the port's bytes. QEMU target/i386/seg_helper.c
 * check_io.
 */
static enum permission port_permission(struct trap_context *trap, uint16_t port, unsigned size,
                                       enum trap_next *next)
{
    struct mmu_context context;
    struct mmu_fault fault;
    struct vcpu_table tr;
    uint8_t bytes[2];
    uint32_t at;

    vcpu_get_table(trap->machine->vcpu, VCPU_TR, &tr);
    vcpu_mmu_context(trap->machine->vcpu, &context);
    context.cpl = 0;
    context.rflags &= ~RFLAGS_AC; /* an implicit access, as those of a delivery are */
    if ((tr.selector & 0xFFF8u) == 0 || TSS_IO_MAP_OFFSET + 1 > tr.limit) {
        return PERMISSION_NO;
    }
    if (!mmu_read(&trap->machine->mmu, &context, tr.base + TSS_IO_MAP_OFFSET, bytes, sizeof(bytes),
                  &fault)) {
        *next = fault_raise_mmu(trap, &fault);
        return PERMISSION_ENDED;
    }
    at = (uint32_t)(bytes[0] | bytes[1] << 8) + port / 8u;
    if (at + 1 > tr.limit) { /* always two bytes */
        return PERMISSION_NO;
    }
    if (!mmu_read(&trap->machine->mmu, &context, tr.base + at, bytes, sizeof(bytes), &fault)) {
        *next = fault_raise_mmu(trap, &fault);
        return PERMISSION_ENDED;
    }
    return ((unsigned)(bytes[0] | bytes[1] << 8) >> (port & 7)) & ((1u << size) - 1)
               ? PERMISSION_NO
               : PERMISSION_YES;
}

/* Whether the guest may comes first; then it is always the hypervisor's business. */
enum trap_next insn_port_io(struct trap_context *trap, const struct insn *insn)
{
    struct vcpu *vcpu = trap->machine->vcpu;
    uint16_t port = insn->port_in_dx ? (uint16_t)vcpu_get(vcpu, VCPU_RDX) : insn->port;
    enum permission permission = PERMISSION_YES;
    enum trap_next next = TRAP_END;

    if (insn_cpl(trap) > ((vcpu_get(vcpu, VCPU_RFLAGS) >> RFLAGS_IOPL_SHIFT) & 3)) {
        permission = port_permission(trap, port, insn->operand_size_bytes, &next);
    }
    switch (permission) {
    case PERMISSION_YES:
        return fault_raise_vc(trap, VC_IOIO);
    case PERMISSION_NO:
        return fault_raise_gp(trap, 0);
    default:
        return next;
    }
}

/*
 * No extension is defined for MONITOR, and the address is checked as for a read of one byte; both
 * before the hypervisor hears of it. Source: Bochs bochs/cpu/mwait.cc MONITOR.
 */
enum trap_next insn_monitor(struct trap_context *trap, const struct insn *insn)
{
    struct mmu_context context;
    struct mmu_fault fault;
    uint64_t gva = vcpu_get(trap->machine->vcpu, VCPU_RAX);
    uint8_t byte;

    if (vcpu_get(trap->machine->vcpu, VCPU_RCX) != 0) {
        return fault_raise_gp(trap, 0);
    }
    vcpu_mmu_context(trap->machine->vcpu, &context);
    if (!mmu_read(&trap->machine->mmu, &context, insn->address_32 ? (uint32_t)gva : gva, &byte, 1,
                  &fault)) {
        return fault_raise_mmu(trap, &fault);
    }
    return fault_raise_vc(trap, VC_MONITOR);
}

#define MWAIT_INTERRUPT 1u
#define MWAITX_TIMED 2u

/* Bochs bochs/cpu/mwait.cc MWAIT. */
enum trap_next insn_mwait(struct trap_context *trap, const struct insn *insn)
{
    uint64_t known = MWAIT_INTERRUPT | (insn->id == INSN_MWAITX ? MWAITX_TIMED : 0);

    return vcpu_get(trap->machine->vcpu, VCPU_RCX) & ~known ? fault_raise_gp(trap, 0)
                                                            : fault_raise_vc(trap, VC_MWAIT);
}
