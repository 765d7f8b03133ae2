/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions as DWARF has them, with those that were inlined into others: ranges inside ranges.
 */
#include <stdlib.h>
#include <string.h>

#include "image/dwarf.h"
#include "image/source.h"

#define FUNCTIONS_MAX 8000000u

struct function_table {
    struct image_file *file;
    struct image_function *function;
    size_t count, capacity;
    size_t entries; /* of DWARF, that were looked at */
    bool failed;
    Dwarf_Die *unit;
    Dwarf_Files *files; /* of the unit */
    size_t file_count;
};

static void function_add(struct function_table *table, const struct image_function *function)
{
    if (table->count == table->capacity) {
        size_t capacity = table->capacity ? 2 * table->capacity : 1024;
        struct image_function *grown =
            capacity <= FUNCTIONS_MAX ? realloc(table->function, capacity * sizeof(*grown)) : NULL;

        if (!grown) {
            table->failed = true;
            return;
        }
        table->function = grown;
        table->capacity = capacity;
    }
    table->function[table->count++] = *function;
}

static const char *name_of(struct function_table *table, Dwarf_Die *die)
{
    static const unsigned linkage[] = {DW_AT_linkage_name, DW_AT_MIPS_linkage_name};
    const char *name = NULL;
    Dwarf_Attribute attribute;

    for (size_t i = 0; i < sizeof(linkage) / sizeof(linkage[0]) && !name; i++) {
        if (dwarf_attr_integrate(die, linkage[i], &attribute)) {
            name = dwarf_formstring(&attribute);
        }
    }
    if (!name && dwarf_attr_integrate(die, DW_AT_name, &attribute)) {
        name = dwarf_formstring(&attribute);
    }
    return name ? image_demangle(table->file, name) : NULL;
}

static unsigned number_of(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    Dwarf_Word value;

    return dwarf_attr(die, name, &attribute) && dwarf_formudata(&attribute, &value) == 0 &&
                   value <= INT32_MAX
               ? (unsigned)value
               : 0;
}

static const char *call_path_of(const struct function_table *table, Dwarf_Die *die)
{
    unsigned number = number_of(die, DW_AT_call_file);

    return number < table->file_count ? dwarf_path(table->file, table->unit,
                                                   dwarf_filesrc(table->files, number, NULL, NULL))
                                      : NULL;
}

/* Where it is declared, which another unit may say. */
static const char *path_of(const struct function_table *table, Dwarf_Die *die)
{
    Dwarf_Attribute attribute;
    Dwarf_Die unit;

    if (!dwarf_attr_integrate(die, DW_AT_decl_file, &attribute) ||
        !dwarf_cu_die(attribute.cu, &unit, NULL, NULL, NULL, NULL, NULL, NULL)) {
        return NULL;
    }
    return dwarf_path(table->file, &unit, dwarf_decl_file(die));
}

/* Optimisation may leave the entry of an inlined function outside of all that is left of it. */
static void entry_check(struct function_table *table, size_t first)
{
    for (size_t i = first; i < table->count; i++) {
        if (table->function[i].entry >= table->function[i].gva &&
            table->function[i].entry < table->function[i].end) {
            return;
        }
    }
    for (size_t i = first; i < table->count; i++) {
        table->function[i].entry = table->function[first].gva;
    }
}

/* One entry for each range of its code. */
static void function_take(struct function_table *table, Dwarf_Die *die, bool inlined)
{
    struct image_function function = {.inlined = inlined, .outer = SIZE_MAX};
    Dwarf_Addr base = 0, start, end;
    ptrdiff_t offset = 0;
    size_t had = table->count;
    int line;

    for (size_t i = 0; i < DWARF_RANGES_MAX && !table->failed; i++) {
        offset = dwarf_ranges(die, offset, &base, &start, &end);
        if (offset <= 0) {
            break;
        }
        if (start >= end) {
            continue;
        }
        if (!function.entry) { /* most entries are declarations, and never come here */
            function.name = name_of(table, die);
            function.path = path_of(table, die);
            function.line = dwarf_decl_line(die, &line) == 0 && line > 0 ? (unsigned)line : 0;
            if (inlined) {
                function.call_path = call_path_of(table, die);
                function.call_line = number_of(die, DW_AT_call_line);
            }
            if (dwarf_entrypc(die, &function.entry) != 0) {
                function.entry = start;
            }
        }
        function.gva = start;
        function.end = end;
        function_add(table, &function);
    }
    entry_check(table, had);
}

