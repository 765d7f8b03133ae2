/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private to the vCPU's files (and to the benchmark's bare engine): what they share, and the only
 * place that includes the CPU engine.
 *
 *   vcpu.c           opening, running, what the engine tells us
 *   vcpu_block.c     time: the blocks that run, the instructions in them, and those that trap
 *   vcpu_ran.c       how often they run, for who wants to know
 *   vcpu_fill.c      the virtual TLB, watched reads
 *   vcpu_rep.c       REP STOS and REP MOVS
 *   vcpu_live.c      which translations the engine has
 *   vcpu_register.c  registers
 *   vcpu_segment.c   segments and modes
 *   vcpu_hidden.c    words of the engine that it has no call for
 *   vcpu_observe.c   accesses shown to an observer
 *   vcpu_debug.c     the guest's own instruction breakpoints
 *   vcpu_probe.c     a debugger's breakpoints and watchpoints
 */
#ifndef SNPEMU_MACHINE_VCPU_ENGINE_H
#define SNPEMU_MACHINE_VCPU_ENGINE_H

#include <unicorn/unicorn.h>

#include "machine/vcpu.h"

#define BLOCK_BITS 16
#define BLOCK_SLOTS (1u << BLOCK_BITS)
_Static_assert(BLOCK_SLOTS == VCPU_BLOCK_MAX, "an observer numbers blocks by their slots");
#define BLOCK_LOAD_MAX (BLOCK_SLOTS / 2)
#define LIMIT_NONE ((uint64_t)INT64_MAX)
#define BLOCK_BYTES_MAX 8192 /* 512 instructions of at most 15 bytes fit */
#define SITE_MAX 1024        /* a hook costs at each instruction that is translated */
#define DEBUG_MAX 4
#define CODE_VIEW_SLOTS 4096 /* 16 MiB of code: two pages in one slot forget all blocks in turn */
#define OFFSET_SLOTS 256
#define LIVE_MAX 256 /* translations that are known one by one */
#define RESTLESS_MAX 32
#define LIVE_DROP_MAX 24 /* to take away more than these costs more than a flush */
#define BLOCK_MODE (1u << 31)
#define BLOCK_REP (1u << 30)

/* A translated block, as the engine's block hook reports it. key 0: an empty slot. */
struct block {
    uint64_t gva;
    /* Its size; with BLOCK_MODE when code may run otherwise after it, BLOCK_REP: see vcpu_rep.c. */
    uint32_t key;
    uint16_t insns;
    uint16_t edge; /* a hash of gva, for edges */
};
_Static_assert(sizeof(struct block) == 16,
               "four in a cache line: each block that runs is looked up");

static inline uint32_t block_size(const struct block *block)
{
    return block->key & ~(BLOCK_MODE | BLOCK_REP);
}

/* How code runs. */
struct vcpu_code {
    uint64_t base; /* of CS */
    unsigned bits; /* 16, 32, 64 */
    unsigned cpl;
    bool stale;
};

/* Which page a page of code was last seen at. */
struct code_view {
    uint64_t gva;
    uint32_t page;
};

/* How many instructions of the block at `gva` come before the one at `at`. */
struct block_offset {
    uint64_t gva, at;
    uint32_t insns;
};

/* An address with a hook on it. */
struct site {
    uint64_t gva;
    uc_hook hook;
};

/* What a page of memory was last mapped as in the engine. */
struct page_fill {
    uint32_t generation;      /* of the last fill */
    uint32_t view_generation; /* of the last fill for writing or execution, and then: */
    uint64_t view_gva;        /* where; bit 0: for execution; bit 1: elsewhere besides */
};

/* A translation that the engine may have. */
struct vcpu_live {
    uint64_t gva;
    uint32_t page;
    uint8_t access; /* enum mmu_access */
    uint8_t view;   /* enum vcpu_view that it was made for */
    bool user, ciphertext;
    bool kept; /* a fill after the snapshot was brought back would make it, and change nothing */
    bool drop;
};

