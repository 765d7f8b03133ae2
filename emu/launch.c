/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launch_internal.h"

#include <string.h>

#include "abi/cpuid.h"
#include "abi/firmware.h"
#include "abi/msr.h"
#include "abi/svsm.h"
#include "abi/x86.h"
#include "trap/decode.h"

#define BIOS_VMSA_RDX 0x310

static void store(uint8_t *bytes, uint64_t value, size_t size)
{
    memcpy(bytes, &value, size);
}

/* ---- metadata pages ---- */

typedef void section_fill(const struct psp *psp, const struct hypervisor_config *config,
                          uint8_t *page);

static void fill_secrets(const struct psp *psp, const struct hypervisor_config *config,
                         uint8_t *page)
{
    (void)config;
    psp_fill_secrets(psp, page);
}

static void fill_cpuid(const struct psp *psp, const struct hypervisor_config *config, uint8_t *page)
{
    (void)psp;
    store(page + CPUID_PAGE_COUNT, config->cpuid_count, 4);
    for (size_t i = 0; i < config->cpuid_count && i < CPUID_ENTRY_MAX; i++) {
        const struct cpuid_leaf *leaf = &config->cpuid[i];
        uint8_t *entry = page + CPUID_PAGE_ENTRIES + i * CPUID_ENTRY_SIZE;

        store(entry + CPUID_ENTRY_EAX_IN, leaf->eax_in, 4);
        store(entry + CPUID_ENTRY_ECX_IN, leaf->ecx_in, 4);
        store(entry + CPUID_ENTRY_XCR0_IN, leaf->xcr0_in, 8);
        store(entry + CPUID_ENTRY_XSS_IN, leaf->xss_in, 8);
        store(entry + CPUID_ENTRY_EAX, leaf->eax, 4);
        store(entry + CPUID_ENTRY_EBX, leaf->ebx, 4);
        store(entry + CPUID_ENTRY_ECX, leaf->ecx, 4);
        store(entry + CPUID_ENTRY_EDX, leaf->edx, 4);
    }
}

/* The processor's signature is in RDX after reset: CPUID leaf 1, EAX; 0 when there is no leaf. */
static uint32_t launch_signature(const struct hypervisor_config *config)
{
    for (size_t i = 0; i < config->cpuid_count; i++) {
        if (config->cpuid[i].eax_in == 1) {
            return config->cpuid[i].eax;
        }
    }
    return 0;
}

/*
 * The x86 reset state as a VMSA at VMPL1. Offsets: AMD APM Vol 2 (24593) appendix B, table B-4;
 * values: sev_svsm_set_vmpl1_vmsa.
 */
static void fill_bios_vmsa(const struct psp *psp, const struct hypervisor_config *config,
                           uint8_t *page)
{
    static const struct {
        uint16_t offset;
        uint8_t size;
        uint64_t value;
    } fields[] = {
        {0x010, 2, 0xF000},     {0x012, 2, 0x09B},
        {0x014, 4, 0xFFFF},     {0x018, 8, 0xFFFF0000},
        {0x002, 2, 0x093},      {0x004, 4, 0xFFFF},
        {0x022, 2, 0x093},      {0x024, 4, 0xFFFF},
        {0x032, 2, 0x093},      {0x034, 4, 0xFFFF},
        {0x042, 2, 0x093},      {0x044, 4, 0xFFFF},
        {0x052, 2, 0x093},      {0x054, 4, 0xFFFF},
        {0x064, 4, 0xFFFF},     {0x084, 4, 0xFFFF},
        {0x072, 2, 0x082},      {0x074, 4, 0xFFFF},
        {0x092, 2, 0x08B},      {0x094, 4, 0xFFFF},
        {0x0D0, 8, EFER_SVME},  {0x148, 8, 0x40},
        {0x158, 8, 0x10},       {0x160, 8, 0x400},
        {0x168, 8, 0xFFFF0FF0}, {0x170, 8, 0x2},
        {0x178, 8, 0xFFF0},     {0x268, 8, 0x0007040600070406},
        {0x3E8, 8, 1},
    };

    (void)psp;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        store(page + fields[i].offset, fields[i].value, fields[i].size);
    }
    page[VMSA_VMPL] = config->guest_vmsa_vmpl;
    store(page + VMSA_SEV_FEATURES, config->guest_vmsa_sev_features, 8);
    store(page + BIOS_VMSA_RDX, launch_signature(config), 8);
}

