/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <string.h>

#include "coverage.h"

void coverage_mistake(struct coverage *coverage, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("spec-coverage: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    coverage->mistakes++;
}

static void check_row(struct coverage *coverage, const struct coverage_row *row)
{
    if (!row->source || !*row->source) {
        coverage_mistake(coverage, "row %s: it names no source", row->key);
    }
    if (row->fixtures.count == 0 && !row->exempt) {
        coverage_mistake(coverage, "row %s: no fixture exercises it", row->key);
    }
    if (row->fixtures.count > 0 && row->exempt) {
        coverage_mistake(coverage, "row %s: %s exercises it, so its exemption can go", row->key,
                         row->fixtures.name[0]);
    }
}

void coverage_check(struct coverage *coverage)
{
    for (size_t i = 0; i < coverage->row_count; i++) {
        check_row(coverage, &coverage->row[i]);
    }
    for (size_t i = 0; i < coverage->case_count; i++) {
        const struct coverage_case *this = &coverage->guest_case[i];

        if (!this->proven) {
            coverage_mistake(coverage, "case %s:%s: no golden trace shows it%s", this->guest,
                             this->name,
                             this->flags & CASE_ALONE ? "; it needs a scenario of its own" : "");
        }
    }
}
