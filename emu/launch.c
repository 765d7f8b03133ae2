/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "launch.h"

#include <string.h>

#include "abi/cpuid.h"
#include "abi/msr.h"
#include "abi/svsm.h"
#include "abi/x86.h"
#include "trap/decode.h"

#define SECRETS_VERSION 3
#define SECRETS_VMPCK 0x20
#define SECRETS_VMPCK_SIZE (4 * 32)

static void store(uint8_t *bytes, uint64_t value, size_t size)
{
    memcpy(bytes, &value, size);
}

/* ---- metadata pages ---- */

typedef void section_fill(struct machine *machine, const struct hypervisor_config *config,
                          uint8_t *page);

/* Version and the four VMPL communication keys; the keys come from the seed. AMD 56860. */
static void fill_secrets(struct machine *machine, const struct hypervisor_config *config,
                         uint8_t *page)
{
    (void)config;
    store(page, SECRETS_VERSION, 4);
    for (size_t at = 0; at < SECRETS_VMPCK_SIZE; at += 8) {
        store(page + SECRETS_VMPCK + at, machine_random(machine), 8);
    }
}

static void fill_cpuid(struct machine *machine, const struct hypervisor_config *config,
                       uint8_t *page)
{
    (void)machine;
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

/*
 * The x86 reset state as a VMSA at VMPL1. Offsets: AMD APM Vol 2 (24593) appendix B, table B-4;
 * values: sev_svsm_set_vmpl1_vmsa.
 */
static void fill_bios_vmsa(struct machine *machine, const struct hypervisor_config *config,
                           uint8_t *page)
{
    static const struct {
        uint16_t offset;
        uint8_t size;
        uint64_t value;
    } fields[] = {
        {0x010, 2, 0xF000},
        {0x012, 2, 0x09B},
        {0x014, 4, 0xFFFF},
        {0x018, 8, 0xFFFF0000},
        {0x002, 2, 0x093},
        {0x004, 4, 0xFFFF},
        {0x022, 2, 0x093},
        {0x024, 4, 0xFFFF},
        {0x032, 2, 0x093},
        {0x034, 4, 0xFFFF},
        {0x042, 2, 0x093},
        {0x044, 4, 0xFFFF},
        {0x052, 2, 0x093},
        {0x054, 4, 0xFFFF},
        {0x064, 4, 0xFFFF},
        {0x084, 4, 0xFFFF},
        {0x072, 2, 0x082},
        {0x074, 4, 0xFFFF},
        {0x092, 2, 0x08B},
        {0x094, 4, 0xFFFF},
        {0x0CA, 1, 1},
        {0x0D0, 8, EFER_SVME},
        {0x148, 8, 0x40},
        {0x158, 8, 0x10},
        {0x160, 8, 0x400},
        {0x168, 8, 0xFFFF0FF0},
        {0x170, 8, 0x2},
        {0x178, 8, 0xFFF0},
        {0x268, 8, 0x0007040600070406},
        {0x310, 8, 0x00A00F11},
        {0x3B0, 8, 1},
        {0x3E8, 8, 1},
    };

    (void)machine;
    (void)config;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        store(page + fields[i].offset, fields[i].value, fields[i].size);
    }
}

static section_fill *section_filler(uint32_t type)
{
    switch (type) {
    case SVSM_SECTION_SECRETS:
        return fill_secrets;
    case SVSM_SECTION_CPUID:
        return fill_cpuid;
    case SVSM_SECTION_BIOS_VMSA:
        return fill_bios_vmsa;
    default:
        return NULL;
    }
}