struct section_kind {
    uint32_t type;
    section_fill *fill;
    uint8_t page_type; /* LAUNCH_*, snp_metadata_desc_to_page_type */
};

static const struct section_kind *section_kind(uint32_t type)
{
    static const struct section_kind kinds[] = {
        {SVSM_SECTION_SECRETS, fill_secrets, LAUNCH_SECRETS_PAGE},
        {SVSM_SECTION_CPUID, fill_cpuid, LAUNCH_CPUID_PAGE},
        {SVSM_SECTION_BIOS_VMSA, fill_bios_vmsa, LAUNCH_NORMAL},
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i].type == type) {
            return &kinds[i];
        }
    }
    return NULL;
}

static int launch_sections(struct machine *machine, const struct image *image,
                           const struct hypervisor_config *config, struct psp *psp,
                           struct error *error)
{
    for (size_t i = 0; i < image->section_count; i++) {
        const struct image_section *section = &image->section[i];
        const struct section_kind *kind = section_kind(section->type);
        int status;

        if (!kind) {
            return error_set(error, SNPEMU_ERR_INPUT,
                             "%s: launch metadata section %zu has type %u, which is not known; "
                             "known are secrets, CPUID and BIOS VMSA, as linux-svsm has them",
                             image->path, i, section->type);
        }
        for (uint64_t at = 0; at < section->size_bytes; at += PAGE_SIZE) {
            uint32_t page = memory_page(&machine->memory, section->gpa + at);
            uint8_t *bytes;

            if (page == MEMORY_NO_PAGE) {
                return error_set(error, SNPEMU_ERR_INPUT,
                                 "%s: launch metadata section %zu lies outside the SVSM's memory; "
                                 "raise memory_mib",
                                 image->path, i);
            }
            bytes = machine_launch_page(machine, page);
            if (at == 0) {
                kind->fill(psp, config, bytes);
            }
            status = psp_launch_update(psp, kind->page_type, 0, section->gpa + at, bytes, error);
            if (status != 0) {
                return status;
            }
        }
    }
    return 0;
}

/* ---- image ---- */

static int launch_pages(struct machine *machine, const struct image *image, struct error *error)
{
    for (uint64_t gpa = image->load_gpa; gpa < image->end_gpa; gpa += PAGE_SIZE) {
        uint32_t page = memory_page(&machine->memory, gpa);

        if (page == MEMORY_NO_PAGE) {
            return error_set(error, SNPEMU_ERR_INPUT,
                             "%s: the image needs more than its memory; raise memory_mib",
                             image->path);
        }
        machine_launch_page(machine, page);
    }
    return 0;
}

static void launch_segments(struct machine *machine, const struct image *image)
{
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct image_segment *segment = &image->segment[i];
        uint64_t done = 0;

        while (done < segment->file_size_bytes) {
            uint64_t gpa = segment->gpa + done;
            uint64_t chunk = PAGE_SIZE - (gpa & PAGE_MASK);
            uint64_t left = segment->file_size_bytes - done;
            uint32_t page = memory_page(&machine->memory, gpa);

            chunk = chunk < left ? chunk : left;
            memcpy(memory_bytes_for_write(&machine->memory, page) + (gpa & PAGE_MASK),
                   segment->bytes + done, chunk);
            done += chunk;
        }
    }
}

static int launch_measure(struct machine *machine, const struct image *image, struct psp *psp,
                          struct error *error)
{
    int status = 0;

    for (uint64_t gpa = image->load_gpa; status == 0 && gpa < image->end_gpa; gpa += PAGE_SIZE) {
        status = psp_launch_update(
            psp, LAUNCH_NORMAL, 0, gpa,
            memory_bytes(&machine->memory, memory_page(&machine->memory, gpa)), error);
    }
    return status;
}

