/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spins that nobody ends. A loop that comes back to the same state, registers and memory, without a
 * trap between, goes on for ever: nothing but an exit lets the host change anything. It is told
 * from slow work by comparing that state, so a loop that counts, or reads the time, is not taken
 * for one.
 *
 * With one vCPU able to run it is stepped through its loop. With several that all sit in PAUSE
 * loops and have their turns in order, a whole round of them is compared. With several otherwise
 * each is stepped through its loop, and none may write a page that another one's uses.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run_internal.h"
#include "trap/decode.h"

#define SPIN_PATIENCE 256      /* PAUSEs in a row before the first look; doubled after each */
#define SPIN_LONG (1ULL << 26) /* instructions without a trap before the first look; likewise */
#define SPIN_STEPS 4096        /* instructions of a loop that is looked at */
#define SPIN_INSN_BYTES 15
#define SPIN_READS 4 /* of one instruction */
#define SPIN_PAGES 512

/* The pages that the loops of several vCPUs use. */
struct spin_pages {
    bool full;
    uint32_t count;
    struct {
        uint32_t page, vcpu;
        bool written;
    } use[SPIN_PAGES];
};

/* What is known of a loop while it is stepped through. */
struct spin_look {
    /* What it waits for, as far as its reads tell; 0: nothing yet. The last place in a page that
       the loop itself does not write, and the last in one that it does, the stack's aside. */
    uint64_t apart, beside;
    struct spin_pages *pages; /* NULL: there are no other loops */
};

static void spin_page_use(struct run *run, struct spin_pages *pages, uint32_t page, bool written)
{
    uint32_t i = 0;

    while (i < pages->count &&
           (pages->use[i].page != page || pages->use[i].vcpu != run->trap.vcpu)) {
        i++;
    }
    if (i == SPIN_PAGES) {
        pages->full = true;
        return;
    }
    if (i == pages->count) {
        pages->count++;
        pages->use[i].page = page;
        pages->use[i].vcpu = run->trap.vcpu;
        pages->use[i].written = false;
    }
    pages->use[i].written = pages->use[i].written || written;
}

/* Does any loop write what another one uses? */
static bool spin_pages_meet(const struct spin_pages *pages)
{
    for (uint32_t i = 0; i < pages->count; i++) {
        for (uint32_t j = 0; pages->use[i].written && j < pages->count; j++) {
            if (pages->use[j].page == pages->use[i].page &&
                pages->use[j].vcpu != pages->use[i].vcpu) {
                return true;
            }
        }
    }
    return pages->full;
}

/* All registers of the vCPU that runs, as its save area would have them. */
static void spin_take(const struct run *run, uint8_t state[VMSA_SIZE])
{
    memset(state, 0, VMSA_SIZE);
    vmsa_store(run->machine.vcpu, &(struct vmsa_exit){0}, state);
}

void run_spin_reset(struct run *run)
{
    struct run_spin *spin = &run->spin;

    if (spin->watching) {
        memory_log_stop(&run->machine.memory);
    }
    spin->watching = false;
    spin->due = false;
    spin->proven = false;
    spin->pauses = 0;
    spin->patience = SPIN_PATIENCE;
    spin->since = vcpu_retired(run->machine.vcpu);
    spin->next_look = spin->since + SPIN_LONG;
}

/* ---- one vCPU ---- */

/* A place that the loop reads: data, or its own code. */
static void spin_note_place(struct run *run, struct spin_look *look,
                            const struct mmu_context *context, uint64_t gva, bool data)
{
    struct machine *machine = &run->machine;
    uint64_t stack = vcpu_get(machine->vcpu, VCPU_RSP) & ~PAGE_MASK;
    struct mmu_translation place;
    struct mmu_fault fault;

    if (!mmu_translate(&machine->mmu, context, gva, data ? MMU_READ : MMU_FETCH, &place, &fault)) {
        return;
    }
    if (look->pages) {
        spin_page_use(run, look->pages, place.page, false);
    }
    if (data && !memory_log_has(&machine->memory, place.page)) {
        look->apart = gva;
    } else if (data && (gva & ~PAGE_MASK) != stack) {
        look->beside = gva;
    }
}

