/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ghcb/table.h"

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
