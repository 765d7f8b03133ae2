/* SPDX-License-Identifier: MIT */
/*
 * Four exceptions have a handler; every other one has no gate, and ends as a double fault.
 * The double fault wants a stack of its own, which no TSS provides here: a triple fault.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/cpu/idt.rs.
 */
#include "idt.h"

#include "asm.h"
#include "cpu.h"

#define VECTORS 256
#define GATE_INTERRUPT_PRESENT 0x8e00 /* type 0xE, DPL 0, present */

/* AMD APM Vol 2 (24593) 4.8.4. */
struct gate {
    u16 offset_low;
    u16 selector;
    u16 attributes; /* 2:0 are the IST index */
    u16 offset_middle;
    u32 offset_high;
    u32 reserved;
};

struct __attribute__((packed)) table_register {
    u16 limit;
    u64 base;
};

static struct gate IDT[VECTORS];

static void gate_set(u32 vector, void (*entry)(void), u16 ist)
{
    u64 address = (u64)entry;

    IDT[vector] = (struct gate){
        .offset_low = (u16)address,
        .selector = SVSM_CS_SELECTOR,
        .attributes = GATE_INTERRUPT_PRESENT | ist,
        .offset_middle = (u16)(address >> 16),
        .offset_high = (u32)(address >> 32),
    };
}

void idt_init(void)
{
    struct table_register idtr = {sizeof(IDT) - 1, (u64)IDT};

    exceptions_init();
    gate_set(VECTOR_DF, entry_df_handler, 1);
    gate_set(VECTOR_GP, entry_gp_handler, 0);
    gate_set(VECTOR_PF, entry_pf_handler, 0);
    gate_set(VECTOR_VC, entry_vc_handler, 0);
    __asm__ volatile("lidt %0" : : "m"(idtr));
}
