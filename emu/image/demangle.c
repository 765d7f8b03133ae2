/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names as their language writes them: Rust's (both manglings) and C++'s, without parameters and
 * hashes. Each is made once and kept, so that it lives as long as the image.
 */
#include <libiberty/demangle.h>
#include <search.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "image/internal.h"

/* A mangled name refers to its own parts, and so can stand for one that has no end. */
#define DEMANGLED_MAX 1024u
#define CUT_MARK "..."

struct demangled {
    const char *mangled; /* the key: lives as long as the image */
    char *name;          /* NULL: it is not mangled, or nothing that can be read */
};

struct demangling {
    char text[DEMANGLED_MAX];
    size_t used;
    jmp_buf full;
};

static void demangling_add(const char *part, size_t size, void *opaque)
{
    struct demangling *demangling = opaque;

    if (size >= sizeof(demangling->text) - demangling->used) {
        longjmp(demangling->full, 1);
    }
    memcpy(demangling->text + demangling->used, part, size);
    demangling->used += size;
}

static bool demangle_rust(struct demangling *demangling, const char *mangled)
{
    const char *end = NULL;
    char *whole;
    bool done;

    demangling->used = 0;
    if (rust_demangle_callback(mangled, DMGL_RUST, demangling_add, demangling)) {
        return true;
    }
    /* Of the first mangling the library knows no names with what optimisations add: "E.llvm.123".
     */
    for (const char *at = mangled; (at = strstr(at, "E.")) != NULL; at++) {
        end = at + 1;
    }
    whole = end ? strndup(mangled, (size_t)(end - mangled)) : NULL;
    demangling->used = 0;
    done = whole && rust_demangle_callback(whole, DMGL_RUST, demangling_add, demangling);
    free(whole);
    return done;
}

/* Whatever was made of it before it became too long is good to know, too. */
static char *demangle(const char *mangled)
{
    struct demangling *demangling;
    char *name = NULL;
    bool known;

    if (mangled[0] != '_' || (mangled[1] != 'Z' && mangled[1] != 'R')) {
        return NULL;
    }
    demangling = malloc(sizeof(*demangling));
    if (!demangling) {
        return NULL;
    }
    if (setjmp(demangling->full)) {
        demangling->used = DEMANGLED_MAX - sizeof(CUT_MARK);
        memcpy(demangling->text + demangling->used, CUT_MARK, strlen(CUT_MARK));
        demangling->used += strlen(CUT_MARK);
        known = true;
    } else {
        known = demangle_rust(demangling, mangled);
        if (!known) {
            demangling->used = 0;
            known =
                cplus_demangle_v3_callback(mangled, DMGL_NO_OPTS, demangling_add, demangling) != 0;
        }
    }
    name = known && demangling->used ? strndup(demangling->text, demangling->used) : NULL;
    free(demangling);
    return name;
}

static int demangled_compare(const void *left, const void *right)
{
    const struct demangled *a = left, *b = right;

    return strcmp(a->mangled, b->mangled);
}

static void demangled_free(void *opaque)
{
    struct demangled *demangled = opaque;

    free(demangled->name);
    free(demangled);
}

const char *image_demangle(struct image_file *file, const char *mangled)
{
    struct demangled key = {.mangled = mangled}, *fresh;
    struct demangled *const *found;

    if (mangled[0] != '_') {
        return mangled;
    }
    found = tfind(&key, &file->demangled, demangled_compare);
    if (!found) {
        fresh = malloc(sizeof(*fresh));
        if (!fresh) {
            return mangled;
        }
        *fresh = (struct demangled){mangled, demangle(mangled)};
        found = tsearch(fresh, &file->demangled, demangled_compare);
        if (!found) {
            demangled_free(fresh);
            return mangled;
        }
    }
    return (*found)->name ? (*found)->name : mangled;
}

void image_demangled_free(struct image_file *file)
{
    tdestroy(file->demangled, demangled_free);
    file->demangled = NULL;
}

bool image_is_item(struct image_file *file, const char *mangled, const char *path)
{
    const char *last = strrchr(path, ':'), *name;
    size_t size = strlen(path), name_size;

    /* The item's own name stands in the mangled one, too: most need no more than this look. */
    last = last ? last + 1 : path;
    if (mangled[0] != '_' || !*last || !strstr(mangled, last)) {
        return false;
    }
    name = image_demangle(file, mangled);
    name_size = strlen(name);
    if (name == mangled || name_size < size || strcmp(name + name_size - size, path) != 0) {
        return false;
    }
    return name_size == size ||
           (name_size > size + 2 && memcmp(name + name_size - size - 2, "::", 2) == 0);
}
