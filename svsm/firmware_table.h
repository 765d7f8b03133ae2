/* SPDX-License-Identifier: MIT */
/* What a firmware image says about itself. */
#ifndef SVSM_FIRMWARE_TABLE_H
#define SVSM_FIRMWARE_TABLE_H

#include "svsm.h"

struct firmware {
    u64 gpa;
    u64 size_bytes;
};

/* A place that the firmware keeps free for its launcher. */
struct firmware_section {
    u32 gpa;
    u32 size_bytes;
    u32 type;
};

#pragma GCC visibility push(hidden)

/* The first section of a type. False: there is none, or the tables are broken. */
bool firmware_find_section(const struct firmware *firmware, u32 type,
                           struct firmware_section *section);

#pragma GCC visibility pop

#endif
