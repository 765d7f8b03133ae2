/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A virtual CPU: the only place that knows the CPU engine. It runs guest code until something
 * happens that the engine must not, or cannot, do by itself, and says what; it never decides what
 * that means for the guest.
 *
 * Time is the number of retired instructions, exact to the one. An iteration of a REP instruction
 * counts as an instruction.
 */
#ifndef SNPEMU_MACHINE_VCPU_H
#define SNPEMU_MACHINE_VCPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "machine/memory.h"
#include "machine/mmu.h"
#include "machine/rmp.h"

#define VCPU_EDGES_SIZE (1u << 14)

struct vcpu; /* opaque */

enum vcpu_register {
    VCPU_RAX,
    VCPU_RBX,
    VCPU_RCX,
    VCPU_RDX,
    VCPU_RSI,
    VCPU_RDI,
    VCPU_RBP,
    VCPU_RSP,
    VCPU_R8,
    VCPU_R9,
    VCPU_R10,
    VCPU_R11,
    VCPU_R12,
    VCPU_R13,
    VCPU_R14,
    VCPU_R15,
    VCPU_RIP,
    VCPU_RFLAGS,
    VCPU_CR0,
    VCPU_CR2,
    VCPU_CR3,
    VCPU_CR4,
    VCPU_CR8,
    VCPU_ES,
    VCPU_CS,
    VCPU_SS,
    VCPU_DS,
    VCPU_FS,
    VCPU_GS,
    VCPU_FS_BASE,
    VCPU_GS_BASE,
    VCPU_DR0,
    VCPU_DR1,
    VCPU_DR2,
    VCPU_DR3,
    VCPU_DR6,
    VCPU_DR7,
    VCPU_MXCSR,
    VCPU_FPCW,
    VCPU_REGISTER_COUNT,
};

/* A descriptor-table or system-segment register. */
struct vcpu_table {
    uint16_t selector; /* LDTR and TR */
    uint64_t base;
    uint32_t limit;
    uint32_t flags;
};

/* A segment register with its hidden part, in the form that a VMSA has. */
struct vcpu_segment {
    uint16_t selector;
    uint16_t attributes; /* bits 7:0: byte 5 of the descriptor; bits 11:8: AVL, L, D/B, G */
    uint32_t limit;      /* in bytes */
    uint64_t base;
};

enum vcpu_segment_register {
    VCPU_SEG_ES,
    VCPU_SEG_CS,
    VCPU_SEG_SS,
    VCPU_SEG_DS,
    VCPU_SEG_FS,
    VCPU_SEG_GS,
    VCPU_SEGMENT_COUNT,
};

enum vcpu_table_register {
    VCPU_GDTR,
    VCPU_IDTR,
    VCPU_LDTR,
    VCPU_TR,
    VCPU_TABLE_COUNT,
};

/* x87 state and MXCSR as a VMSA has them. */
struct vcpu_fpu {
    uint16_t control, status, opcode;
    uint16_t tags; /* as FXSAVE writes them: bit n is set when register n is in use */
    uint16_t cs, ds;
    uint32_t mxcsr;
    uint64_t rip, dp;
    /* ST0 to ST7: eight times bytes 7:0, then eight times bytes 9:8. Linux
       arch/x86/kvm/svm/sev.c sev_es_sync_vmsa. */
    uint8_t x87[80];
};
_Static_assert(sizeof(struct vcpu_fpu) == 112, "no padding: states are compared as bytes");

/* Why vcpu_run came back. RIP is that of the instruction in question unless it says otherwise. */
enum vcpu_stop_kind {
    VCPU_STOP_NONE,
    VCPU_STOP_INVALID,   /* an instruction the engine does not know */
    VCPU_STOP_SITE,      /* an instruction the decoder marked as a trap; not executed */
    VCPU_STOP_HALT,      /* HLT; RIP is after it */
    VCPU_STOP_FAULT,     /* a translation failed; nothing of the instruction was done */
    VCPU_STOP_INTERRUPT, /* the engine raised `vector`: a fault at RIP, or INT n before RIP */
    VCPU_STOP_SPIN,      /* a jump to itself */
    VCPU_STOP_LIMIT,     /* vcpu_set_limit reached */
    VCPU_STOP_BREAK,     /* vcpu_set_break reached; not executed */
    VCPU_STOP_DEBUG,     /* an instruction breakpoint of the guest's; not executed */
    VCPU_STOP_ENGINE,    /* the engine gave up; `vector` is its own error number */
    VCPU_STOP_PROBE,     /* a probe wants it; nothing happened that is not told otherwise */
};

