/* SPDX-License-Identifier: MIT */
/*
 * The images svsm and svsm-hardened: the whole boot, from the self checks to the request loop.
 * main_percpu.c stops half way.
 *
 * Order as published: AMDESE/linux-svsm a2d150f959ed, src/lib.rs.
 */
#include "alloc.h"
#include "checks.h"
#include "firmware.h"
#include "fw_cfg.h"
#include "ghcb.h"
#include "idt.h"
#include "percpu.h"
#include "pgtable.h"
#include "protocol.h"
#include "serial.h"
#include "smp.h"
#include "text.h"
#include "tss.h"
#include "vc.h"
#include "vmsa_list.h"
#include "window.h"

#define LINE_SIZE 80

_Noreturn void svsm_main(void); /* from start.S */

static void print_cpus(void)
{
    char buffer[LINE_SIZE];
    struct text line;

    text_init(&line, buffer, sizeof(buffer));
    text_string(&line, "svsm: ");
    text_decimal(&line, CPU_COUNT);
    text_string(&line, " CPUs\n");
    serial_out(buffer);
}

_Noreturn void svsm_main(void)
{
    initial_checks();
    idt_init();
    vc_init();
    mem_init();
    pgtable_init();
    percpu_init();

    tss_init();
    ghcb_init();
    serial_init();
    print_cpus();
    fw_cfg_init();
    smp_init();
    serial_out("svsm: all CPUs started\n");

    window_init();
    vmsa_list_init();
    firmware_start();
    serial_out("svsm: firmware started, request loop\n");
    request_loop();
}
