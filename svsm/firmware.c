/* SPDX-License-Identifier: MIT */
/*
 * The guest's first program: told where its SVSM is, given the boot CPU's VMSA at VMPL1, and
 * started.
 *
 * Behaviour as published: AMDESE/linux-svsm a2d150f959ed, src/bios.rs, src/cpu/smp.rs.
 */
#include "firmware.h"

#include "abi/firmware.h"
#include "cpu.h"
#include "features.h"
#include "firmware_table.h"
#include "fw_cfg.h"
#include "guest_memory.h"
#include "percpu.h"
#include "protocol.h"
#include "vc.h"
#include "vmsa.h"
#include "vmsa_list.h"
#include "window.h"

/* The three pages that follow the image. */
#define SECRETS_PAGE (edata)
#define CPUID_PAGE (edata + PAGE_SIZE)
#define BIOS_VMSA_PAGE (edata + 2 * PAGE_SIZE)

#define VMPCK_SIZE 32
#define SOFTWARE_AREA_SIZE 160

/* As much of the secrets page as the firmware is given. AMD 56860, secrets page. */
struct secrets {
    u8 header[32];
    u8 vmpck0[VMPCK_SIZE];
    u8 vmpck_1_to_3[3 * VMPCK_SIZE];
    u8 software_area[SOFTWARE_AREA_SIZE];
    u64 svsm_base;
    u64 svsm_size;
    u64 svsm_caa;
    u32 svsm_max_version;
    u8 svsm_guest_vmpl;
    u8 reserved[3];
};
_Static_assert(offsetof(struct secrets, svsm_base) == SECRETS_SVSM_BASE, "abi/firmware.h");
_Static_assert(offsetof(struct secrets, vmpck0) == SECRETS_VMPCK0, "abi/firmware.h");
_Static_assert(offsetof(struct secrets, svsm_guest_vmpl) == SECRETS_SVSM_GUEST_VMPL,
               "abi/firmware.h");

static _Noreturn void firmware_fail(void)
{
    vc_fail(SVSM_FAIL_FIRMWARE_FORMAT);
}

static void find_firmware(struct firmware *firmware)
{
    if (!fw_cfg_bios_area(&firmware->gpa, &firmware->size_bytes)) {
        vc_fail(SVSM_FAIL_FW_CFG_NO_FIRMWARE);
    }
    if (!guest_range_valid(firmware->gpa, firmware->size_bytes)) {
        vc_fail(SVSM_FAIL_FW_CFG_FIRMWARE_RANGE);
    }
}

static void find_section(const struct firmware *firmware, u32 type, u64 size_bytes_min,
                         struct firmware_section *section)
{
    if (!firmware_find_section(firmware, type, section) || section->size_bytes < size_bytes_min) {
        firmware_fail();
    }
}

/* One that does not begin a page could not be protected by itself: a call to remap refuses it. */
static u64 find_calling_area(const struct firmware *firmware)
{
    struct firmware_section section;

    find_section(firmware, FIRMWARE_SECTION_CALLING_AREA, sizeof(u32), &section);
    if (section.gpa % PAGE_SIZE != 0 || !guest_range_valid(section.gpa, PAGE_SIZE)) {
        firmware_fail();
    }
    return section.gpa;
}

/* The guest may not use the key with which the AMD-SP knows VMPL0. */
static void write_secrets(const struct firmware *firmware, u64 caa_gpa)
{
    struct firmware_section section;
    struct secrets secrets;

    find_section(firmware, FIRMWARE_SECTION_SECRETS, sizeof(secrets), &section);
    memcpy(&secrets, SECRETS_PAGE, sizeof(secrets));
    memset(secrets.vmpck0, 0, sizeof(secrets.vmpck0));
    secrets.svsm_base = va_to_gpa(svsm_begin);
    secrets.svsm_size = svsm_end - svsm_begin;
    secrets.svsm_caa = caa_gpa;
    secrets.svsm_max_version = CORE_PROTOCOL_VERSION;
    secrets.svsm_guest_vmpl = GUEST_VMPL;
    if (!guest_write(section.gpa, &secrets, sizeof(secrets))) {
        firmware_fail();
    }
}

static void write_cpuid(const struct firmware *firmware)
{
    struct firmware_section section;
    u64 size_bytes;

    find_section(firmware, FIRMWARE_SECTION_CPUID, 1, &section);
    size_bytes = section.size_bytes < PAGE_SIZE ? section.size_bytes : PAGE_SIZE;
    if (!guest_write(section.gpa, CPUID_PAGE, size_bytes)) {
        firmware_fail();
    }
}

/* A copy of the measured one. What is wrong with it is said, not mended: the host put it there. */
static u64 create_vmsa(void)
{
    u64 gpa = vmsa_allocate();
    struct vmsa *vmsa = (struct vmsa *)gpa_to_va(gpa);

    memcpy(vmsa, BIOS_VMSA_PAGE, sizeof(*vmsa));
    if (vmsa->vmpl != GUEST_VMPL) {
        vc_fail(SVSM_FAIL_FIRMWARE_VMPL);
    }
    if ((vmsa->sev_features & VMPL1_FEATURES_REQUIRED) != VMPL1_FEATURES_REQUIRED ||
        (vmsa->sev_features & VMPL1_FEATURES_REFUSED) != 0) {
        vc_fail(SVSM_FAIL_FIRMWARE_FEATURES);
    }
    return gpa;
}

static void set_permissions(u64 va, u64 attributes)
{
    if (guest_rmpadjust(va, RMP_SIZE_4K, attributes) != RMP_SUCCESS) {
        vc_fail(SVSM_FAIL_FIRMWARE_PERMISSIONS);
    }
}

/*
 * VMPL1 may use the calling area, and read the VMSA but not change it: its VMPL is in there.
 * Nothing has run below VMPL0 yet, so there is nothing to flush.
 */
static void protect(u64 caa_gpa, u64 vmsa_gpa)
{
    u64 caa = window_map(WINDOW_PAGE, caa_gpa);
    u64 vmsa = gpa_to_va(vmsa_gpa);

    set_permissions(caa, ATTRIBUTES_ALL | GUEST_VMPL);
    set_permissions(vmsa, ATTRIBUTES_READ | GUEST_VMPL);
    for (u64 vmpl = GUEST_VMPL + 1; vmpl < VMPL_COUNT; vmpl++) {
        set_permissions(caa, vmpl);
        set_permissions(vmsa, vmpl);
    }
    set_permissions(vmsa, ATTRIBUTES_READ_VMSA | GUEST_VMPL);
    window_unmap(WINDOW_PAGE);
}

void firmware_start(void)
{
    struct firmware firmware;
    u64 caa_gpa;
    u64 vmsa_gpa;

    find_firmware(&firmware);
    caa_gpa = find_calling_area(&firmware);
    write_secrets(&firmware, caa_gpa);
    write_cpuid(&firmware);

    vmsa_gpa = create_vmsa();
    percpu_set_u64(0, PERCPU_VMSA + GUEST_VMPL * sizeof(u64), vmsa_gpa);
    percpu_set_u64(0, PERCPU_CAA + GUEST_VMPL * sizeof(u64), caa_gpa);
    protect(caa_gpa, vmsa_gpa);
    vmsa_list_add(vmsa_gpa, 0);

    vc_ap_create((const struct vmsa *)gpa_to_va(vmsa_gpa), vmsa_gpa, percpu_apic_id(0));
}
