/* SPDX-License-Identifier: MIT */
/*
 * The image svsm-percpu: the published boot up to the end of the per-CPU bring-up, then the table
 * it built, in words, and a halt. main.c has the whole boot.
 *
 * Order as published: AMDESE/linux-svsm a2d150f959ed, src/lib.rs.
 */
#include "alloc.h"
#include "checks.h"
#include "cpu.h"
#include "idt.h"
#include "percpu.h"
#include "pgtable.h"
#include "serial.h"
#include "vc.h"

_Noreturn void svsm_main(void); /* from start.S */

_Noreturn void svsm_main(void)
{
    initial_checks();
    idt_init();
    vc_init();
    mem_init();
    pgtable_init();
    percpu_init();

    serial_init();
    percpu_print();
    for (;;) {
        halt();
    }
}
