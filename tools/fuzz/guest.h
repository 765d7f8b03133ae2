/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hostile guests from bytes: an input is laid over a small good machine, which then runs against
 * the honest hypervisor. Whatever the bytes are, the run has to end as an outcome within its
 * budget; anything else is the emulator's bug, and fuzz_guest aborts.
 *
 * An input is a header (guest_input_header, read little endian; what is missing is zero), then
 * records: a 24-bit position in the image, an 8-bit length, and that many bytes, which replace the
 * image's there. The last record may be cut short.
 */
#ifndef SNPEMU_TOOLS_FUZZ_GUEST_H
#define SNPEMU_TOOLS_FUZZ_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define GUEST_BUDGET 8000 /* instructions */
#define GUEST_EXIT_BUDGET 64

/* The machine: 4 MiB, of which the image is the start. Each address leads to itself. */
#define GUEST_BASE 0x40000000ULL
#define GUEST_MEMORY 0x400000ULL
#define GUEST_IMAGE_PAGES 64
#define GUEST_PATCH_BYTES ((GUEST_IMAGE_PAGES - 1) * 4096u) /* the last page is the loader's */

/* Offsets from GUEST_BASE. */
#define GUEST_START 0x0000u /* sets the registers that the header asks for, then jumps to */
#define GUEST_CODE 0x1000u
#define GUEST_IDT 0x4000u
#define GUEST_GDT 0x5000u
#define GUEST_TSS 0x5800u
#define GUEST_HANDLERS 0x6000u /* 32 bytes for each vector */
#define GUEST_TEMPLATE 0x7000u /* what becomes the GHCB page */
#define GUEST_STACK_TOP 0xA000u
#define GUEST_PML4 0xA000u
#define GUEST_PDPT 0xB000u
#define GUEST_PD 0xC000u
#define GUEST_PT 0xD000u    /* for the first 2 MiB, of which the image is private */
#define GUEST_PT_2 0xE000u  /* for the others, which are shared */
#define GUEST_DATA 0x10000u /* to the end of the image */
#define GUEST_UNASSIGNED 0x40000u
#define GUEST_GHCB 0x200000u

/* Bits of guest_header.options. */
enum guest_option {
    GUEST_LOAD_TR = 1 << 0,
    GUEST_FILL_GHCB = 1 << 1,     /* copy the template to GUEST_GHCB */
    GUEST_REGISTER_GHCB = 1 << 2, /* through the MSR protocol */
    GUEST_SET_MSR = 1 << 3,       /* write ghcb_msr */
    GUEST_VMGEXIT = 1 << 4,       /* at once */
    GUEST_USER = 1 << 5,          /* the code runs at CPL 3 */
    GUEST_SKIP = 1 << 6,          /* handlers go on after the fault instead of halting */
    GUEST_SET_RSP = 1 << 7,
};

enum { GUEST_GPRS = 16 };

#define GUEST_EFER_NXE 1 /* bit of guest_header.efer */

struct guest_header {
    uint8_t options; /* enum guest_option */
    uint8_t cr0, efer, sev_features;
    uint16_t cr4;
    uint16_t gdt_limit, idt_limit; /* above the usual one */
    uint16_t rflags;
    uint8_t features; /* of the hypervisor */
    uint8_t strict;
    uint32_t seed;
    uint64_t ghcb_msr;
    uint64_t gpr[GUEST_GPRS]; /* in the order of their encoding */
};

#define GUEST_HEADER_SIZE (16 + 8 + 8 * GUEST_GPRS)

/* Header to and from the first bytes of an input. */
void guest_header_read(struct guest_header *header, const uint8_t *data, size_t size);
void guest_header_write(const struct guest_header *header, uint8_t data[GUEST_HEADER_SIZE]);

/* The ELF image of an input, GUEST_IMAGE_BYTES long. */
#define GUEST_IMAGE_BYTES (4096 + GUEST_IMAGE_PAGES * 4096)
void guest_image(uint8_t *file, const struct guest_header *header, const uint8_t *data,
                 size_t size);

/*
 * Whether machines are kept from one input to the next. fuzz_guest_forget closes them, so that what
 * comes then does not depend on what came before.
 */
extern bool fuzz_guest_keeps;
void fuzz_guest_forget(void);

/* Always 0, or it aborts after saying why. */
int fuzz_guest(const uint8_t *data, size_t size);
/* In a new machine first, with trace and outcome written to `out`, if any; then all repetitions.
   Returns the enum outcome_kind. */
int fuzz_guest_show(const uint8_t *data, size_t size, FILE *out);

/* Whether the inputs that once failed end as they have to. Says which do not. */
bool guest_regressions(void);

/* A new input, the same for the same seed and number; returns its size, at most `room`. */
#define GUEST_INPUT_MAX 8192
size_t guest_generate(uint64_t seed, uint64_t number, uint8_t *data, size_t room);

#endif
