/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bare CPU engine in a loop with one instruction that it does not know. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "abi/x86.h"
#include "machine/vcpu_engine.h"
#include "measure.h"
#include "trap.h"

#define TRAP_SIZE 4 /* of VMGEXIT, at the loop's start */

struct floor {
    uc_engine *uc;
    uint8_t *ram;
    uint32_t rounds;
    bool at_trap;
};

static bool floor_on_fill(uc_engine *uc, uint64_t gva, uc_mem_type type, uc_tlb_entry *entry,
                          void *opaque)
{
    (void)uc;
    (void)type;
    (void)opaque;
    entry->paddr = gva & ~PAGE_MASK;
    entry->perms = UC_PROT_READ | UC_PROT_EXEC;
    return entry->paddr == 0;
}

static bool floor_on_invalid(uc_engine *uc, void *opaque)
{
    struct floor *floor = opaque;

    floor->at_trap = true;
    uc_emu_stop(uc);
    return true;
}

int floor_open(struct floor **out, uint32_t rounds, struct error *error)
{
    static const uint8_t code[] = {0xF3, 0x0F, 0x01, 0xD9, 0x49, 0xFF, 0xCF, 0x75, 0xF7, 0xF4};
    struct floor *floor = calloc(1, sizeof(*floor));
    uc_hook hook;
    uc_err err = UC_ERR_NOMEM;

    if (floor) {
        floor->rounds = rounds;
        floor->ram =
            mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        floor->ram = floor->ram == MAP_FAILED ? NULL : floor->ram;
    }
    if (floor && floor->ram) {
        memcpy(floor->ram, code, sizeof(code));
        err = uc_open(UC_ARCH_X86, UC_MODE_64, &floor->uc);
    }
    err = err ? err : engine_set_model(floor->uc);
    err = err ? err : engine_use_no_exits(floor->uc);
    err = err ? err : uc_mem_map_ptr(floor->uc, 0, PAGE_SIZE, UC_PROT_ALL, floor->ram);
    err = err ? err : engine_use_vtlb(floor->uc);
    err = err ? err
              : uc_hook_add(floor->uc, &hook, UC_HOOK_TLB_FILL, (void *)floor_on_fill, floor, 1, 0);
    err = err ? err
              : uc_hook_add(floor->uc, &hook, UC_HOOK_INSN_INVALID, (void *)floor_on_invalid, floor,
                            1, 0);
    if (err) {
        floor_close(floor);
        return error_set(error, SNPEMU_ERR_INTERNAL, "bare engine, opening: %s", uc_strerror(err));
    }
    *out = floor;
    return 0;
}

void floor_close(struct floor *floor)
{
    if (!floor) {
        return;
    }
    if (floor->uc) {
        uc_close(floor->uc);
    }
    if (floor->ram) {
        munmap(floor->ram, PAGE_SIZE);
    }
    free(floor);
}

int floor_run(struct floor *floor, double *ns, struct error *error)
{
    double start = measure_cpu_ns();
    uint64_t rip = 0, rounds = floor->rounds;
    uint32_t stops = 0;
    uc_err err = uc_reg_write(floor->uc, UC_X86_REG_R15, &rounds);

    do {
        floor->at_trap = false;
        err = err ? err : uc_emu_start(floor->uc, rip, 0, 0, 0);
        stops += floor->at_trap;
        rip = TRAP_SIZE;
    } while (!err && floor->at_trap);
    if (err || stops != floor->rounds) {
        return error_set(error, SNPEMU_ERR_INTERNAL, "bare engine: %u stops instead of %u: %s",
                         stops, floor->rounds, uc_strerror(err));
    }
    *ns = (measure_cpu_ns() - start) / floor->rounds;
    return 0;
}
