/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of Rust items. The compiler writes the path "a::b::ITEM" as _ZN 1a 1b 4ITEM 17h<hash> E,
 * each part after its length; what optimisations add follows the E.
 *
 * Source: rust-lang/rust, compiler/rustc_symbol_mangling/src/legacy.rs.
 */
#include <string.h>

#include "image/internal.h"

#define RUST_PREFIX "_ZN"
#define RUST_PARTS_MAX 32
#define RUST_HASH_SIZE 17 /* h and 16 digits */

struct part {
    const char *start;
    size_t size;
};

/* The parts of a mangled name, without the hash; 0 when it is none. */
static size_t rust_parts(const char *mangled, struct part part[RUST_PARTS_MAX])
{
    const char *at = mangled + strlen(RUST_PREFIX);
    size_t count = 0;

    if (strncmp(mangled, RUST_PREFIX, strlen(RUST_PREFIX)) != 0) {
        return 0;
    }
    while (*at != 'E') {
        size_t size = 0;

        for (; *at >= '0' && *at <= '9' && size < IMAGE_SYMBOL_NAME_MAX; at++) {
            size = size * 10 + (size_t)(*at - '0');
        }
        if (size == 0 || size > strlen(at) || count == RUST_PARTS_MAX) {
            return 0;
        }
        part[count++] = (struct part){at, size};
        at += size;
    }
    if (count < 2 || part[count - 1].size != RUST_HASH_SIZE || *part[count - 1].start != 'h') {
        return 0;
    }
    return count - 1;
}

bool image_is_rust_item(const char *mangled, const char *path)
{
    struct part part[RUST_PARTS_MAX];
    size_t count = rust_parts(mangled, part);
    const char *end = path + strlen(path);

    while (count-- > 0) {
        size_t left = (size_t)(end - path);

        if (part[count].size > left ||
            memcmp(end - part[count].size, part[count].start, part[count].size) != 0) {
            return false;
        }
        end -= part[count].size;
        if (end == path) {
            return true;
        }
        if (end - path < 2 || end[-1] != ':' || end[-2] != ':') {
            return false;
        }
        end -= 2;
    }
    return false;
}
