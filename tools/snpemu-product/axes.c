/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rows of the four axes. Of each axis the first row is what an honest host does.
 */
#include <assert.h>
#include <string.h>

#include "abi/ghcb.h"
#include "abi/nae.h"
#include "abi/x86.h"
#include "product.h"

const char *const product_axis_names[AXIS_COUNT] = {
    [AXIS_FIRST] = "first answer",
    [AXIS_SECOND] = "second answer",
    [AXIS_SHAPE] = "list",
    [AXIS_CHANGE] = "change",
};

const char *const product_axis_words[AXIS_COUNT] = {
    [AXIS_FIRST] = "what the host says to \"how many pages?\" (1 is honest)",
    [AXIS_SECOND] = "what it says to \"write the list\" (RAX as it was is honest)",
    [AXIS_SHAPE] = "what stands in the list, as far as the guest lent pages for it",
    [AXIS_CHANGE] = "what changes while the guest reads",
};

/* `plus`, and as many times the number of CPUs. */
struct amount {
    int64_t plus;
    int cpus;
};

#define N(plus)                                                                                    \
    {                                                                                              \
        plus, 1                                                                                    \
    }
#define K(plus)                                                                                    \
    {                                                                                              \
        plus, 0                                                                                    \
    }

struct source_run {
    struct amount first;
    int32_t step;
    struct amount count;
};

/* A deed whose offset counts IDs and value may go by the number of CPUs. */
struct source_row {
    const char *name, *words;
    struct deed deed[DEEDS_MAX];
    struct amount value; /* of the first deed: DEED_READ */
    struct amount at_id; /* of the first deed: which ID is read; 0: `deed.offset` */
    struct amount count; /* SHAPE */
    struct source_run run[ID_RUNS_MAX];
};

/* ---- answers ---- */

#define SET(at, to, number)                                                                        \
    {                                                                                              \
        .kind = DEED_SET, .exit = (at), .field = (to), .value = (number)                           \
    }
#define UNMARK(at, of)                                                                             \
    {                                                                                              \
        .kind = DEED_UNMARK, .exit = (at), .field = (of)                                           \
    }
#define ADD(at, number)                                                                            \
    {                                                                                              \
        .kind = DEED_ADD, .exit = (at), .field = FIELD_RAX, .value = (number)                      \
    }
#define PLAIN(what, at)                                                                            \
    {                                                                                              \
        .kind = (what), .exit = (at)                                                               \
    }
#define PAGES(number)                                                                              \
    {                                                                                              \
        SET(1, FIELD_RAX, number)                                                                  \
    }

static const struct source_row first_rows[] = {
    {.name = "honest", .words = "one page is needed"},
    {.name = "pages 0", .words = "no page is needed", .deed = PAGES(0)},
    {.name = "pages 2", .words = "one more than needed", .deed = PAGES(2)},
    {.name = "pages 32", .words = "the largest block of the allocator", .deed = PAGES(32)},
    {.name = "pages 33", .words = "one more than that", .deed = PAGES(33)},
    {.name = "pages 2^32+1", .words = "1 in the lower half", .deed = PAGES((1ULL << 32) + 1)},
    {.name = "pages 2^52+1",
     .words = "one page when the bytes wrap",
     .deed = PAGES((1ULL << 52) + 1)},
    {.name = "pages ~0", .words = "all ones", .deed = PAGES(UINT64_MAX)},
    {.name = "rax unmarked", .words = "1 in RAX, not marked", .deed = {UNMARK(1, FIELD_RAX)}},
    {.name = "marks kept",
     .words = "honest, and the guest's own marks stay",
     .deed = {PLAIN(DEED_KEEP_MARKS, 1)}},
    {.name = "malformed",
     .words = "SW_EXITINFO1 = 2: the request was no good",
     .deed = {SET(1, FIELD_INFO1, GHCB_INFO1_MALFORMED),
              SET(1, FIELD_INFO2, GHCB_ERR_INVALID_INPUT)}},
    {.name = "info1 high",
     .words = "SW_EXITINFO1 = 2^32, 0 in the half that counts",
     .deed = {SET(1, FIELD_INFO1, 1ULL << 32)}},
    {.name = "info1 unmarked",
     .words = "SW_EXITINFO1 = 0, not marked",
     .deed = {UNMARK(1, FIELD_INFO1)}},
    {.name = "dropped",
     .words = "the page is as the guest left it",
     .deed = {PLAIN(DEED_NOTHING, 1)}},
    {.name = "repeated",
     .words = "the answer to the exit before, a CPUID, once more",
     .deed = {PLAIN(DEED_REPEAT, 1)}},
};

