/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Symbol look-up. What covers an address is worked out once, when the image is opened, into
 * ranges that do not overlap, so that a look-up is one binary search whatever the file holds.
 */
#include "image/internal.h"

#include <stdlib.h>
#include <string.h>

struct range {
    uint64_t start;
    uint64_t end;
    size_t symbol;
};

struct range_list {
    struct range *range; /* ascending, not overlapping */
    size_t count;
};

struct symbol_table {
    struct symbol *symbol; /* by address, then as compare_symbols says */
    size_t count;
    struct range_list sized;
    struct range_list unsized;
};

struct flattener {
    const struct symbol_table *table;
    struct range_list *list;
    size_t *open; /* stack of symbols that cover the position, the winning one on top */
    size_t open_count;
    uint64_t position;
};

/* Write ranges up to `limit`, dropping the symbols that end there or before. */
static void flatten_up_to(struct flattener *flattener, uint64_t limit)
{
    while (flattener->open_count > 0) {
        size_t top = flattener->open[flattener->open_count - 1];
        uint64_t end = flattener->table->symbol[top].end;
        uint64_t stop = end < limit ? end : limit;

        if (flattener->position < stop) {
            flattener->list->range[flattener->list->count++] =
                (struct range){flattener->position, stop, top};
            flattener->position = stop;
        }
        if (end > limit) {
            break;
        }
        flattener->open_count--;
    }
    flattener->position = limit;
}

/* At most two ranges a symbol: one up to where another starts, one up to its own end. */
static int flatten(const struct symbol_table *table, struct range_list *list, bool sized)
{
    struct flattener flattener = {.table = table, .list = list};
    size_t above;

    list->range = calloc(2 * table->count + 1, sizeof(*list->range));
    flattener.open = calloc(table->count + 1, sizeof(*flattener.open));
    if (list->range == NULL || flattener.open == NULL) {
        free(flattener.open);
        return SNPEMU_ERR_MEMORY;
    }
    for (size_t first = 0; first < table->count; first = above) {
        uint64_t gva = table->symbol[first].gva;

        above = first;
        while (above < table->count && table->symbol[above].gva == gva) {
            above++;
        }
        flatten_up_to(&flattener, gva);
        for (size_t i = above; i-- > first;) {
            if ((table->symbol[i].size_bytes != 0) == sized && table->symbol[i].end > gva) {
                flattener.open[flattener.open_count++] = i;
            }
        }
    }
    flatten_up_to(&flattener, UINT64_MAX);
    free(flattener.open);
    return 0;
}

int image_symbols_read(struct image *image, const struct flat *flat, struct error *error)
{
    struct symbol_table *table = calloc(1, sizeof(*table));
    int status;

    if (table == NULL) {
        return image_out_of_memory(image, error);
    }
    image->symbols = table;
    status = symtab_read(image, flat, &table->symbol, &table->count, error);
    if (status != 0) {
        return status;
    }
    if (flatten(table, &table->sized, true) != 0 || flatten(table, &table->unsized, false) != 0) {
        return image_out_of_memory(image, error);
    }
    return 0;
}

void image_symbols_free(struct symbol_table *table)
{
    if (table == NULL) {
        return;
    }
    free(table->sized.range);
    free(table->unsized.range);
    free(table->symbol);
    free(table);
}

static const struct range *range_at(const struct range_list *list, uint64_t gva)
{
    size_t low = 0;
    size_t high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (gva < list->range[middle].start) {
            high = middle;
        } else if (gva >= list->range[middle].end) {
            low = middle + 1;
        } else {
            return &list->range[middle];
        }
    }
    return NULL;
}

const char *image_symbol_at(const struct image *image, uint64_t gva, uint64_t *offset)
{
    const struct range *range = range_at(&image->symbols->sized, gva);
    const struct symbol *symbol;

    if (range == NULL) {
        range = range_at(&image->symbols->unsized, gva);
    }
    if (range == NULL) {
        return NULL;
    }
    symbol = &image->symbols->symbol[range->symbol];
    if (offset != NULL) {
        *offset = gva - symbol->gva;
    }
    return image_demangle(image->file, symbol->name);
}

/* Of two that have the name: a global one, then a function, wins; else the one that came first. */
static bool symbol_is_better(const struct symbol *symbol, const struct symbol *best)
{
    return best == NULL || symbol->bind_rank < best->bind_rank ||
           (symbol->bind_rank == best->bind_rank && symbol->type_rank < best->type_rank);
}

/* By the exact name, or of an item by the end of its path. */
static const struct symbol *symbol_find(const struct image *image, const char *name, bool item)
{
    const struct symbol_table *table = image->symbols;
    const struct symbol *best = NULL;

    for (size_t i = 0; i < table->count; i++) {
        const struct symbol *symbol = &table->symbol[i];
        bool named =
            item ? image_is_item(image->file, symbol->name, name) : strcmp(symbol->name, name) == 0;

        if (named && symbol_is_better(symbol, best)) {
            best = symbol;
        }
    }
    return best;
}

bool image_symbol_find(const struct image *image, const char *name, uint64_t *gva,
                       uint64_t *size_bytes)
{
    const struct symbol *symbol = symbol_find(image, name, false);

    if (symbol == NULL) {
        symbol = symbol_find(image, name, true);
    }
    if (symbol == NULL) {
        return false;
    }
    if (gva != NULL) {
        *gva = symbol->gva;
    }
    if (size_bytes != NULL) {
        *size_bytes = symbol->size_bytes;
    }
    return true;
}

const char *image_symbol_name(const struct image *image, size_t i)
{
    return image->symbols && i < image->symbols->count ? image->symbols->symbol[i].name : NULL;
}