static int launch_sections(struct machine *machine, const struct image *image,
                           const struct hypervisor_config *config, struct error *error)
{
    for (size_t i = 0; i < image->section_count; i++) {
        const struct image_section *section = &image->section[i];
        section_fill *fill = section_filler(section->type);

        if (!fill) {
            return error_set(error, SNPEMU_ERR_INPUT,
                             "%s: launch metadata section %zu has type %u, which is not known",
                             image->path, i, section->type);
        }
        for (uint64_t at = 0; at < section->size_bytes; at += PAGE_SIZE) {
            uint32_t page = memory_page(&machine->memory, section->gpa + at);
            uint8_t *bytes;

            if (page == MEMORY_NO_PAGE) {
                return error_set(error, SNPEMU_ERR_INPUT,
                                 "%s: launch metadata section %zu lies outside the %u MiB of "
                                 "guest memory; raise memory_mib",
                                 image->path, i, machine->memory.page_count / 256);
            }
            bytes = machine_launch_page(machine, page);
            if (at == 0) {
                fill(machine, config, bytes);
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
                             "%s: the image needs more than %u MiB of guest memory; raise "
                             "memory_mib",
                             image->path, machine->memory.page_count / 256);
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

static int launch_prevalidated(struct machine *machine, const struct hypervisor_config *config,
                               struct error *error)
{
    for (size_t i = 0; i < config->prevalidated_count; i++) {
        uint32_t page = memory_page(&machine->memory, config->prevalidated[i]);

        if (page == MEMORY_NO_PAGE) {
            return error_set(error, SNPEMU_ERR_INPUT,
                             "host.prevalidated: there is no guest memory at gpa 0x%llx",
                             (unsigned long long)config->prevalidated[i]);
        }
        machine_launch_page(machine, page);
        memory_set_flag(&machine->memory, page, MEMORY_HOST_FAULT);
    }
    return 0;
}

static void launch_vcpu(struct machine *machine, const struct image *image,
                        const struct hypervisor_config *config)
{
    const struct image_start *start = &image->start;
    struct vcpu *vcpu = machine->vcpu;

    vcpu_enter_long_mode(vcpu, start->cr0, start->cr3, start->cr4, start->efer);
    vcpu_set_table(vcpu, VCPU_GDTR,
                   &(struct vcpu_table){.base = start->gdt_base, .limit = start->gdt_limit});
    vcpu_set_table(vcpu, VCPU_IDTR,
                   &(struct vcpu_table){.base = start->idt_base, .limit = start->idt_limit});
    vcpu_set_table(vcpu, VCPU_TR, &(struct vcpu_table){0});
    vcpu_set_table(vcpu, VCPU_LDTR, &(struct vcpu_table){0});
    vcpu_set(vcpu, VCPU_CS, start->cs_selector);
    vcpu_set(vcpu, VCPU_RFLAGS, RFLAGS_FIXED);
    vcpu_set(vcpu, VCPU_RIP, start->rip);
    /* The processor's signature is in RDX after reset, which the launcher starts from. */
    for (size_t i = 0; i < config->cpuid_count; i++) {
        if (config->cpuid[i].eax_in == 1) {
            vcpu_set(vcpu, VCPU_RDX, config->cpuid[i].eax);
        }
    }
    machine->state.sev_features = config->sev_features;
    machine_set_virtual_tom(machine, config->virtual_tom);
    /* At reset the MSR holds a version answer already. */
    machine->state.ghcb_msr = (uint64_t)config->version_max << GHCB_MSR_SEV_INFO_MAX_SHIFT |
                              (uint64_t)config->version_min << GHCB_MSR_SEV_INFO_MIN_SHIFT |
                              (uint64_t)config->cbit << GHCB_MSR_SEV_INFO_CBIT_SHIFT |
                              GHCB_MSR_SEV_INFO_RESP;
}

int launch_machine(struct machine *machine, const struct image *image,
                   const struct hypervisor_config *config, uint32_t memory_mib, uint64_t seed,
                   struct error *error)
{
    uint64_t size = memory_mib ? (uint64_t)memory_mib << 20 : image->memory_size_bytes;
    uint64_t start = image->load_gpa & ~(LARGE_PAGE_SIZE - 1);
    uint64_t end = (image->load_gpa + size + LARGE_PAGE_SIZE - 1) & ~(LARGE_PAGE_SIZE - 1);
    struct memory_slot slot = {
        .gpa = start,
        .page_count = (uint32_t)((end - start) >> PAGE_SHIFT),
    };
    int status = machine_init(machine, &slot, 1, seed, decode_for_vcpu, error);

    if (status != 0) {
        return status;
    }
    status = launch_pages(machine, image, error);
    if (status == 0) {
        launch_segments(machine, image);
        status = launch_sections(machine, image, config, error);
    }
    if (status == 0) {
        status = launch_prevalidated(machine, config, error);
    }
    if (status == 0) {
        launch_vcpu(machine, image, config);
    } else {
        machine_release(machine);
    }
    return status;
}
