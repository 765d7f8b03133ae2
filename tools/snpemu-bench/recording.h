/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One run of ours, written down so that a bare CPU engine can repeat it without knowing anything:
 * what memory held at the start, where addresses led, and after each trap which registers and bytes
 * had changed. Where another vCPU or VMPL ran after a trap, all of its registers instead.
 */
#ifndef SNPEMU_BENCH_RECORDING_H
#define SNPEMU_BENCH_RECORDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "host/scenario.h"
#include "image/firmware.h"
#include "image/image.h"
#include "machine/vcpu.h"
#include "views.h"

#define RECORDING_MSR_MAX 16
#define RECORDING_NO_CONTEXT SIZE_MAX

/* All that a trap may change of a vCPU. */
struct recording_registers {
    uint64_t reg[VCPU_REGISTER_COUNT];
    struct vcpu_table table[VCPU_TABLE_COUNT];
    uint64_t msr[RECORDING_MSR_MAX]; /* of the MSRs in recording.msr_index */
};

/* A register's new value. */
struct recording_set {
    bool is_msr;
    uint32_t index; /* enum vcpu_register, or the MSR's number */
    uint64_t value;
};

/* Bytes stored behind the guest's back. */
struct recording_write {
    uint64_t offset; /* into memory's pages, put together without gaps */
    uint32_t size_bytes;
    size_t data_offset; /* into recording.data */
};

/* Ranges into recording.set and recording.write. */
struct recording_trap {
    uint64_t rip, code_gva;
    bool by_hook;   /* an instruction that the engine would execute by itself */
    bool halts;     /* HLT, which has retired */
    bool passes;    /* the engine executes it after all */
    uint8_t vmpl;   /* that runs after it */
    size_t context; /* another vCPU or VMPL runs after it, with these; RECORDING_NO_CONTEXT */
    uint64_t retired;
    uint64_t instructions; /* at its end */
    size_t set_first, set_count;
    size_t write_first, write_count;
};

/* A page that the run touched: what it held before, and whether it is a page table at the end. */
struct recording_page {
    uint32_t page;
    bool is_table;
    size_t data_offset;
};

struct recording {
    uint32_t page_count;
    struct memory_slot slot[MEMORY_SLOT_MAX];
    size_t slot_count;
    uint64_t until_gva; /* the run ends before this instruction */
    struct views views;

    /* All registers, in the engine's own form: of the start, and of each switch. */
    void **context;
    size_t context_count, context_capacity;
    struct recording_registers end;
    uint32_t msr_index[RECORDING_MSR_MAX];
    size_t msr_count;

    struct recording_page *page;
    size_t page_touched_count, page_capacity;
    struct recording_trap *trap;
    size_t trap_count, trap_capacity;
    struct recording_set *set;
    size_t set_count, set_capacity;
    struct recording_write *write;
    size_t write_count, write_capacity;
    uint8_t *data;
    size_t data_size_bytes, data_capacity;

    uint64_t instructions; /* at the end */
    uint64_t exits;
    /* The first exit that asks for the APIC ID list: its trap, number, and the time then. */
    size_t list_trap;
    uint64_t list_exit, list_instructions;
    uint64_t memory_hash; /* recording_hash of the end */
};

/*
 * Run the scenario on the image until `until` is about to execute. SNPEMU_ERR_INPUT when it ends
 * any other way. firmware: NULL for none.
 */
int recording_make(struct recording **recording, const struct scenario *scenario,
                   const struct image *image, const struct firmware *firmware, const char *until,
                   struct error *error);
void recording_free(struct recording *recording); /* takes NULL */

/* Of the pages that the run touched; A and D bits of page tables count as zero. */
uint64_t recording_hash(const struct recording *recording, const uint8_t *ram);

#endif
