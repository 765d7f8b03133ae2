/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows that need no fixture, each with the reason. A row that has one all the same makes its
 * exemption a mistake.
 */
#include <string.h>

#include "coverage.h"

/* To the first without a key. */
static const struct {
    const char *key, *why;
} exemptions[] = {
    {NULL, NULL},
};

void coverage_exempt(struct coverage *coverage)
{
    for (size_t i = 0; exemptions[i].key; i++) {
        const char *key = exemptions[i].key;
        struct coverage_row *row = coverage_find(coverage, key, strlen(key));

        if (!row) {
            coverage_mistake(coverage, "exemption of %s: there is no such row", key);
        } else {
            row->exempt = exemptions[i].why;
        }
    }
}
