/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The firmware of the SVSM's guest. Its bytes and the pages that its metadata names are launched
 * private and validated, and VMPL1 may do everything with them; secrets, CPUID page and calling
 * area are zero until the SVSM fills them. All other memory of the guest is the hypervisor's.
 *
 * Source: AMDESE/qemu branch svsm-preview-v4 target/i386/sev.c (sev_encrypt_data,
 * __snp_populate_metadata_pages, sev_snp_launch_finish; the launch update sets vmpl1_perms to
 * 0xf). Its copy of the last 128 KiB below 1 MiB is not made.
 */
#include <inttypes.h>
#include <string.h>

#include "abi/firmware.h"
#include "launch_internal.h"

#define GUEST_VMPL 1
#define GUEST_PERM (RMP_PERM_READ | RMP_PERM_WRITE | RMP_PERM_EXEC_USER | RMP_PERM_EXEC_SUPER)

/* ---- memory ---- */

/* A slot is whole 2 MiB; the guest gets what lies around in them, too. */
static struct memory_slot slot_around(uint64_t start, uint64_t size_bytes)
{
    uint64_t first = start & ~(LARGE_PAGE_SIZE - 1);
    uint64_t end = (start + size_bytes + LARGE_PAGE_SIZE - 1) & ~(LARGE_PAGE_SIZE - 1);

    return (struct memory_slot){.gpa = first,
                                .page_count = (uint32_t)((end - first) >> PAGE_SHIFT)};
}

static uint64_t slot_end(const struct memory_slot *slot)
{
    return slot->gpa + ((uint64_t)slot->page_count << PAGE_SHIFT);
}

/* Insert in the order of addresses; `what` is for the message when it overlaps another slot. */
static int slot_add(struct memory_slot *slots, size_t *count, const struct memory_slot *slot,
                    const char *what, struct error *error)
{
    size_t at = 0;

    for (size_t i = 0; i < *count; i++) {
        if (slot->gpa < slot_end(&slots[i]) && slots[i].gpa < slot_end(slot)) {
            return error_set(error, SNPEMU_ERR_INPUT,
                             "%s, gpa 0x%" PRIx64 " to 0x%" PRIx64
                             ", overlaps memory that begins at gpa 0x%" PRIx64
                             "; change guest_memory_mib, or run without firmware",
                             what, slot->gpa, slot_end(slot), slots[i].gpa);
        }
        at += slots[i].gpa < slot->gpa ? 1 : 0;
    }
    memmove(&slots[at + 1], &slots[at], (*count - at) * sizeof(*slots));
    slots[at] = *slot;
    (*count)++;
    return 0;
}

int launch_slots(struct memory_slot slot[LAUNCH_SLOT_MAX], size_t *count,
                 const struct launch *launch, struct error *error)
{
    const struct image *image = launch->image;
    const struct firmware *firmware = launch->firmware;
    uint64_t size =
        launch->memory_mib ? (uint64_t)launch->memory_mib << 20 : image->memory_size_bytes;
    struct memory_slot next;
    int status = 0;

    *count = 1;
    slot[0] = slot_around(image->load_gpa, size);
    if (firmware) {
        next = slot_around(0, (uint64_t)launch->guest_memory_mib << 20);
        status = slot_add(slot, count, &next, "the guest's memory", error);
    }
    if (firmware && status == 0) {
        next = slot_around(firmware->gpa, firmware->size_bytes);
        status = slot_add(slot, count, &next, "the firmware's memory", error);
    }
    return status;
}

/* ---- pages ---- */

/* A page with these contents; NULL: zero. */
static int launch_guest_page(struct machine *machine, struct psp *psp, uint64_t gpa,
                             const uint8_t *contents, struct error *error)
{
    uint32_t page = memory_page(&machine->memory, gpa);
    uint8_t *bytes = machine_launch_page(machine, page);

    rmp_launch_permit(&machine->rmp, page, GUEST_VMPL, GUEST_PERM);
    if (contents) {
        memcpy(bytes, contents, PAGE_SIZE);
    }
    return psp_launch_update(psp, contents ? LAUNCH_NORMAL : LAUNCH_ZERO, GUEST_PERM, gpa, bytes,
                             error);
}

static int launch_guest_section(struct machine *machine, const struct launch *launch, size_t index,
                                struct error *error)
{
    const struct firmware_section *section = &launch->firmware->section[index];
    uint64_t guest_memory = (uint64_t)launch->guest_memory_mib << 20;
    int status = 0;

    if (section->gpa + section->size_bytes > guest_memory) {
        return error_set(error, SNPEMU_ERR_INPUT,
                         "%s: SEV metadata section %zu, 0x%" PRIx32 " bytes at gpa 0x%" PRIx64
                         ", lies outside the guest's %" PRIu32 " MiB; raise guest_memory_mib",
                         launch->firmware->path, index, section->size_bytes, section->gpa,
                         launch->guest_memory_mib);
    }
    for (uint32_t at = 0; status == 0 && at < section->size_bytes; at += PAGE_SIZE) {
        status = launch_guest_page(machine, launch->psp, section->gpa + at, NULL, error);
    }
    return status;
}

int launch_firmware(struct machine *machine, const struct launch *launch, struct error *error)
{
    const struct firmware *firmware = launch->firmware;
    int status = 0;

    for (size_t at = 0; status == 0 && at < firmware->size_bytes; at += PAGE_SIZE) {
        status = launch_guest_page(machine, launch->psp, firmware->gpa + at, firmware->bytes + at,
                                   error);
    }
    for (size_t i = 0; status == 0 && i < firmware->section_count; i++) {
        status = launch_guest_section(machine, launch, i, error);
    }
    return status;
}

/* ---- files ---- */

static bool has_file(const struct fw_cfg_files *files, const char *name)
{
    for (size_t i = 0; i < files->count; i++) {
        if (strcmp(files->file[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

bool launch_firmware_files(struct fw_cfg_files *files, const struct firmware *firmware)
{
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {FIRMWARE_FILE_GPA, firmware->gpa},
        {FIRMWARE_FILE_SIZE, firmware->size_bytes},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!has_file(files, rows[i].name) &&
            !fw_cfg_add_file(files, rows[i].name, &rows[i].value, sizeof(rows[i].value))) {
            return false;
        }
    }
    return true;
}
