/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Spins that nobody ends. A loop that comes back to the same state, registers and memory, without a
 * trap between, goes on for ever: nothing but an exit lets the host change anything. It is told
 * from slow work by comparing that state, so a loop that counts, or reads the time, is not taken
 * for one.
 *
 * With one vCPU able to run it is stepped through its loop. With several that all sit in PAUSE
 * loops, a whole round of them is compared.
 */
#include <stdio.h>
#include <string.h>

#include "run_internal.h"
#include "trap/decode.h"

#define SPIN_PATIENCE 256      /* PAUSEs in a row before the first look; doubled after each */
#define SPIN_LONG (1ULL << 26) /* instructions without a trap before the first look; likewise */
#define SPIN_STEPS 4096        /* instructions of a loop that is looked at */
#define SPIN_INSN_BYTES 15
#define SPIN_READS 4 /* of one instruction */

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
    spin->pauses = 0;
    spin->patience = SPIN_PATIENCE;
    spin->since = vcpu_retired(run->machine.vcpu);
    spin->next_look = spin->since + SPIN_LONG;
}

/* ---- one vCPU ---- */

/* What a loop waits for, as far as its reads tell. 0: nothing yet. */
struct spin_awaited {
    uint64_t apart;  /* the last place in a page that the loop itself does not write */
    uint64_t beside; /* the last in one that it does, the stack's aside */
};

/* What the instruction at RIP reads. */
static void spin_note_reads(struct run *run, struct spin_awaited *awaited)
{
    struct machine *machine = &run->machine;
    uint8_t bytes[SPIN_INSN_BYTES];
    uint64_t gva[SPIN_READS], rip = vcpu_get(machine->vcpu, VCPU_RIP);
    uint64_t stack = vcpu_get(machine->vcpu, VCPU_RSP) & ~PAGE_MASK;
    struct mmu_context context;
    size_t have, count;

    vcpu_mmu_context(machine->vcpu, &context);
    have = mmu_peek(&machine->mmu, &context, vcpu_code_gva(machine->vcpu), bytes, sizeof(bytes));
    count = decode_reads(machine->vcpu, bytes, have, rip, gva, SPIN_READS);
    for (size_t i = 0; i < count; i++) {
        struct mmu_translation place;
        struct mmu_fault fault;

        if (!mmu_translate(&machine->mmu, &context, gva[i], MMU_READ, &place, &fault)) {
            continue;
        }
        if (!memory_log_has(&machine->memory, place.page)) {
            awaited->apart = gva[i];
        } else if ((gva[i] & ~PAGE_MASK) != stack) {
            awaited->beside = gva[i];
        }
    }
}

/* Executes one instruction. False when it was anything but a plain one or PAUSE. */
static bool spin_step(struct run *run, int *status, struct error *error)
{
    struct vcpu *vcpu = run->machine.vcpu;
    struct vcpu_stop stop;
    enum trap_next next;

    vcpu_set_limit(vcpu, vcpu_retired(vcpu) + 1);
    *status = vcpu_run(vcpu, &stop, error);
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

    trap_end(&run->trap, OUTCOME_STUCK,
             awaited ? "a spin: nobody changes gva 0x%llx%s%s" : "a spin",
             (unsigned long long)awaited, symbol ? ", " : "", symbol ? symbol : "");
}

/* Does the vCPU come back to where it stands, with nothing changed? Then the run ends. */
static int spin_examine(struct run *run, struct error *error)
{
    struct memory *memory = &run->machine.memory;
    uint8_t begin[VMSA_SIZE], now[VMSA_SIZE];
    struct spin_awaited awaited = {0};
    uint64_t rip = vcpu_get(run->machine.vcpu, VCPU_RIP);
    bool again = false;
    int status = 0;

    spin_take(run, begin);
    memory_log_start(memory);
    vcpu_flush(run->machine.vcpu);
    for (unsigned step = 0; !again && step < SPIN_STEPS; step++) {
        spin_note_reads(run, &awaited);
        if (!spin_step(run, &status, error)) {
            break;
        }
        if (vcpu_get(run->machine.vcpu, VCPU_RIP) == rip) {
            spin_take(run, now);
            again = memcmp(begin, now, sizeof(now)) == 0 && memory_log_unchanged(memory);
        }
    }
    memory_log_stop(memory);
    if (again) {
        spin_end(run, awaited.apart ? awaited.apart : awaited.beside);
    }
    return status;
}

int run_spin_examine(struct run *run, struct error *error)
{
    struct run_spin *spin = &run->spin;
    uint64_t begin = vcpu_retired(run->machine.vcpu);

    spin->due = false;
    spin->patience *= 2;
    spin->pauses = 0;
    spin->next_look = begin + 2 * (begin - spin->since);
    return spin_examine(run, error);
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
        spin_take(run, spin->begin);
        memory_log_start(memory);
        vcpu_flush(run->machine.vcpu);
    } else if (spin->watching && spin->vcpu == run->trap.vcpu) {
        spin_take(run, now);
        spin->due = memcmp(spin->begin, now, sizeof(now)) == 0 && memory_log_unchanged(memory);
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
    if (runnable == 1) {
        spin->due = spin->pauses >= spin->patience;
    } else if (run_schedule_is_fair(run)) {
        spin_round(run);
    }
}

void run_spin_limit(struct run *run)
{
    struct run_spin *spin = &run->spin;

    spin->due =
        run->hypervisor.vcpus.runnable == 1 && vcpu_retired(run->machine.vcpu) >= spin->next_look;
}