/* What the instruction at RIP reads. */
static void spin_note_reads(struct run *run, struct spin_look *look)
{
    struct machine *machine = &run->machine;
    uint8_t bytes[SPIN_INSN_BYTES];
    uint64_t gva[SPIN_READS], rip = vcpu_get(machine->vcpu, VCPU_RIP);
    uint64_t code_gva = vcpu_code_gva(machine->vcpu);
    struct mmu_context context;
    size_t have, count;

    vcpu_mmu_context(machine->vcpu, &context);
    have = mmu_peek(&machine->mmu, &context, code_gva, bytes, sizeof(bytes));
    count = decode_reads(machine->vcpu, bytes, have, rip, gva, SPIN_READS);
    spin_note_place(run, look, &context, code_gva, false);
    for (size_t i = 0; i < count; i++) {
        spin_note_place(run, look, &context, gva[i], true);
    }
}

/* What was seen of a spin so far is not kept by a snapshot, and would be judged later after it. */
static int spin_no_place(struct error *error)
{
    return error_set(error, SNPEMU_ERR_INPUT,
                     "no snapshot can be taken there: vCPUs wait in a loop, and it is being looked "
                     "at whether that ends; choose another place");
}

int run_spin_may_part(const struct run *run, struct error *error)
{
    return run->spin.watching ? spin_no_place(error) : 0;
}

/* Executes one instruction. False when it was anything but a plain one or PAUSE, or one too many.
 */
static bool spin_step(struct run *run, int *status, struct error *error)
{
    struct vcpu *vcpu = run->machine.vcpu;
    uint64_t limit, until;
    struct vcpu_stop stop;
    enum trap_next next;

    if (vcpu_retired(vcpu) >= run->scenario->budget) {
        return false;
    }
    do {
        limit = vcpu_retired(vcpu) + 1;
        until = limit;
        if (run->options.debugger) {
            *status = run_debug_before(run, &until, error);
            if (*status != 0) {
                return false;
            }
        }
        vcpu_set_limit(vcpu, until);
        *status = vcpu_run(vcpu, &stop, error);
        watch_list_settle(&run->watches);
    } while (*status == 0 && run->options.debugger && run_debug_after(run, &stop, limit));
    run->state.stops++;
    if (*status == 0 && run_is_place(run, &stop)) {
        *status = spin_no_place(error);
    }
    if (*status != 0 || stop.kind == VCPU_STOP_LIMIT) {
        return *status == 0;
    }
    next = trap_handle(&run->trap, &stop);
    if (next != TRAP_PAUSE) {
        run_after_trap(run, next);
    }
    return next == TRAP_PAUSE;
}

static void spin_end(struct run *run, uint64_t awaited)
{
    const char *symbol = awaited ? run_symbol(run, awaited) : NULL;
    const struct vcpus *vcpus = &run->hypervisor.vcpus;
    const struct vcpu_slot *stopped = vcpus_find_activity(vcpus, VCPU_STOPPED);
    char host[64] = "";

    run->spin.ended = true;
    run->spin.awaited_gva = awaited;
    if (stopped) {
        snprintf(host, sizeof(host), "; the host never runs vCPU %u again",
                 (uint32_t)(stopped - vcpus->slot));
    }
    if (awaited) {
        trap_end(&run->trap, OUTCOME_STUCK, "a spin: nobody changes gva 0x%llx%s%s%s",
                 (unsigned long long)awaited, symbol ? ", " : "", symbol ? symbol : "", host);
    } else {
        trap_end(&run->trap, OUTCOME_STUCK, "a spin%s", host);
    }
    /* Whom it waits for the host has in its hand; but a guest that has given up waits for nobody.
     */
    run_read_panic(run);
    run->outcome.host_caused = stopped && run->outcome.panic[0] == '\0';
}