static const struct source_row second_rows[] = {
    {.name = "honest", .words = "RAX as it was, no error"},
    {.name = "rax - 1", .words = "one page fewer than lent", .deed = {ADD(2, ~0ULL)}},
    {.name = "rax + 1", .words = "one page more than lent", .deed = {ADD(2, 1)}},
    {.name = "rax + 2^32", .words = "equal in the lower half", .deed = {ADD(2, 1ULL << 32)}},
    {.name = "rax unmarked", .words = "RAX as it was, not marked", .deed = {UNMARK(2, FIELD_RAX)}},
    {.name = "marks kept",
     .words = "honest, and the guest's own marks stay",
     .deed = {PLAIN(DEED_KEEP_MARKS, 2)}},
    {.name = "malformed",
     .words = "SW_EXITINFO1 = 2: the request was no good",
     .deed = {SET(2, FIELD_INFO1, GHCB_INFO1_MALFORMED),
              SET(2, FIELD_INFO2, GHCB_ERR_INVALID_INPUT)}},
    {.name = "info1 high",
     .words = "SW_EXITINFO1 = 2^32, 0 in the half that counts",
     .deed = {SET(2, FIELD_INFO1, 1ULL << 32)}},
    {.name = "info1 unmarked",
     .words = "SW_EXITINFO1 = 0, not marked",
     .deed = {UNMARK(2, FIELD_INFO1)}},
    {.name = "dropped",
     .words = "the page is as the guest left it",
     .deed = {PLAIN(DEED_NOTHING, 2)}},
    {.name = "repeated",
     .words = "the answer to the exit before, a page state change, once more",
     .deed = {PLAIN(DEED_REPEAT, 2)}},
};

/* ---- lists: the honest one has the IDs 0 to n - 1 of the n CPUs, the BSP's is 0 ---- */

#define HONEST_RUN                                                                                 \
    {                                                                                              \
        {                                                                                          \
            K(0), 1, N(0)                                                                          \
        }                                                                                          \
    }
#define ONE(id)                                                                                    \
    {                                                                                              \
        K(id), 0, K(1)                                                                             \
    }

