/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/page.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "abi/msr.h"
#include "abi/x86.h"
#include "ghcb/table.h"

/* A shared page as the host reads it. NULL when it is the guest's, or absent. */
static const uint8_t *shared_bytes(struct machine *machine, const struct hypervisor *hypervisor,
                                   uint64_t gpa)
{
    if (!hypervisor_shares(hypervisor, gpa)) {
        return NULL;
    }
    return memory_bytes(&machine->memory, memory_page(&machine->memory, gpa));
}

static void take_fields(const uint8_t *page, struct exit *exit)
{
    memcpy(&exit->version, page + GHCB_VERSION, sizeof(exit->version));
    memcpy(&exit->usage, page + GHCB_USAGE, sizeof(exit->usage));
    for (enum ghcb_field field = 0; field < FIELD_COUNT; field++) {
        const struct ghcb_field_row *row = &ghcb_field_rows[field];
        unsigned bit = GHCB_VALID_BIT(row->offset);

        exit->field[field] = ghcb_field_load(row, page);
        if (page[GHCB_VALID_BITMAP + bit / 8] & (1u << bit % 8)) {
            exit->marked |= FIELD_BIT(field);
        }
    }
}

/* How many bytes are worth a copy. */
static uint32_t scratch_wanted(const struct exit *exit)
{
    uint64_t used = exit->row->scratch_size ? exit->row->scratch_size(exit) : 0;

    if (used <= GHCB_SHARED_BUFFER_SIZE) {
        return GHCB_SHARED_BUFFER_SIZE;
    }
    return used < EXIT_SCRATCH_MAX ? (uint32_t)used : EXIT_SCRATCH_MAX;
}

/* How much of the scratch area the host can read: the GHCB's own buffer, or other shared memory. */
static void take_scratch(struct machine *machine, const struct hypervisor *hypervisor,
                         struct exit *exit)
{
    uint64_t gpa = exit->field[FIELD_SCRATCH];
    uint64_t end = exit->ghcb_gpa + GHCB_SHARED_BUFFER + GHCB_SHARED_BUFFER_SIZE;
    uint32_t size = scratch_wanted(exit);

    if (!exit_marked(exit, FIELD_SCRATCH)) {
        return;
    }
    if ((gpa & ~PAGE_MASK) == exit->ghcb_gpa) {
        if (gpa < exit->ghcb_gpa + GHCB_SHARED_BUFFER || gpa >= end) {
            return;
        }
        size = (uint32_t)(end - gpa);
    }
    exit->scratch_gpa = gpa;
    while (exit->scratch_size_bytes < size) {
        uint32_t at = exit->scratch_size_bytes;
        const uint8_t *page = shared_bytes(machine, hypervisor, (gpa + at) & ~PAGE_MASK);
        uint32_t chunk = (uint32_t)(PAGE_SIZE - ((gpa + at) & PAGE_MASK));

        if (!page || gpa + at < gpa) {
            return;
        }
        chunk = chunk < size - at ? chunk : size - at;
        memcpy(exit->scratch + at, page + ((gpa + at) & PAGE_MASK), chunk);
        exit->scratch_size_bytes += chunk;
    }
}

static void take_request(struct machine *machine, const struct hypervisor *hypervisor,
                         struct exit *exit)
{
    uint64_t gpa = exit_field(exit, FIELD_INFO1);
    const uint8_t *page;

    if (!(exit->row->flags & EXIT_MESSAGE) || (gpa & PAGE_MASK)) {
        return;
    }
    page = shared_bytes(machine, hypervisor, gpa);
    if (page) {
        memcpy(exit->request, page, EXIT_REQUEST_SIZE);
        exit->request_size_bytes = EXIT_REQUEST_SIZE;
    }
}

static const struct exit_row *page_row(const struct exit *exit)
{
    const struct exit_row *row;

    if (exit->usage != GHCB_USAGE_STANDARD || !exit_marked(exit, FIELD_CODE)) {
        return &exit_row_malformed;
    }
    row = exit_row_by_code(EXIT_PAGE, exit->field[FIELD_CODE]);
    return row ? row : &exit_row_unknown_nae;
}

static bool take_page(struct machine *machine, const struct hypervisor *hypervisor,
                      struct exit *exit, char *why, size_t why_size)
{
    const struct vcpu_level *level = vcpus_current_level(&hypervisor->vcpus);
    const uint8_t *page = NULL;
    const char *reason = "is not registered";

    exit->protocol = EXIT_PAGE;
    exit->ghcb_gpa = exit->msr;
    if (level->registered && level->registered_gpa == exit->ghcb_gpa) {
        page = shared_bytes(machine, hypervisor, exit->ghcb_gpa);
        reason = "is not a shared page";
    }
    if (!page) {
        snprintf(why, why_size, "GHCB at gpa 0x%llx %s", (unsigned long long)exit->ghcb_gpa,
                 reason);
        return false;
    }
    take_fields(page, exit);
    exit->row = page_row(exit);
    take_scratch(machine, hypervisor, exit);
    take_request(machine, hypervisor, exit);
    return true;
}

bool ghcb_take_exit(struct machine *machine, const struct hypervisor *hypervisor, struct exit *exit,
                    char *why, size_t why_size)
{
    uint64_t info = machine->state.ghcb_msr & GHCB_MSR_INFO_MASK;

    memset(exit, 0, offsetof(struct exit, scratch)); /* of these, size_bytes says what is set */
    exit->msr = machine->state.ghcb_msr;
    exit->time = vcpu_retired(machine->vcpu);
    exit->vcpu = hypervisor->vcpus.current;
    exit->vmpl = hypervisor->vcpus.current_vmpl;
    exit->apic_id = vcpus_current(&hypervisor->vcpus)->apic_id;
    if (info == GHCB_MSR_PAGE) {
        if (!take_page(machine, hypervisor, exit, why, why_size)) {
            return false;
        }
    } else {
        exit->protocol = EXIT_MSR;
        exit->row = exit_row_by_code(EXIT_MSR, info);
        if (!exit->row) {
            exit->row = &exit_row_unknown_msr;
        }
    }
    exit->name = exit->row->name;
    return true;
}