/* Does the vCPU come back to where it stands, with nothing changed? */
static int spin_examine(struct run *run, struct spin_look *look, bool *again, struct error *error)
{
    struct memory *memory = &run->machine.memory;
    uint8_t begin[VMSA_SIZE], now[VMSA_SIZE];
    uint64_t rip = vcpu_get(run->machine.vcpu, VCPU_RIP), ticks = run->watches.ticks;
    int status = 0;

    *again = false;
    spin_take(run, begin);
    memory_log_start(memory);
    vcpu_flush(run->machine.vcpu);
    for (unsigned step = 0; !*again && step < SPIN_STEPS; step++) {
        spin_note_reads(run, look);
        if (!spin_step(run, &status, error)) {
            break;
        }
        if (vcpu_get(run->machine.vcpu, VCPU_RIP) == rip) {
            spin_take(run, now);
            *again = memcmp(begin, now, sizeof(now)) == 0 && memory_log_unchanged(memory) &&
                     run->watches.ticks == ticks;
        }
    }
    memory_log_stop(memory);
    for (uint32_t i = 0; look->pages && i < memory->log.count; i++) {
        spin_page_use(run, look->pages, memory->log.page[i], true);
    }
    return status;
}

/* `count` vCPUs, one after the other. The last one is the outcome's. */
static int spin_examine_all(struct run *run, uint32_t count, struct error *error)
{
    struct spin_pages *pages = count > 1 ? calloc(1, sizeof(*pages)) : NULL;
    struct spin_look look = {0};
    bool again = true;
    int status = 0;

    if (count > 1 && !pages) {
        return error_set(error, SNPEMU_ERR_MEMORY, "out of memory");
    }
    for (uint32_t i = 0; status == 0 && again && i < count; i++) {
        again = i == 0 || run_schedule_turn(run);
        if (again) {
            look = (struct spin_look){.pages = pages};
            status = spin_examine(run, &look, &again, error);
        }
    }
    if (status == 0 && again && !(pages && spin_pages_meet(pages))) {
        spin_end(run, look.apart ? look.apart : look.beside);
    }
    free(pages);
    return status;
}

int run_spin_examine(struct run *run, struct error *error)
{
    struct run_spin *spin = &run->spin;
    uint64_t begin = vcpu_retired(run->machine.vcpu);
    uint32_t count = spin->proven ? 1 : run->hypervisor.vcpus.runnable;

    if (run_later_waits(run)) {
        run_spin_reset(run);
        return 0;
    }
    spin->due = false;
    spin->proven = false;
    spin->patience *= 2;
    spin->pauses = 0;
    spin->next_look = begin + 2 * (begin - spin->since);
    return spin_examine_all(run, count, error);
}

/* ---- several vCPUs ---- */

/* From one PAUSE of this vCPU to its next all others had their turn. Has anything changed? */
static void spin_round(struct run *run)
{
    struct run_spin *spin = &run->spin;
    struct memory *memory = &run->machine.memory;
    uint8_t now[VMSA_SIZE];

    if (!spin->watching && spin->pauses >= (uint64_t)spin->patience * spin->runnable) {
        spin->watching = true;
        spin->vcpu = run->trap.vcpu;
        spin->ticks = run->watches.ticks;
        spin_take(run, spin->begin);
        memory_log_start(memory);
        vcpu_flush(run->machine.vcpu);
    } else if (spin->watching && spin->vcpu == run->trap.vcpu) {
        spin_take(run, now);
        spin->proven = memcmp(spin->begin, now, sizeof(now)) == 0 && memory_log_unchanged(memory) &&
                       spin->ticks == run->watches.ticks;
        spin->due = spin->proven;
        spin->watching = false;
        spin->pauses = 0;
        spin->patience *= 2;
        memory_log_stop(memory);
    }
}

void run_spin_pause(struct run *run)
{
    struct run_spin *spin = &run->spin;
    uint32_t runnable = run->hypervisor.vcpus.runnable;

    if (spin->runnable != runnable) {
        run_spin_reset(run);
        spin->runnable = runnable;
    }
    spin->pauses++;
    if (runnable > 1 && run_schedule_is_fair(run)) {
        spin_round(run);
    } else {
        spin->due = spin->pauses >= (uint64_t)spin->patience * runnable;
    }
}

void run_spin_limit(struct run *run)
{
    struct run_spin *spin = &run->spin;

    spin->due = vcpu_retired(run->machine.vcpu) >= spin->next_look;
}

void run_spin_quantum(struct run *run)
{
    struct run_spin *spin = &run->spin;

    if (spin->watching) {
        memory_log_stop(&run->machine.memory);
        spin->watching = false;
    }
    spin->pauses = 0;
    run_spin_limit(run);
}