static const struct source_row shape_rows[] = {
    {.name = "honest", .words = "n IDs, 0 to n-1", .count = N(0), .run = HONEST_RUN},
    {.name = "empty", .words = "all zero", .count = K(0)},
    {.name = "count 1", .words = "n IDs, the count says one", .count = K(1), .run = HONEST_RUN},
    {.name = "count n+1", .words = "one more than there are", .count = N(1), .run = HONEST_RUN},
    {.name = "one more CPU",
     .words = "n+1 IDs and a count that agrees",
     .count = N(1),
     .run = {{K(0), 1, N(1)}}},
    {.name = "1023 IDs", .words = "a full page", .count = K(1023), .run = {{K(0), 1, K(1023)}}},
    {.name = "1024 IDs",
     .words = "one more than a page holds",
     .count = K(1024),
     .run = {{K(0), 1, K(1024)}}},
    {.name = "count 4096",
     .words = "n IDs, the largest count that the published code takes",
     .count = K(4096),
     .run = HONEST_RUN},
    {.name = "count 4097",
     .words = "n IDs, the count says one more than that",
     .count = K(4097),
     .run = HONEST_RUN},
    {.name = "count ~0",
     .words = "n IDs, the count says 2^32 - 1",
     .count = K(UINT32_MAX),
     .run = HONEST_RUN},
    {.name = "no BSP", .words = "IDs 1 to n", .count = N(0), .run = {{K(1), 1, N(0)}}},
    {.name = "BSP twice",
     .words = "the last ID is the BSP's too",
     .count = N(0),
     .run = {{K(0), 1, N(-1)}, ONE(0)}},
    {.name = "BSP last",
     .words = "IDs n-1 to 0: honest",
     .count = N(0),
     .run = {{N(-1), -1, N(0)}}},
    {.name = "other twice",
     .words = "the last ID is the second's too",
     .count = N(0),
     .run = {{K(0), 1, N(-1)}, ONE(1)}},
    {.name = "all the BSP",
     .words = "n times the BSP's ID",
     .count = N(0),
     .run = {{K(0), 0, N(0)}}},
    {.name = "largest",
     .words = "0, then down from 0xFFFFFFFF: honest",
     .count = N(0),
     .run = {{K(0), -1, N(0)}}},
};

/* ---- what changes at which read ---- */

#define READ(at, where, off, size, k)                                                              \
    {                                                                                              \
        .kind = DEED_READ, .exit = (at), .place = (where), .offset = (off), .size_bytes = (size),  \
        .nth = (k)                                                                                 \
    }
#define COUNT_READ(k)                                                                              \
    {                                                                                              \
        READ(2, PLACE_LIST, 0, APIC_ID_LIST_HEADER_SIZE, k)                                        \
    }
#define ID_READ(k)                                                                                 \
    {                                                                                              \
        READ(2, PLACE_LIST, APIC_ID_LIST_HEADER_SIZE, APIC_ID_LIST_ENTRY_SIZE, k)                  \
    }
#define FIELD_READ(at, offset, k)                                                                  \
    {                                                                                              \
        READ(at, PLACE_GHCB, offset, 8, k)                                                         \
    }
#define MARK_READ(at, offset, k)                                                                   \
    {                                                                                              \
        READ(at, PLACE_GHCB, GHCB_VALID_BITMAP + GHCB_VALID_BIT(offset) / 8, 1, k)                 \
    }
#define PAGE_DEED(what, where, off)                                                                \
    {                                                                                              \
        {                                                                                          \
            .kind = (what), .exit = 2, .place = (where), .offset = (off)                           \
        }                                                                                          \
    }