struct watch_range {
    uint64_t gpa;
    uint64_t start; /* where the engine has it */
    uint32_t size_bytes;
    uc_hook hook;
    vcpu_watch *callback;
    void *context;
    struct vcpu *vcpu;
};

struct vcpu_point {
    enum vcpu_probe_kind kind;
    bool used;
    uint64_t start; /* of code: where; of memory: where the engine has it */
    uint32_t size_bytes;
    uc_hook hook;
    vcpu_probe *callback;
    void *context;
    struct vcpu *vcpu;
};

struct vcpu {
    /* By block_slot, or the next free slot after it. First, so that finding one is a shift and an
       addition: the block hook is called for every few instructions. */
    struct block block[BLOCK_SLOTS];

    /* What the block hook uses, together. */
    int64_t left;                /* until the limit; less whole blocks while running, else exact */
    const struct block *current; /* the block that has been taken off `left`; NULL: none */
    uint8_t *edges;              /* counters of edges */
    uint32_t edge_from;          /* of the block before */
    struct vcpu_last *last;      /* a ring; NULL: nothing is kept */
    uint64_t *ran;               /* by slot: how often at this VMPL; NULL: it is not counted */

    uint8_t edges_nowhere[VCPU_EDGES_SIZE];
    uc_engine *uc;
    uc_hook block_hook;
    uint64_t *ran_inside, *ran_outside; /* of VMPL0, of the others; BLOCK_SLOTS each */
    uint32_t *ran_slot;                 /* of each block that is known; NULL as `ran` */
    size_t last_size;
    uint64_t last_count; /* that there were since launch; less those that did not even begin */
    const uint32_t *last_who;
    vcpu_ran *tell_ran;
    void *tell_ran_context;
    struct memory *memory;
    struct rmp *rmp;
    struct mmu mmu;
    vcpu_decode *decode;
    vcpu_translate *translate; /* NULL: mmu_translate */
    void *translate_context;

    uint64_t asked;    /* limit of retired instructions; at most LIMIT_NONE */
    uint64_t limit;    /* the same, or lower to have block_slow see the next block */
    struct block kept; /* what `current` points to when the table forgets it */
    uint32_t block_count;
    struct code_view code_view[CODE_VIEW_SLOTS];
    struct block_offset offset[OFFSET_SLOTS];

    struct vcpu_stop stop;
    bool faulted; /* stop.fault was set since the engine was entered */
    /* Kept to be read without a context from the engine; stale while it may have changed. */
    struct vcpu_code code;
    unsigned block_bits; /* how the table's blocks run */

    bool replan; /* the block about to run has trap sites without hooks */
    uint64_t replan_gva;
    uint32_t replan_size;
    bool code_written; /* by the block that runs: the engine may leave it half way */
    bool resuming;     /* a frame with RF was pushed, its IRET is still to come */
    bool clear_resume; /* it has come */

    struct site *site; /* sorted */
    uint32_t site_count;
    bool site_full;
    bool site_stale; /* a hook was met where nothing traps any more */

    struct site debug[DEBUG_MAX]; /* the guest's instruction breakpoints */
    uint32_t debug_count;
    bool debug_stale;                 /* other registers came in: to be updated before code runs */
    uint64_t resumed_gva, resumed_at; /* where RF was last found set, and when: no breakpoint */

    struct watch_range watch[VCPU_WATCH_MAX];
    size_t watch_count;
    bool watch_often; /* all blocks are translated for watched memory */

    struct vcpu_point *probe; /* VCPU_PROBE_MAX; NULL: there never was one */
    size_t probe_count;
    uint64_t probes_until;          /* the limit, in retired instructions */
    bool quiet;                     /* the engine asks for itself, not for the guest */
    bool probe_due;                 /* a probe of memory wants it to stop */
    uint64_t probed_gva, probed_at; /* the last instruction with a probe on it, and when it was */
    uint64_t probed_rflags;         /* RFLAGS before it */

    struct vcpu_observer observer; /* no `view`: none */
    uint8_t *view;                 /* per page: the latest enum vcpu_view */
    uc_hook observer_hook;         /* exact, or while reads are watched */