struct vcpu_stop {
    enum vcpu_stop_kind kind;
    uint64_t rip;
    uint64_t code_gva; /* where RIP is: the base of CS added */
    uint32_t vector;
    uint32_t error_code; /* VCPU_STOP_INTERRUPT, of an exception that has one */
    bool again;          /* VCPU_STOP_INTERRUPT of a single step: RIP is where it was before */
    struct mmu_fault
        fault; /* VCPU_STOP_FAULT; gva is that of the page until the caller refines it */
};

/* What the vCPU must know of an instruction; the decoder itself lives in a higher room. */
struct vcpu_insn {
    uint8_t length; /* 0: not decodable */
    bool trap;      /* must not be executed by the engine */
    bool spin;      /* a jump to itself */
    bool mode;      /* may change CS, the CPL or how code runs; ends its block */
};

/* code_bits: 16, 32 or 64, as CS says. */
typedef void vcpu_decode(const uint8_t *bytes, size_t size_bytes, unsigned code_bits,
                         struct vcpu_insn *insn);

/*
 * A guest access to watched memory, reported before the load or the store. rip and retired are
 * those of the instruction. It may change memory through memory_bytes_for_write and nothing else.
 */
struct vcpu_watched {
    uint64_t gpa;
    uint32_t size_bytes;
    bool write;
    uint64_t rip, retired;
};
typedef void vcpu_watch(void *context, const struct vcpu_watched *access);

/* How much of the guest's accesses to a page an observer wants to see. */
enum vcpu_view {
    VCPU_VIEW_NONE,
    VCPU_VIEW_LOADS, /* reads, where that costs nothing but time; of them not when they were */
    VCPU_VIEW_READS, /* writes, too, where that costs nothing: exact */
    VCPU_VIEW_ALL,
};

/*
 * One data access of the guest's; where the observer is not exact, an aligned piece of at most
 * eight bytes, or what the engine touches beside such a piece across the end of a page.
 */
struct vcpu_access {
    uint32_t page;         /* of memory */
    uint32_t offset;       /* in it */
    uint32_t size_bytes;   /* of the access, in this page */
    uint32_t beyond_bytes; /* and in the page that is mapped behind it; exact only */
    bool write;            /* not done yet */
    uint64_t value;        /* of a write, up to eight bytes */
    uint64_t code_gva;     /* the instruction; 0 unless exact */
    uint64_t retired;      /* when; unless exact, and of VCPU_VIEW_LOADS, the end of the block */
    bool followed;         /* not asked for by a view: shown while all is */
};

/*
 * Sees what the guest does with pages of memory, and changes nothing. `view` is asked at each
 * translation for data; what it said of a page holds until that page is translated anew. `access`
 * comes before the access. Translations may be flushed (vcpu_flush) from `view`, but not from
 * `access`: the engine goes on to use the one that it has looked up.
 */
struct vcpu_observer {
    void *context;
    enum vcpu_view (*view)(void *context, uint64_t gva, const struct mmu_translation *place);
    void (*access)(void *context, const struct vcpu_access *access);
    /* After a snapshot was brought back: would `view` say the same again, with no other effect?
       NULL: it would. */
    bool (*settled)(void *context, uint64_t gva, const struct mmu_translation *place,
                    enum vcpu_view view);
    bool exact; /* each access as the instruction makes it, at the price of all being slow */
    /* While it is true all accesses are shown, exactly; their `retired` counts for nothing. Or
     * NULL.
     */
    const bool *follows;
    /*
     * All may be NULL. A block begins, at retired instructions `retired`; `number`, below
     * VCPU_BLOCK_MAX, is the same whenever this block begins, until `forget`. The instruction at
     * code_gva of that block, or behind it, is where it was left.
     */
    void (*block)(void *context, uint32_t number, uint64_t gva, uint32_t size_bytes,
                  uint64_t retired);
    void (*settle)(void *context, uint64_t code_gva);
    void (*forget)(void *context);
};
#define VCPU_BLOCK_MAX (1u << 16)

