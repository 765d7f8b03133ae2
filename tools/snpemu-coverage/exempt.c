/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows that need no fixture, each with the reason. A row that has one all the same makes its
 * exemption a mistake.
 */
#include <string.h>

#include "coverage.h"

#define OWNER "no scenario can put a page into this state yet; tests/test_rmp.c has the row"
#define SPLIT "the host splits the entry first, so no guest gets here; tests/test_rmp.c has the row"
#define VMPL "VMPLs below 0 do not run yet; tests/test_rmp.c has the row"

static const struct {
    const char *key, *why;
} exemptions[] = {
    {"access/private-read-other-guest", OWNER},
    {"access/private-read-other-gpa", OWNER},
    {"access/private-read-immutable", OWNER},
    {"access/private-read-2m-entry", SPLIT},
    {"access/private-read-vmpl-denied", VMPL},
    {"access/private-write-other-guest", OWNER},
    {"access/private-write-other-gpa", OWNER},
    {"access/private-write-immutable", OWNER},
    {"access/private-write-2m-entry", SPLIT},
    {"access/private-write-vmpl-denied", VMPL},
    {"access/fetch-other-guest", OWNER},
    {"access/fetch-other-gpa", OWNER},
    {"access/fetch-immutable", OWNER},
    {"access/fetch-2m-entry", SPLIT},
    {"access/fetch-vmpl-denied", VMPL},
    {"access/walk-other-guest", OWNER},
    {"access/walk-other-gpa", OWNER},
    {"access/walk-immutable", OWNER},
    {"access/walk-2m-entry", SPLIT},
    {"access/walk-vmpl-denied", VMPL},
};

void coverage_exempt(struct coverage *coverage)
{
    for (size_t i = 0; i < sizeof(exemptions) / sizeof(exemptions[0]); i++) {
        const char *key = exemptions[i].key;
        struct coverage_row *row = coverage_find(coverage, key, strlen(key));

        if (!row) {
            coverage_mistake(coverage, "exemption of %s: there is no such row", key);
        } else {
            row->exempt = exemptions[i].why;
        }
    }
}