    struct vcpu_live live[LIVE_MAX];
    uint32_t live_count;
    struct vcpu_live restless[RESTLESS_MAX]; /* are not kept, as is known since the snapshot */
    uint32_t restless_count;
    bool live_full; /* there are more */
    bool running;   /* the engine is */
    uint8_t *stub;
    bool in_stub, stub_runs;

    struct page_fill *fill; /* per page */
    uint32_t generation;
    unsigned vmpl;
    uint64_t efer; /* as last written; reading it from the engine is slow */
    bool virtual_tom_active;
    uint64_t virtual_tom;

    uc_context *saved;
    uint64_t saved_retired;
    bool saved_resuming;
    uint64_t saved_resumed_gva, saved_resumed_at;
    unsigned saved_vmpl;
    struct mmu_context saved_context;

    uc_context *mending;   /* see "the engine's record of exceptions" */
    size_t record_offset;  /* 0: this engine clears its record by itself */
    size_t code_offset;    /* of the error code */
    size_t cpl_offset;     /* of the word whose bits 1:0 are the CPL, and others the mode */
    size_t segment_offset; /* of the segment registers */
    size_t xcr0_offset;

    bool passing;               /* the engine may execute the trap site at pass_gva itself, once */
    uint64_t pass_gva, pass_at; /* and when that is */
};

/* The engine's controls. */
uc_err engine_use_vtlb(uc_engine *uc);
/* Blocks that are translated from now on end before `gva`. NULL: none does. */
uc_err engine_set_exit(uc_engine *uc, const uint64_t *gva);
uc_err engine_use_no_exits(uc_engine *uc);
uc_err engine_set_model(uc_engine *uc);
void engine_flush_tlb(uc_engine *uc);
void engine_flush_blocks(uc_engine *uc);
void engine_remove_block(uc_engine *uc, uint64_t gva, uint32_t size);

/* vcpu_block.c */
void vcpu_limit_apply(struct vcpu *vcpu, uint64_t limit);
/* The next block, whichever it is, goes through the slow path. */
void vcpu_limit_hold(struct vcpu *vcpu);
void vcpu_block_forget_all(struct vcpu *vcpu);
/* Instructions of a block that was met; one that was forgotten since counts as the longest. */
uint32_t vcpu_block_insns(struct vcpu *vcpu, uint64_t gva, uint32_t size);
void vcpu_site_forget_all(struct vcpu *vcpu);
/* The one at gva. */
void vcpu_site_forget(struct vcpu *vcpu, uint64_t gva);
/* The guest's bytes at gva, as it would fetch them; how many there are. */
size_t vcpu_code_peek(const struct vcpu *vcpu, uint64_t gva, uint8_t *bytes, size_t size);
void vcpu_on_block(uc_engine *uc, uint64_t gva, uint32_t size, void *opaque);
/* Time at an instruction, which may lie in the middle of the current block. */
uint64_t vcpu_retired_at(struct vcpu *vcpu, uint64_t gva);
void vcpu_settle(struct vcpu *vcpu, uint64_t gva);

/* vcpu.c */
void vcpu_on_site(uc_engine *uc, uint64_t gva, uint32_t size, void *opaque);

/* vcpu_ran.c: the functions that count; nothing unless something does. */
/* The VMPL has changed. */
void vcpu_ran_switch(struct vcpu *vcpu);
/* The current block is left at gva, in its middle. */
void vcpu_ran_left(struct vcpu *vcpu, uint64_t gva);
/* It runs now. */
void vcpu_last_add(struct vcpu *vcpu, uint64_t gva, uint32_t size_bytes);
/* It was carried out by others. */
void vcpu_ran_more(struct vcpu *vcpu, uint64_t gva, uint32_t size_bytes);

/* vcpu_debug.c: the next instruction, whichever it is, must be looked at for RF. */
bool vcpu_debug_attends(const struct vcpu *vcpu);
/* Is there a breakpoint at gva, where the engine stands, which RF does not let it pass? */
bool vcpu_debug_stops(struct vcpu *vcpu, uint64_t gva);
/* RF was set at gva, where nothing has run yet. */
void vcpu_debug_resumed(struct vcpu *vcpu, uint64_t gva);
void vcpu_debug_forget(struct vcpu *vcpu);