/*
 * Stands in for the page walk, the C-bit and the RMP when the engine asks where gva leads; true
 * with `translation`. It is there to measure what they cost: such a run checks nothing.
 */
typedef bool vcpu_translate(void *context, uint64_t gva, enum mmu_access access,
                            struct mmu_translation *translation);

int vcpu_open(struct vcpu **vcpu, struct memory *memory, struct rmp *rmp, vcpu_decode *decode,
              struct error *error);
void vcpu_close(struct vcpu *vcpu); /* takes NULL */

/* NULL: back to the walk. */
void vcpu_set_translation(struct vcpu *vcpu, vcpu_translate *translate, void *context);

/* Run from RIP to the next stop. Returns 0, or SNPEMU_ERR_INTERNAL. */
int vcpu_run(struct vcpu *vcpu, struct vcpu_stop *stop, struct error *error);

uint64_t vcpu_get(const struct vcpu *vcpu, enum vcpu_register reg);
void vcpu_set(struct vcpu *vcpu, enum vcpu_register reg, uint64_t value);
void vcpu_get_table(const struct vcpu *vcpu, enum vcpu_table_register reg,
                    struct vcpu_table *table);
void vcpu_set_table(struct vcpu *vcpu, enum vcpu_table_register reg,
                    const struct vcpu_table *table);
#define VCPU_XMM_COUNT 16
void vcpu_get_xmm(const struct vcpu *vcpu, unsigned number, uint8_t bytes[16]);
void vcpu_set_xmm(struct vcpu *vcpu, unsigned number, const uint8_t bytes[16]);
void vcpu_get_fpu(const struct vcpu *vcpu, struct vcpu_fpu *fpu);
void vcpu_set_fpu(struct vcpu *vcpu, const struct vcpu_fpu *fpu);
/* The engine knows bits 0 and 1, x87 and SSE state, and keeps no others. */
uint64_t vcpu_get_xcr0(const struct vcpu *vcpu);
void vcpu_set_xcr0(struct vcpu *vcpu, uint64_t value);
/* MSRs that the engine keeps. The caller knows which: trap/msr.c. */
uint64_t vcpu_get_msr(const struct vcpu *vcpu, uint32_t index);
void vcpu_set_msr(struct vcpu *vcpu, uint32_t index, uint64_t value);

/*
 * The six segment registers. How code runs (16, 32 or 64 bits, at which CPL) follows their
 * attributes together with CR0, EFER and RFLAGS.VM as they are then: a whole state is loaded in the
 * order vcpu_set_system, RFLAGS, segments, RIP.
 */
/* The base of CS counts as zero in 64-bit code, and becomes it. APM Vol 2 (24593) 4.5.3. */
void vcpu_get_segments(const struct vcpu *vcpu, struct vcpu_segment segment[VCPU_SEGMENT_COUNT]);
void vcpu_set_segments(struct vcpu *vcpu, const struct vcpu_segment segment[VCPU_SEGMENT_COUNT]);

/*
 * The privilege level that the engine goes by. vcpu_set of a segment register writes its selector
 * and no more. vcpu_set_segments takes the level from SS (0 in real mode, 3 in virtual-8086 mode).
 */
unsigned vcpu_cpl(const struct vcpu *vcpu);
unsigned vcpu_code_bits(const struct vcpu *vcpu); /* 16, 32 or 64 */
/* Where the instruction at RIP is, the base of CS added: a "gva" of code is always that. */
uint64_t vcpu_code_gva(const struct vcpu *vcpu);
void vcpu_set_cpl(struct vcpu *vcpu, unsigned cpl);

/* The engine shall execute the trap site at RIP by itself after all, this once. */
void vcpu_pass(struct vcpu *vcpu);