static int launch_prevalidated(struct machine *machine, const struct hypervisor_config *config,
                               struct psp *psp, struct error *error)
{
    for (size_t i = 0; i < config->prevalidated_count; i++) {
        uint32_t page = memory_page(&machine->memory, config->prevalidated[i]);

        if (page == MEMORY_NO_PAGE) {
            return error_set(error, SNPEMU_ERR_INPUT,
                             "host.prevalidated: there is no guest memory at gpa 0x%llx",
                             (unsigned long long)config->prevalidated[i]);
        }
        uint8_t *bytes = machine_launch_page(machine, page);
        int status = psp_launch_update(psp, LAUNCH_ZERO, 0, config->prevalidated[i], bytes, error);

        if (status != 0) {
            return status;
        }
        memory_set_flag(&machine->memory, page, MEMORY_HOST_FAULT);
    }
    return 0;
}

/*
 * The save area that the boot CPU starts from, as sev_svsm_set_reset_state and KVM's
 * sev_es_sync_vmsa make it.
 */
static void fill_boot_vmsa(const struct image_start *start, const struct hypervisor_config *config,
                           uint8_t page[VMSA_SIZE])
{
    const struct {
        uint16_t offset;
        uint8_t size;
        uint64_t value;
    } fields[] = {
        {VMSA_CS + VMSA_SEGMENT_SELECTOR, 2, start->cs_selector},
        {VMSA_CS + VMSA_SEGMENT_ATTRIBUTES, 2,
         (start->cs_descriptor >> 40 & 0xFF) | (start->cs_descriptor >> 52 & 0xF) << 8},
        {VMSA_CS + VMSA_SEGMENT_LIMIT, 4, 0xFFFFFFFF},
        {VMSA_GDTR + VMSA_SEGMENT_LIMIT, 4, start->gdt_limit},
        {VMSA_GDTR + VMSA_SEGMENT_BASE, 8, start->gdt_base},
        {VMSA_LDTR + VMSA_SEGMENT_ATTRIBUTES, 2, 0x082},
        {VMSA_LDTR + VMSA_SEGMENT_LIMIT, 4, 0xFFFF},
        {VMSA_IDTR + VMSA_SEGMENT_LIMIT, 4, start->idt_limit},
        {VMSA_IDTR + VMSA_SEGMENT_BASE, 8, start->idt_base},
        {VMSA_TR + VMSA_SEGMENT_ATTRIBUTES, 2, 0x08B},
        {VMSA_TR + VMSA_SEGMENT_LIMIT, 4, 0xFFFF},
        {VMSA_EFER, 8, start->efer | EFER_SVME},
        {VMSA_CR4, 8, start->cr4},
        {VMSA_CR3, 8, start->cr3},
        {VMSA_CR0, 8, start->cr0},
        {VMSA_DR7, 8, 0x400},
        {VMSA_DR6, 8, 0xFFFF0FF0},
        {VMSA_RFLAGS, 8, RFLAGS_FIXED},
        {VMSA_RIP, 8, start->rip},
        {VMSA_G_PAT, 8, 0x0007040600070406},
        {VMSA_RDX, 8, launch_signature(config)},
        {VMSA_SEV_FEATURES, 8, config->sev_features},
        {VMSA_VIRTUAL_TOM, 8, config->virtual_tom},
        {VMSA_XCR0, 8, 1},
        {VMSA_MXCSR, 4, 0x1F80},
        {VMSA_X87_FCW, 2, 0x37F},
    };

    memset(page, 0, VMSA_SIZE);
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        store(page + fields[i].offset, fields[i].value, fields[i].size);
    }
}

static int launch_vcpu(struct machine *machine, const struct image *image,
                       const struct hypervisor_config *config, struct error *error)
{
    const char *why;

    fill_boot_vmsa(&image->start, config, machine->state.launch_vmsa);
    machine->state.ghcb_msr = hypervisor_reset_msr(config);
    why = machine_vmrun(machine, MACHINE_LAUNCH_VMSA);
    return why ? error_set(error, SNPEMU_ERR_INPUT, "%s: the first vCPU cannot start: %s",
                           image->path, why)
               : 0;
}