static const struct source_row change_rows[] = {
    {.name = "none", .words = "nothing"},
    {.name = "list taken",
     .words = "the list's first page becomes the guest's, not validated",
     .deed = PAGE_DEED(DEED_ASSIGN, PLACE_LIST, 0)},
    {.name = "list is GHCB",
     .words = "the list's address leads to the GHCB page",
     .deed = PAGE_DEED(DEED_REMAP, PLACE_GHCB, 0)},
    {.name = "list is private",
     .words = "the list and the private page before it change places",
     .deed = PAGE_DEED(DEED_SWAP, PLACE_LIST, -(int64_t)PAGE_SIZE)},
    {.name = "private lost",
     .words = "the private page before the list is the host's",
     .deed = PAGE_DEED(DEED_UNASSIGN, PLACE_LIST, -(int64_t)PAGE_SIZE)},
    {.name = "GHCB taken",
     .words = "the GHCB page becomes the guest's, not validated",
     .deed = PAGE_DEED(DEED_ASSIGN, PLACE_GHCB, 0)},
    {.name = "count@1 4097",
     .words = "the count at its 1st read: 4097",
     .deed = COUNT_READ(1),
     .value = K(4097)},
    {.name = "count@2 4097",
     .words = "the count at its 2nd read: 4097",
     .deed = COUNT_READ(2),
     .value = K(4097)},
    {.name = "count@3 4097",
     .words = "the count at its 3rd read: 4097",
     .deed = COUNT_READ(3),
     .value = K(4097)},
    {.name = "count@4 4097",
     .words = "the count at its 4th read: 4097",
     .deed = COUNT_READ(4),
     .value = K(4097)},
    {.name = "count@5 4097",
     .words = "the count at its 5th read: 4097",
     .deed = COUNT_READ(5),
     .value = K(4097)},
    {.name = "count@6 4097",
     .words = "the count at its 6th read: 4097",
     .deed = COUNT_READ(6),
     .value = K(4097)},
    {.name = "count@4 0",
     .words = "the count at its 4th read: 0",
     .deed = COUNT_READ(4),
     .value = K(0)},
    {.name = "count@4 n+1",
     .words = "the count at its 4th read: n+1",
     .deed = COUNT_READ(4),
     .value = N(1)},
    {.name = "count@4 ~0",
     .words = "the count at its 4th read: all ones",
     .deed = COUNT_READ(4),
     .value = K(UINT32_MAX)},
    {.name = "bsp@1",
     .words = "the first ID at its 1st read: 2^31",
     .deed = ID_READ(1),
     .value = K(1LL << 31)},
    {.name = "id2@1 bsp",
     .words = "the second ID at its 1st read: the BSP's",
     .deed = ID_READ(1),
     .at_id = K(1),
     .value = K(0)},
    {.name = "id2@2 bsp",
     .words = "the second ID at its 2nd read: the BSP's",
     .deed = ID_READ(2),
     .at_id = K(1),
     .value = K(0)},
    {.name = "pages@1 2",
     .words = "RAX of the first answer at its 1st read: 2",
     .deed = FIELD_READ(1, GHCB_RAX, 1),
     .value = K(2)},
    {.name = "rax mark@1",
     .words = "marks of the first answer at the 1st read of RAX's: none",
     .deed = MARK_READ(1, GHCB_RAX, 1),
     .value = K(0)},
    {.name = "info1@1",
     .words = "SW_EXITINFO1 of the first answer at its 1st read: 2",
     .deed = FIELD_READ(1, GHCB_SW_EXITINFO1, 1),
     .value = K(2)},
    {.name = "rax@1 0",
     .words = "RAX of the second answer at its 1st read: 0",
     .deed = FIELD_READ(2, GHCB_RAX, 1),
     .value = K(0)},
};

/* ---- from the tables to rows for a number of CPUs ---- */

static const struct {
    const struct source_row *row;
    size_t count;
} sources[AXIS_COUNT] = {
    [AXIS_FIRST] = {first_rows, sizeof(first_rows) / sizeof(first_rows[0])},
    [AXIS_SECOND] = {second_rows, sizeof(second_rows) / sizeof(second_rows[0])},
    [AXIS_SHAPE] = {shape_rows, sizeof(shape_rows) / sizeof(shape_rows[0])},
    [AXIS_CHANGE] = {change_rows, sizeof(change_rows) / sizeof(change_rows[0])},
};

static uint64_t amount_of(struct amount amount, uint32_t cpus)
{
    return (uint64_t)(amount.plus + (int64_t)amount.cpus * cpus);
}

