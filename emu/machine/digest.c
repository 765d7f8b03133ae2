/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/digest.h"

#include <gcrypt.h>
#include <string.h>

#include "abi/msr.h"

static void digest_word(gcry_md_hd_t hash, uint64_t value)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(value >> 8 * i);
    }
    gcry_md_write(hash, bytes, sizeof(bytes));
}

static void digest_registers(gcry_md_hd_t hash, const struct machine *machine)
{
    static const uint32_t msrs[] = {MSR_EFER,           MSR_STAR,    MSR_LSTAR,
                                    MSR_CSTAR,          MSR_SFMASK,  MSR_FS_BASE,
                                    MSR_KERNEL_GS_BASE, MSR_TSC_AUX, MSR_PAT};
    struct vcpu_segment segment[VCPU_SEGMENT_COUNT];
    struct vcpu_table table;
    struct vcpu_fpu fpu;
    uint8_t xmm[16];

    for (enum vcpu_register reg = 0; reg < VCPU_REGISTER_COUNT; reg++) {
        digest_word(hash, vcpu_get(machine->vcpu, reg));
    }
    for (enum vcpu_table_register reg = 0; reg < VCPU_TABLE_COUNT; reg++) {
        vcpu_get_table(machine->vcpu, reg, &table);
        digest_word(hash, table.selector);
        digest_word(hash, table.base);
        digest_word(hash, table.limit);
    }
    vcpu_get_segments(machine->vcpu, segment);
    for (unsigned reg = 0; reg < VCPU_SEGMENT_COUNT; reg++) {
        digest_word(hash, segment[reg].attributes);
        digest_word(hash, segment[reg].limit);
        digest_word(hash, segment[reg].base);
    }
    digest_word(hash, vcpu_cpl(machine->vcpu));
    digest_word(hash, vcpu_get_xcr0(machine->vcpu));
    vcpu_get_fpu(machine->vcpu, &fpu);
    digest_word(hash, fpu.status);
    digest_word(hash, fpu.tags);
    gcry_md_write(hash, fpu.x87, sizeof(fpu.x87));
    for (size_t i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++) {
        digest_word(hash, vcpu_get_msr(machine->vcpu, msrs[i]));
    }
    for (unsigned number = 0; number < VCPU_XMM_COUNT; number++) {
        vcpu_get_xmm(machine->vcpu, number, xmm);
        gcry_md_write(hash, xmm, sizeof(xmm));
    }
    digest_word(hash, vcpu_retired(machine->vcpu));
    digest_word(hash, machine->state.ghcb_msr);
    digest_word(hash, machine->state.sev_features);
    digest_word(hash, machine->state.random);
    digest_word(hash, machine->state.vmsa_gpa);
    digest_word(hash, machine->state.vmsa_page);
    digest_word(hash, vcpu_vmpl(machine->vcpu));
    gcry_md_write(hash, machine->state.launch_vmsa, sizeof(machine->state.launch_vmsa));
    digest_word(hash, machine->state.virtual_tom);
}

/* Pages are numbered by slot, and slots are in the order of their GPAs. */
static void digest_pages(gcry_md_hd_t hash, struct machine *machine)
{
    const struct memory *memory = &machine->memory;

    for (uint32_t page = 0; page < memory->page_count; page++) {
        if (memory->flags[page] & MEMORY_TOUCHED) {
            digest_word(hash, memory_gpa(memory, page));
            gcry_md_write(hash, memory->ram + (size_t)page * PAGE_SIZE, PAGE_SIZE);
        }
    }
}

/* What the host arranged otherwise than usual: where guest pages lead, and to whom pages belong. */
static void digest_host(gcry_md_hd_t hash, const struct machine *machine)
{
    const struct memory *memory = &machine->memory;
    const struct rmp *rmp = &machine->rmp;

    for (uint32_t page = 0; memory->nested && page < memory->page_count; page++) {
        if (memory->nested[page] != page) {
            digest_word(hash, page);
            digest_word(hash, memory->nested[page]);
        }
    }
    for (uint32_t page = 0; page < rmp->page_count; page++) {
        if (rmp->entry[page].flags & RMP_AWAY) {
            digest_word(hash, page);
            digest_word(hash, rmp_asid(rmp, page));
            digest_word(hash, rmp_guest_page(rmp, page));
        }
    }
}

static int digest_open(gcry_md_hd_t *hash, struct error *error)
{
    return gcry_check_version(GCRYPT_VERSION) && gcry_md_open(hash, GCRY_MD_SHA256, 0) == 0
               ? 0
               : error_set(error, SNPEMU_ERR_INTERNAL, "SHA-256 is not available");
}

int digest_bytes(const void *bytes, size_t size_bytes, uint8_t digest[DIGEST_SIZE],
                 struct error *error)
{
    gcry_md_hd_t hash;
    int status = digest_open(&hash, error);

    if (status == 0) {
        gcry_md_write(hash, bytes, size_bytes);
        memcpy(digest, gcry_md_read(hash, GCRY_MD_SHA256), DIGEST_SIZE);
        gcry_md_close(hash);
    }
    return status;
}

int digest_machine(struct machine *machine, const void *extra, size_t extra_size_bytes,
                   uint8_t digest[DIGEST_SIZE], struct error *error)
{
    gcry_md_hd_t hash;
    int status = digest_open(&hash, error);

    if (status != 0) {
        return status;
    }
    digest_registers(hash, machine);
    digest_pages(hash, machine);
    gcry_md_write(hash, machine->rmp.entry, machine->rmp.page_count * sizeof(*machine->rmp.entry));
    digest_host(hash, machine);
    gcry_md_write(hash, extra, extra_size_bytes);
    memcpy(digest, gcry_md_read(hash, GCRY_MD_SHA256), DIGEST_SIZE);
    gcry_md_close(hash);
    return 0;
}