/*
 * DR0 to DR3 or DR7 have changed, or other registers came in: stop at the instruction breakpoints
 * that they enable now. What else they enable is the caller's business. 0, or SNPEMU_ERR_INTERNAL.
 */
int vcpu_debug_update(struct vcpu *vcpu, struct error *error);
/* RF was set for the instruction at RIP, which has not begun: no breakpoint stops before it. */
bool vcpu_debug_passes(const struct vcpu *vcpu);

/* Registers that a translation depends on, as they are now. */
void vcpu_mmu_context(const struct vcpu *vcpu, struct mmu_context *context);
unsigned vcpu_vmpl(const struct vcpu *vcpu);
void vcpu_set_vmpl(struct vcpu *vcpu, unsigned vmpl); /* the caller flushes */

/* Virtual TOM, on which translations depend: is it active in SEV_FEATURES, and where. */
void vcpu_set_virtual_tom(struct vcpu *vcpu, bool active, uint64_t gpa);

/*
 * The control registers of any mode, whatever the present one is. EFER.LMA follows from the others.
 * The segments keep their hidden parts; RIP may lose its upper half. All translations are
 * forgotten.
 */
void vcpu_set_system(struct vcpu *vcpu, uint64_t cr0, uint64_t cr3, uint64_t cr4, uint64_t efer);
/* The same at launch, into 64-bit code. */
void vcpu_enter_long_mode(struct vcpu *vcpu, uint64_t cr0, uint64_t cr3, uint64_t cr4,
                          uint64_t efer);

/* An emulated instruction of `length` bytes has retired: RIP moves on, time advances by one. */
void vcpu_retire(struct vcpu *vcpu, unsigned length);

/* So many instructions have retired that change nothing: a jump to itself. */
void vcpu_pass_time(struct vcpu *vcpu, uint64_t instructions);

/*
 * A frame whose RFLAGS image has RF set was pushed. IRET sets RF then, and the next instruction
 * clears it, which the engine leaves undone. APM Vol 2 (24593) 3.1.6.
 */
void vcpu_expect_resume(struct vcpu *vcpu);
bool vcpu_expects_resume(const struct vcpu *vcpu);

/* Other registers were loaded: what was in hand of the old instruction stream is void. */
void vcpu_switched(struct vcpu *vcpu);

/* Retired instructions since boot. Exact between runs. */
uint64_t vcpu_retired(const struct vcpu *vcpu);
/* Stop when that many have retired, exactly. */
void vcpu_set_limit(struct vcpu *vcpu, uint64_t retired);
/* Stop before the instruction at gva executes. `number` is for vcpu_drop_break; may be NULL. */
int vcpu_set_break(struct vcpu *vcpu, uint64_t gva, size_t *number, struct error *error);
void vcpu_drop_break(struct vcpu *vcpu, size_t number);

/*
 * Probes are a debugger's: they see that an address is reached or that memory is accessed, and
 * change nothing that the guest could tell. `probe` comes before the instruction at code_gva, when
 * `retired` have retired, in whichever order the engine does things: the same instruction may be
 * shown again. True: stop with VCPU_STOP_PROBE; before the instruction where code is probed, and
 * where memory is, before the next block.
 *
 * While there is any REP STOS and REP MOVS go one by one; with a probe of memory, all accesses of
 * the guest are several times slower.
 */
struct vcpu_probed {
    uint64_t code_gva, retired;
    bool write; /* of memory */
};
typedef bool vcpu_probe(void *context, const struct vcpu_probed *probed);

#define VCPU_PROBE_MAX 256
enum vcpu_probe_kind {
    VCPU_PROBE_CODE,   /* the instruction at gva */
    VCPU_PROBE_CHANGE, /* stores that change what stands there */
    VCPU_PROBE_WRITE,  /* stores */
    VCPU_PROBE_READ,
    VCPU_PROBE_ACCESS,
};
/* At a guest virtual address of code. `number` is for vcpu_probe_drop. */
int vcpu_probe_code(struct vcpu *vcpu, uint64_t gva, vcpu_probe *callback, void *context,
                    size_t *number, struct error *error);
