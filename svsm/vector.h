/* SPDX-License-Identifier: MIT */
/*
 * A list of APIC IDs that grows, with the allocations of the published language's vector: exactly
 * the capacity that was asked for, then doubled.
 */
#ifndef SVSM_VECTOR_H
#define SVSM_VECTOR_H

#include "svsm.h"

struct id_vector {
    u32 *id;
    u64 length;
    u64 capacity;
};

#pragma GCC visibility push(hidden)

void id_vector_init(struct id_vector *vector, u64 capacity);
void id_vector_push(struct id_vector *vector, u32 id);
void id_vector_free(struct id_vector *vector);

#pragma GCC visibility pop

#endif
