/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/exit.h"

#include "abi/msr.h"
#include "abi/nae.h"
#include "abi/x86.h"
#include "ghcb/table.h"

bool exit_marked(const struct exit *exit, enum ghcb_field field)
{
    return exit->marked & FIELD_BIT(field);
}

bool exit_marked_all(const struct exit *exit, uint32_t fields)
{
    return (exit->marked & fields) == fields;
}

uint64_t exit_field(const struct exit *exit, enum ghcb_field field)
{
    return exit_marked(exit, field) ? exit->field[field] : 0;
}

enum exit_scratch exit_scratch_check(const struct exit *exit, uint64_t length)
{
    uint64_t start = exit_field(exit, FIELD_SCRATCH);
    uint64_t end = start + length;

    if (start == 0 || end < start) {
        return SCRATCH_BAD;
    }
    if ((start & ~PAGE_MASK) == exit->ghcb_gpa) {
        uint64_t buffer = exit->ghcb_gpa + GHCB_SHARED_BUFFER;

        if (start < buffer || end > buffer + GHCB_SHARED_BUFFER_SIZE) {
            return SCRATCH_BAD;
        }
    } else if (length > EXIT_SCRATCH_MAX) {
        return SCRATCH_BAD;
    }
    return length <= exit->scratch_size_bytes ? SCRATCH_OK : SCRATCH_UNREADABLE;
}

bool exit_termination(const struct exit *exit, uint8_t *set, uint8_t *code)
{
    const uint32_t common = FIELD_BIT(FIELD_CODE) | FIELD_BIT(FIELD_INFO1) | FIELD_BIT(FIELD_INFO2);
    uint64_t reason = exit->field[FIELD_INFO1];

    if (!(exit->row->flags & EXIT_TERMINATES)) {
        return false;
    }
    if (exit->protocol == EXIT_MSR) {
        *set = (exit->msr >> GHCB_MSR_TERM_SET_SHIFT) & 0xF;
        *code = (exit->msr >> GHCB_MSR_TERM_CODE_SHIFT) & 0xFF;
        return true;
    }
    *set = (reason >> NAE_TERM_SET_SHIFT) & 0xF;
    *code = (reason >> NAE_TERM_CODE_SHIFT) & 0xFF;
    return exit_marked_all(exit, common);
}