/* Go through the tree below `die`, as deep as it may be, without a stack of calls. */
static void functions_below(struct function_table *table, Dwarf_Die *die)
{
    Dwarf_Die *stack = calloc(DWARF_DEPTH_MAX, sizeof(*stack));
    size_t depth = 0;

    if (!stack || dwarf_child(die, &stack[0]) != 0) {
        free(stack);
        return;
    }
    while (!table->failed && table->entries++ < DWARF_ENTRIES_MAX) {
        int tag = dwarf_tag(&stack[depth]);

        if (tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine) {
            function_take(table, &stack[depth], tag == DW_TAG_inlined_subroutine);
        }
        if (depth + 1 < DWARF_DEPTH_MAX && dwarf_child(&stack[depth], &stack[depth + 1]) == 0) {
            depth++;
            continue;
        }
        while (dwarf_siblingof(&stack[depth], &stack[depth]) != 0) {
            if (depth-- == 0) {
                free(stack);
                return;
            }
        }
    }
    free(stack);
}

static void functions_of_unit(void *context, Dwarf_Die *unit)
{
    struct function_table *table = context;

    table->unit = unit;
    table->files = NULL;
    table->file_count = 0;
    if (dwarf_getsrcfiles(unit, &table->files, &table->file_count) != 0) {
        table->file_count = 0;
    }
    functions_below(table, unit);
}

static int compare_names(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "");
}

/* The one around another one comes first. Two that fill each other: who is not inlined. */
static int function_compare(const void *left, const void *right)
{
    const struct image_function *a = left, *b = right;

    if (a->gva != b->gva) {
        return a->gva < b->gva ? -1 : 1;
    }
    if (a->end != b->end) {
        return a->end > b->end ? -1 : 1;
    }
    if (a->inlined != b->inlined) {
        return a->inlined ? 1 : -1;
    }
    /* `outer` holds its number in the file: the inner one of two comes later there. */
    if (a->outer != b->outer) {
        return a->outer < b->outer ? -1 : 1;
    }
    return compare_names(a->name, b->name);
}

static void functions_nest(struct function_table *table)
{
    size_t open = SIZE_MAX;

    for (size_t i = 0; i < table->count; i++) {
        table->function[i].outer = i;
    }
    if (table->count) {
        qsort(table->function, table->count, sizeof(*table->function), function_compare);
    }
    for (size_t i = 0; i < table->count; i++) {
        while (open != SIZE_MAX && table->function[open].end <= table->function[i].gva) {
            open = table->function[open].outer;
        }
        table->function[i].outer = open;
        open = i;
    }
}

const struct image_function *image_functions(const struct image *image, size_t *count)
{
    struct image_file *file = image->file;

    if (!file->functions_asked) {
        struct function_table table = {.file = file};

        file->functions_asked = true;
        dwarf_each_unit(file, functions_of_unit, &table);
        functions_nest(&table);
        file->function = table.function;
        file->function_count = table.count;
    }
    *count = file->function_count;
    return file->function;
}

size_t image_function_find(const struct image *image, uint64_t gva)
{
    size_t low = 0, high, found;
    const struct image_function *function = image_functions(image, &high);

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (function[middle].gva <= gva) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    found = low > 0 ? low - 1 : SIZE_MAX;
    while (found != SIZE_MAX && function[found].end <= gva) {
        found = function[found].outer;
    }
    return found;
}

void image_functions_free(struct image_file *file)
{
    free(file->function);
}
