/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an instruction is, as far as SNP cares. Lengths and operands come from a disassembler
 * library; the instructions of the 0F 01 group that differ only by their prefix are told apart
 * here, strictly.
 */
#ifndef SNPEMU_TRAP_DECODE_H
#define SNPEMU_TRAP_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "machine/vcpu.h"
#include "trap/profile.h"

enum insn_id {
    INSN_OTHER,     /* the engine may execute it */
    INSN_UNDEFINED, /* no instruction, or UD0, UD1, UD2 */
    INSN_VMGEXIT,
    INSN_VMMCALL,
    INSN_PVALIDATE,
    INSN_RMPADJUST,
    INSN_RMPQUERY,
    INSN_INVLPGB,
    INSN_TLBSYNC,
    INSN_RMP_HOST, /* RMPUPDATE, PSMASH, RMPREAD */
    INSN_HLT,
    INSN_PAUSE,
    INSN_RDMSR, /* from here on the engine must not execute it by itself */
    INSN_WRMSR,
    INSN_CPUID,
    INSN_IO, /* IN, OUT, INS, OUTS */
    INSN_RDTSC,
    INSN_RDTSCP,
    INSN_RDPMC,
    INSN_RDRAND,
    INSN_RDSEED,
    INSN_XSETBV,
    INSN_INT, /* INT n, INT3 */
    INSN_INT1,
    INSN_SYSCALL,
    INSN_SYSRET,
    INSN_SYSENTER, /* SYSENTER, SYSEXIT */
    INSN_MONITOR,
    INSN_MWAIT,
    INSN_MONITORX,
    INSN_MWAITX,
    INSN_RDPRU,
    INSN_CLZERO,
    INSN_WBINVD,
    INSN_INVD,
    INSN_MOV_DR,
    INSN_VMRUN,
    INSN_SKINIT,
    INSN_INVLPGA,
    INSN_SVM, /* VMLOAD, VMSAVE, STGI, CLGI */
    INSN_COUNT,
};

struct insn {
    enum insn_id id;
    enum feature feature;       /* INSN_OTHER: what a processor must have for it */
    uint8_t length;             /* bytes; 0 when it cannot be told */
    bool spin;                  /* a jump to itself */
    bool repeats;               /* a string instruction with REP */
    bool mode;                  /* may change CS, the CPL or how code runs */
    bool too_long;              /* INSN_UNDEFINED: more than 15 bytes with its prefixes */
    uint8_t reg;                /* RDRAND, RDSEED, MOV DRn: number of the general register */
    uint8_t operand_size_bytes; /* RDRAND, RDSEED: 2, 4 or 8; port i/o: 1, 2 or 4 */
    uint8_t vector;             /* INT n, INT3 */
    uint8_t port;               /* port i/o without port_in_dx */
    bool port_in_dx;
    uint8_t debug_register; /* MOV DRn */
    bool writes;            /* MOV DRn: to the debug register */
    bool wide;              /* SYSRET: with REX.W, to 64-bit code */
    bool address_32;        /* CLZERO, MONITOR: the address is in EAX */
};

/* size_bytes is how many bytes are there to look at; 15 are enough. code_bits: 16, 32 or 64. */
void decode_insn(const uint8_t *bytes, size_t size_bytes, unsigned code_bits, struct insn *insn);

/* The general register that an instruction encodes as `number`, of which four bits count. */
enum vcpu_register decode_register(unsigned number);

/* For the vCPU: a vcpu_decode. */
void decode_for_vcpu(const uint8_t *bytes, size_t size_bytes, unsigned code_bits,
                     struct vcpu_insn *insn);

/* One access to memory that an instruction makes. */
struct insn_access {
    uint64_t gva;
    bool write; /* the instruction writes there, though it may read first */
    bool stack; /* through SS */
};

/*
 * What CR2 and the error code show when the engine's access to the page at page_gva faults: the
 * lowest address in that page which the instruction accesses so, found from its memory operands,
 * implicit stack accesses included. page_gva itself when no operand reaches it. Needs the registers
 * as before the instruction.
 */
void decode_fault_access(const struct vcpu *vcpu, const uint8_t *bytes, size_t size_bytes,
                         uint64_t rip, uint64_t page_gva, enum mmu_access access,
                         struct insn_access *out);

/*
 * The data in memory that an instruction reads, at most `max` places; how many there are. Needs the
 * registers as before the instruction.
 */
size_t decode_reads(const struct vcpu *vcpu, const uint8_t *bytes, size_t size_bytes, uint64_t rip,
                    uint64_t gva[], size_t max);

/* "pvalidate", "rdmsr", ... */
const char *insn_name(enum insn_id id);

#endif
