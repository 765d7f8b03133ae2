/* SPDX-License-Identifier: MIT */
/*
 * The other CPUs. Each is given a VMSA that starts it at code_64 like the BSP, but with cpu_mode
 * set: no self checks, straight to ap_entry on a stack of its own.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/cpu/smp.rs.
 */
#include "smp.h"

#include "abi/msr.h"
#include "asm.h"
#include "cpu.h"
#include "percpu.h"
#include "protocol.h"
#include "stack.h"
#include "tss.h"
#include "vc.h"
#include "vmsa.h"

#define AP_STACK_PAGES 5

#define AP_CS_ATTRIBUTES 0x29a /* present, code, readable; long mode */
#define AP_CR0 0x80010033      /* PG, WP, NE, ET, MP, PE */
#define AP_CR4 0x668           /* OSXMMEXCPT, OSFXSR, MCE, PAE, DE */
#define AP_DR6 0xffff0ff0
#define AP_DR7 0x400
#define AP_MXCSR 0x1f80
#define AP_X87_FTW 0x5555
#define AP_X87_FCW 0x40

/* RMPADJUST: a VMSA page without any access for VMPL1. */
#define ATTRIBUTES_VMSA (RMPADJUST_VMSA | 1)

#define AP_STARTING 1
#define AP_STARTED 2

static volatile u32 AP_SYNC;

_Noreturn void ap_entry(void); /* from start.S */

_Noreturn void ap_entry(void)
{
    vc_register_ghcb(va_to_gpa(percpu_read_u64(PERCPU_GHCB)));
    AP_SYNC = AP_STARTED;
    halt();
    request_loop();
}

static u64 read_cr3(void)
{
    u64 cr3;

    __asm__ volatile("movq %%cr3, %0" : "=r"(cr3));
    return cr3;
}

/* GDT and IDT are common to all CPUs. */
static void vmsa_set_tables(struct vmsa *vmsa)
{
    struct __attribute__((packed)) {
        u16 limit;
        u64 base;
    } gdtr, idtr;

    __asm__ volatile("sgdt %0" : "=m"(gdtr));
    __asm__ volatile("sidt %0" : "=m"(idtr));
    vmsa->gdtr = (struct vmsa_segment){.limit = gdtr.limit, .base = gdtr.base};
    vmsa->idtr = (struct vmsa_segment){.limit = idtr.limit, .base = idtr.base};
}

static void vmsa_fill(struct vmsa *vmsa, u64 index)
{
    vmsa_set_tables(vmsa);
    vmsa->cs = (struct vmsa_segment){SVSM_CS_SELECTOR, AP_CS_ATTRIBUTES, 0xffffffff, 0};
    vmsa->tr = (struct vmsa_segment){TSS_SELECTOR, TSS_ATTRIBUTES, TSS_SIZE - 1, tss_create(index)};
    vmsa->gs.base = percpu_address(index);
    vmsa->rip = (u64)code_64;
    vmsa->rflags = RFLAGS_FIXED;
    vmsa->cr0 = AP_CR0;
    vmsa->cr3 = read_cr3();
    vmsa->cr4 = AP_CR4;
    vmsa->efer = EFER_SVME | EFER_NXE | EFER_LMA | EFER_LME;
    vmsa->dr6 = AP_DR6;
    vmsa->dr7 = AP_DR7;
    vmsa->g_pat = PAT_RESET;
    vmsa->xcr0 = 1;
    vmsa->mxcsr = AP_MXCSR;
    vmsa->x87_ftw = AP_X87_FTW;
    vmsa->x87_fcw = AP_X87_FCW;
    vmsa->vmpl = 0;
    vmsa->sev_features = rdmsr(MSR_SEV_STATUS) >> 2;
}

/* The VMSA is built while its page is an ordinary one. */
static void ap_start(u64 index)
{
    u64 gpa = vmsa_allocate();
    struct vmsa *vmsa = (struct vmsa *)gpa_to_va(gpa);

    vmsa_fill(vmsa, index);
    if (rmpadjust((u64)vmsa, RMP_SIZE_4K, ATTRIBUTES_VMSA) != RMP_SUCCESS) {
        vc_fail(SVSM_FAIL_AP_VMSA);
    }
    cpu_stack = stack_create(AP_STACK_PAGES);
    percpu_set_u64(index, PERCPU_VMSA, gpa);

    AP_SYNC = AP_STARTING;
    vc_ap_create(vmsa, gpa, percpu_apic_id(index));
    ap_wait(&AP_SYNC, AP_STARTED);
}

void smp_init(void)
{
    hl_main = (u64)ap_entry;
    cpu_mode = 1;
    for (u64 i = 1; i < CPU_COUNT; i++) {
        ap_start(i);
    }
}