/* vcpu_probe.c: the instruction at gva, where a probe is, has faulted. */
void vcpu_probe_mend(struct vcpu *vcpu, uint64_t gva);
/* In the place of any other fill while `quiet`. */
bool vcpu_probe_fill(struct vcpu *vcpu, uint64_t gva, uc_tlb_entry *entry);
/* The engine has stopped before the instruction at gva, before a probe there was asked. */
bool vcpu_probe_stops(struct vcpu *vcpu, uint64_t gva);

/* vcpu_fill.c */
bool vcpu_on_tlb_fill(uc_engine *uc, uint64_t gva, uc_mem_type type, uc_tlb_entry *entry,
                      void *opaque);

/* vcpu_rep.c: is that one block which may be done so? */
bool vcpu_rep_is(const struct vcpu *vcpu, const uint8_t *bytes, size_t size);
/* Before an iteration, after another one: how many were done here. RIP stays. */
uint64_t vcpu_rep_run(struct vcpu *vcpu, const struct block *block);

/* vcpu_live.c */
uc_err vcpu_live_open(struct vcpu *vcpu);
/* The fill of the stub's own page. */
bool vcpu_live_fill_stub(struct vcpu *vcpu, uint64_t gva, uc_mem_type type, uc_tlb_entry *entry);
void vcpu_live_note(struct vcpu *vcpu, uint64_t gva, enum mmu_access access,
                    const struct mmu_translation *place);
/* A snapshot was brought back, but for the registers, which are lost: take away what does not
   belong there. False: flush. */
bool vcpu_live_restore(struct vcpu *vcpu);

/* vcpu_observe.c: the page is to be filled for data. The observer may flush translations. */
void vcpu_observe_page(struct vcpu *vcpu, uint64_t gva, const struct mmu_translation *place);
/* Then the page is filled; `entry` may lead elsewhere afterwards. */
void vcpu_observe_fill(struct vcpu *vcpu, enum mmu_access access,
                       const struct mmu_translation *place, uc_tlb_entry *entry);
/* One more range is watched, or none any more; the caller flushes blocks and translations. */
uc_err vcpu_observe_watched(struct vcpu *vcpu);
uc_err vcpu_observe_unwatched(struct vcpu *vcpu);

/* vcpu_register.c: the engine's numbers. */
extern const int vcpu_register_id[VCPU_REGISTER_COUNT];
extern const int vcpu_table_id[VCPU_TABLE_COUNT];

/* vcpu_hidden.c */
uc_err vcpu_record_find(struct vcpu *vcpu);
uc_err vcpu_record_take(struct vcpu *vcpu);
uc_err vcpu_cpl_find(struct vcpu *vcpu); /* and the segments */
uc_err vcpu_xcr0_find(struct vcpu *vcpu);
/* Bring a saved context here to look at it; after a change, bring it back. */
uint8_t *vcpu_hidden_take(const struct vcpu *vcpu);
void vcpu_hidden_give(struct vcpu *vcpu);
uint32_t vcpu_hidden_word(const void *context, size_t offset);
void vcpu_hidden_set_word(void *context, size_t offset, uint32_t word);

/* vcpu_segment.c */
const struct vcpu_code *vcpu_code(const struct vcpu *vcpu);
/* The block before has ended: what is known of the mode now stays so until the next such block.
   False when CS has a base that does not count. */
bool vcpu_code_renew(struct vcpu *vcpu);
void vcpu_code_drop_base(struct vcpu *vcpu);
/* The mode bits of a new engine are where they are expected. */
bool vcpu_mode_is_known(uint32_t word);
/* Where in a context the segments are whose FS, GS and SS are these; 0: not found once. */
size_t vcpu_segment_search(const uint8_t *context, size_t size, uint64_t fs_base, uint64_t gs_base,
                           const struct vcpu_segment *ss);

#endif