static void row_make(struct product_row *row, const struct source_row *source, uint32_t cpus)
{
    size_t runs = 0;

    memset(row, 0, sizeof(*row));
    row->name = source->name;
    row->words = source->words;
    memcpy(row->deed, source->deed, sizeof(row->deed));
    if (row->deed[0].kind == DEED_READ) {
        row->deed[0].value = amount_of(source->value, cpus);
        if (row->deed[0].size_bytes < 8) {
            row->deed[0].value &= (1ULL << 8 * row->deed[0].size_bytes) - 1;
        }
        row->deed[0].offset += (int64_t)amount_of(source->at_id, cpus) * APIC_ID_LIST_ENTRY_SIZE;
    }
    row->count = (uint32_t)amount_of(source->count, cpus);
    for (size_t i = 0; i < ID_RUNS_MAX; i++) {
        struct id_run run = {
            .first = (uint32_t)amount_of(source->run[i].first, cpus),
            .step = (uint32_t)source->run[i].step,
            .count = (uint32_t)amount_of(source->run[i].count, cpus),
        };

        if (run.count > 0) {
            row->run[runs++] = run;
        }
    }
}

/* Does a host do the same by both? */
static bool rows_alike(const struct product_row *a, const struct product_row *b, uint32_t cpus)
{
    uint32_t first[PRODUCT_IDS_MAX], second[PRODUCT_IDS_MAX];
    size_t first_count = product_row_ids(a, cpus, first, PRODUCT_IDS_MAX);
    size_t second_count = product_row_ids(b, cpus, second, PRODUCT_IDS_MAX);

    for (size_t i = 0; i < DEEDS_MAX; i++) {
        const struct deed *x = &a->deed[i], *y = &b->deed[i];

        if (x->kind != y->kind || x->exit != y->exit || x->field != y->field ||
            x->place != y->place || x->offset != y->offset || x->size_bytes != y->size_bytes ||
            x->nth != y->nth || x->value != y->value) {
            return false;
        }
    }
    return a->count == b->count && first_count == second_count &&
           memcmp(first, second, first_count * sizeof(first[0])) == 0;
}

void product_axes_make(struct product_axes *axes, uint32_t cpus)
{
    memset(axes, 0, sizeof(*axes));
    axes->cpus = cpus;
    for (size_t axis = 0; axis < AXIS_COUNT; axis++) {
        assert(sources[axis].count <= PRODUCT_ROWS_MAX);
        for (size_t i = 0; i < sources[axis].count; i++) {
            struct product_row *row = &axes->row[axis][axes->rows[axis]];
            bool seen = false;

            row_make(row, &sources[axis].row[i], cpus);
            for (size_t other = 0; other < axes->rows[axis]; other++) {
                seen = seen || rows_alike(row, &axes->row[axis][other], cpus);
            }
            axes->rows[axis] += !seen;
        }
    }
}

uint64_t product_axes_size(const struct product_axes *axes)
{
    uint64_t size = 1;

    for (size_t axis = 0; axis < AXIS_COUNT; axis++) {
        size *= axes->rows[axis];
    }
    return size;
}

/* The change varies last: those that need no watched memory come first, and run faster. */
void product_axes_at(const struct product_axes *axes, uint64_t number, size_t index[AXIS_COUNT])
{
    static const enum product_axis order[AXIS_COUNT] = {AXIS_SHAPE, AXIS_SECOND, AXIS_FIRST,
                                                        AXIS_CHANGE};
    uint64_t left = number - 1;

    for (size_t i = 0; i < AXIS_COUNT; i++) {
        index[order[i]] = (size_t)(left % axes->rows[order[i]]);
        left /= axes->rows[order[i]];
    }
}

void product_axes_pick(const struct product_axes *axes, uint64_t number,
                       struct combination *combination)
{
    size_t index[AXIS_COUNT];

    product_axes_at(axes, number, index);
    for (size_t axis = 0; axis < AXIS_COUNT; axis++) {
        combination->row[axis] = &axes->row[axis][index[axis]];
    }
}

size_t product_row_ids(const struct product_row *row, uint32_t cpus, uint32_t *id, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < ID_RUNS_MAX; i++) {
        for (uint32_t k = 0; k < row->run[i].count && count < max; k++) {
            id[count++] = row->run[i].first + k * row->run[i].step;
        }
    }
    while (count < cpus && count < max) {
        id[count++] = 0;
    }
    return count;
}