/* In a page of memory: [offset, offset + size_bytes) must lie in it. */
int vcpu_probe_memory(struct vcpu *vcpu, enum vcpu_probe_kind kind, uint32_t page, uint32_t offset,
                      uint32_t size_bytes, vcpu_probe *callback, void *context, size_t *number,
                      struct error *error);
void vcpu_probe_drop(struct vcpu *vcpu, size_t number);

/* The RMP or the owner of a page changed, or who looks at it: forget translations that led to it.
 */
void vcpu_page_changed(struct vcpu *vcpu, uint32_t page);
/* The same for the page at an address. */
void vcpu_address_changed(struct vcpu *vcpu, uint64_t gva);
void vcpu_flush(struct vcpu *vcpu);

/*
 * Watch guest reads of [gpa, gpa + size_bytes) within one page, and with `writes` its stores, too.
 * While any range is watched, memory accesses are several times slower. Ranges are dropped all at
 * once.
 */
#define VCPU_WATCH_MAX 64
int vcpu_watch_add(struct vcpu *vcpu, uint64_t gpa, uint32_t size_bytes, bool writes,
                   vcpu_watch *callback, void *context, struct error *error);
void vcpu_watch_clear(struct vcpu *vcpu);
/*
 * From now on ranges come and go at no cost, and memory accesses are slow at all times: the first
 * and the last range make the engine translate all code anew, which costs more than a short run.
 */
int vcpu_watch_often(struct vcpu *vcpu, struct error *error);

/* At most once in a vCPU's life. Copied. 0, or SNPEMU_ERR_INTERNAL. */
int vcpu_observe(struct vcpu *vcpu, const struct vcpu_observer *observer, struct error *error);

/* From here on the observer is exact. 0, or SNPEMU_ERR_INTERNAL. */
int vcpu_observe_exactly(struct vcpu *vcpu, struct error *error);

/* Keep and bring back the registers, hidden ones included, and the time. */
int vcpu_save(struct vcpu *vcpu, struct error *error);
/* After memory and RMP. `anew`: the engine must not keep any translation. */
int vcpu_restore(struct vcpu *vcpu, bool anew, struct error *error);
/* Code in memory was changed behind the engine's back. */
void vcpu_code_changed(struct vcpu *vcpu);

/* "2.1.4" */
const char *vcpu_engine_version(void);

/*
 * How often code has run: of [gva, gva + size_bytes), at this VMPL, `times` more often than was
 * told before. Fewer times where a block was left in its middle; the sum is exact for each
 * instruction. An iteration of REP is no run of its own, where it can be told; a jump to itself
 * counts once.
 */
typedef void vcpu_ran(void *context, unsigned vmpl, uint64_t gva, uint32_t size_bytes,
                      int64_t times);
/*
 * Count them from now on: before the first run, once, and not with edges. They are told now and
 * then, and by vcpu_tell_ran all that are left.
 */
int vcpu_count_ran(struct vcpu *vcpu, vcpu_ran *ran, void *context, struct error *error);
void vcpu_tell_ran(struct vcpu *vcpu);

/* Code that has run: the instructions at [gva, gva + size_bytes), one after the other. */
struct vcpu_last {
    uint64_t gva;
    uint32_t size_bytes;
    uint32_t
        page[2]; /* of memory, where the first byte was, and the last; MEMORY_NO_PAGE: unknown */
    uint32_t who;
    uint8_t vmpl, bits;
};
/*
 * Keep the last `count` pieces of code that ran, each with what stood in *who, which lives as long
 * as the vCPU. Only with vcpu_count_ran. vcpu_get_last: the one `back` before the last; false when
 * there is none.
 */
int vcpu_keep_last(struct vcpu *vcpu, size_t count, const uint32_t *who, struct error *error);
bool vcpu_get_last(const struct vcpu *vcpu, size_t back, struct vcpu_last *last);

/* Count the edges between blocks from now on: before the first run, once. */
int vcpu_count_edges(struct vcpu *vcpu, struct error *error);
/* Where: VCPU_EDGES_SIZE counters, not owned. NULL: nowhere. */
void vcpu_set_edges(struct vcpu *vcpu, uint8_t *edges);

#endif
