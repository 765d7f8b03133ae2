/* SPDX-License-Identifier: MIT */
#include "guest_memory.h"

#include "window.h"

bool guest_range_valid(u64 gpa, u64 size_bytes)
{
    u64 svsm_gpa = va_to_gpa(svsm_begin);
    u64 svsm_size_bytes = svsm_end - svsm_begin;

    if (size_bytes == 0 || size_bytes > CBIT_MASK || gpa > CBIT_MASK - size_bytes) {
        return false;
    }
    return gpa + size_bytes <= svsm_gpa || gpa >= svsm_gpa + svsm_size_bytes;
}

/* How much of the range is in the page of `gpa`. */
static u64 part_in_page(u64 gpa, u64 size_bytes)
{
    u64 rest = PAGE_SIZE - (gpa & PAGE_MASK);

    return size_bytes < rest ? size_bytes : rest;
}

/* A page at a time, between the guest and `byte`. */
static bool guest_move(u64 gpa, u8 *byte, u64 size_bytes, bool to_guest)
{
    bool done = guest_range_valid(gpa, size_bytes);

    while (done && size_bytes != 0) {
        u64 part = part_in_page(gpa, size_bytes);
        u8 *mapped = (u8 *)window_map(WINDOW_COPY, gpa & ~PAGE_MASK) + (gpa & PAGE_MASK);

        done = to_guest ? guest_copy(mapped, byte, part) : guest_copy(byte, mapped, part);
        window_unmap(WINDOW_COPY);
        gpa += part;
        byte += part;
        size_bytes -= part;
    }
    return done;
}

bool guest_read(u64 gpa, void *to, u64 size_bytes)
{
    return guest_move(gpa, to, size_bytes, false);
}

bool guest_write(u64 gpa, const void *from, u64 size_bytes)
{
    return guest_move(gpa, (u8 *)from, size_bytes, true);
}
