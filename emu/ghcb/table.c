/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/table.h"

#include <stdio.h>
#include <string.h>

const struct exit_row *exit_row_by_code(enum exit_protocol protocol, uint64_t code)
{
    const struct exit_row *rows = protocol == EXIT_MSR ? exit_msr_rows : exit_nae_rows;
    size_t count = protocol == EXIT_MSR ? exit_msr_row_count : exit_nae_row_count;

    for (size_t i = 0; i < count; i++) {
        if (rows[i].code == code) {
            return &rows[i];
        }
    }
    return NULL;
}

static const struct exit_row *rows_find(const struct exit_row *rows, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

const struct exit_row *exit_row_by_name(const char *name)
{
    const struct exit_row *row = rows_find(exit_msr_rows, exit_msr_row_count, name);

    if (!row) {
        row = rows_find(exit_nae_rows, exit_nae_row_count, name);
    }
    return row;
}

size_t exit_buffers(const struct hypervisor *hypervisor, const struct exit *exit,
                    struct exit_buffer buffer[EXIT_BUFFER_MAX])
{
    struct exit_buffer all[EXIT_BUFFER_MAX];
    size_t count = exit->row->buffers ? exit->row->buffers(hypervisor, exit, all) : 0, kept = 0;

    for (size_t i = 0; i < count; i++) {
        struct exit_buffer *one = &all[i];
        uint64_t room = UINT64_MAX - one->gpa;

        one->size_bytes = one->size_bytes < room ? one->size_bytes : room;
        one->size_bytes = hypervisor_writable(hypervisor, one->gpa, one->size_bytes);
        if (one->passed_bytes > one->size_bytes) {
            one->passed_bytes = one->size_bytes;
        }
        if (one->size_bytes) {
            buffer[kept++] = *one;
        }
    }
    return kept;
}

void exit_say_words(const struct exit *exit, char *text, size_t size)
{
    snprintf(text, size, "%s", exit->row->words);
}

void exit_say_raw(const struct exit *exit, char *text, size_t size)
{
    if (exit->protocol == EXIT_MSR) {
        snprintf(text, size, "GHCB MSR request 0x%llx", (unsigned long long)exit->msr);
    } else {
        snprintf(text, size, "event 0x%llx, info1 0x%llx, info2 0x%llx",
                 (unsigned long long)exit->field[FIELD_CODE],
                 (unsigned long long)exit->field[FIELD_INFO1],
                 (unsigned long long)exit->field[FIELD_INFO2]);
    }
}