int launch_psp(struct psp **psp, const struct hypervisor_config *config, uint64_t seed,
               struct error *error)
{
    struct psp_guest guest = {.policy = config->policy};

    _Static_assert(sizeof(guest.host_data) == sizeof(config->host_data), "HOST_DATA");
    memcpy(guest.host_data, config->host_data, sizeof(guest.host_data));
    return psp_new(psp, seed, &guest, error);
}

int launch_machine(struct machine *machine, const struct launch *launch, struct error *error)
{
    const struct image *image = launch->image;
    const struct hypervisor_config *config = launch->config;
    struct psp *psp = launch->psp;
    struct memory_slot slot[LAUNCH_SLOT_MAX];
    size_t slot_count;
    int status = launch_slots(slot, &slot_count, launch, error);

    if (status == 0) {
        status = machine_init(machine, slot, slot_count, launch->seed, decode_for_vcpu, error);
    }
    if (status != 0) {
        return status;
    }
    status = launch_pages(machine, image, error);
    if (status == 0) {
        launch_segments(machine, image);
        status = launch_measure(machine, image, psp, error);
    }
    if (status == 0 && launch->firmware) {
        status = launch_firmware(machine, launch, error);
    }
    if (status == 0) {
        status = launch_sections(machine, image, config, psp, error);
    }
    if (status == 0) {
        status = launch_prevalidated(machine, config, psp, error);
    }
    if (status == 0) {
        status = launch_vcpu(machine, image, config, error);
    }
    if (status == 0) {
        status = psp_launch_update(psp, LAUNCH_VMSA, 0, MACHINE_LAUNCH_VMSA_GPA,
                                   machine->state.launch_vmsa, error);
    }
    if (status != 0) {
        machine_release(machine);
    }
    return status;
}

/* The bytes of a segment that are others than those in memory. */
static void relaunch_segment(struct machine *machine, const struct image_segment *segment)
{
    uint64_t chunk;

    for (uint64_t done = 0; done < segment->file_size_bytes; done += chunk) {
        uint64_t gpa = segment->gpa + done;
        uint64_t left = segment->file_size_bytes - done;
        uint32_t page = memory_page(&machine->memory, gpa);

        chunk = PAGE_SIZE - (gpa & PAGE_MASK);
        chunk = chunk < left ? chunk : left;
        if (memcmp(memory_bytes(&machine->memory, page) + (gpa & PAGE_MASK), segment->bytes + done,
                   chunk) != 0) {
            memcpy(memory_bytes_for_write(&machine->memory, page) + (gpa & PAGE_MASK),
                   segment->bytes + done, chunk);
        }
    }
}

static bool same_layout(const struct image *a, const struct image *b)
{
    bool same = a->load_gpa == b->load_gpa && a->end_gpa == b->end_gpa &&
                a->memory_size_bytes == b->memory_size_bytes &&
                a->segment_count == b->segment_count && a->section_count == b->section_count;

    for (size_t i = 0; same && i < a->segment_count; i++) {
        same = a->segment[i].gpa == b->segment[i].gpa &&
               a->segment[i].file_size_bytes == b->segment[i].file_size_bytes;
    }
    for (size_t i = 0; same && i < a->section_count; i++) {
        same = a->section[i].type == b->section[i].type && a->section[i].gpa == b->section[i].gpa &&
               a->section[i].size_bytes == b->section[i].size_bytes;
    }
    return same;
}

int launch_again(struct machine *machine, const struct image *was, const struct image *image,
                 const struct hypervisor_config *config, struct error *error)
{
    if (!same_layout(was, image)) {
        return error_set(error, SNPEMU_ERR_INPUT, "%s: its layout is not that of %s", image->path,
                         was->path);
    }
    for (size_t i = 0; i < image->segment_count; i++) {
        relaunch_segment(machine, &image->segment[i]);
    }
    return launch_vcpu(machine, image, config, error);
}
