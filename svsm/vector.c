/* SPDX-License-Identifier: MIT */
#include "vector.h"

#include "alloc.h"

#define CAPACITY_MIN 4 /* of a vector that has to grow */

static u32 *ids_allocate(u64 capacity)
{
    u64 size_bytes = capacity * sizeof(u32);
    u64 va = mem_allocate(size_bytes);

    if (va == 0) {
        panic_decimal("memory allocation of ", size_bytes, " bytes failed, ids: ", capacity);
    }
    return (u32 *)va;
}

void id_vector_init(struct id_vector *vector, u64 capacity)
{
    vector->id = capacity == 0 ? NULL : ids_allocate(capacity);
    vector->length = 0;
    vector->capacity = capacity;
}

static void id_vector_grow(struct id_vector *vector)
{
    u64 capacity = vector->capacity * 2 < CAPACITY_MIN ? CAPACITY_MIN : vector->capacity * 2;
    u32 *id = ids_allocate(capacity);

    if (vector->capacity != 0) {
        memcpy(id, vector->id, vector->length * sizeof(u32));
        mem_free((u64)vector->id);
    }
    vector->id = id;
    vector->capacity = capacity;
}

void id_vector_push(struct id_vector *vector, u32 id)
{
    if (vector->length == vector->capacity) {
        id_vector_grow(vector);
    }
    vector->id[vector->length++] = id;
}

void id_vector_free(struct id_vector *vector)
{
    if (vector->capacity != 0) {
        mem_free((u64)vector->id);
    }
    *vector = (struct id_vector){0};
}
