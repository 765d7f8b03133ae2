/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libFuzzer calls. SNPEMU_FUZZ_SUBJECT names the scenario or image; else it is faults.elf. */
#include <stdlib.h>

#include "fuzz_gdb.h"

#define BUDGET 60000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct table *table;

    if (!table) {
        const char *path = getenv("SNPEMU_FUZZ_SUBJECT");

        table = calloc(1, sizeof(*table));
        if (!table) {
            abort();
        }
        table_open(table, path ? path : "faults", BUDGET);
    }
    fuzz_gdb_bytes(table, data, size);
    return 0;
}
