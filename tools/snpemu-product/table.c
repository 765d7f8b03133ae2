/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three views of the results: by outcome, by row of each axis, and one by one.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check/oracle.h"
#include "product.h"

/* ---- by outcome ---- */

static int class_compare(const void *a, const void *b)
{
    const struct product_class *first = *(const struct product_class *const *)a;
    const struct product_class *second = *(const struct product_class *const *)b;
    int order = (int)first->verdict - (int)second->verdict;

    order = order ? order : strcmp(first->phrase, second->phrase);
    order = order ? order : strcmp(first->why, second->why);
    return order ? order : (first->oracles > second->oracles) - (first->oracles < second->oracles);
}

static void print_classes(FILE *file, const struct product *product)
{
    const struct product_class *sorted[PRODUCT_CLASSES_MAX];

    for (size_t i = 0; i < product->class_count; i++) {
        sorted[i] = &product->class[i];
    }
    qsort(sorted, product->class_count, sizeof(sorted[0]), class_compare);
    fprintf(file, "%-12s %-20s %8s  %s\n", "verdict", "outcome", "runs",
            "oracles; panic or detail");
    for (size_t i = 0; i < product->class_count; i++) {
        const struct product_class *class = sorted[i];
        char oracles[160] = "";

        if (class->oracles) {
            oracle_list(class->oracles, oracles, sizeof(oracles));
        }
        fprintf(file, "%-12s %-20s %8" PRIu64 "%s%s%s%s\n", verdict_name(class->verdict),
                class->phrase, class->runs, class->oracles || class->why[0] ? "  " : "", oracles,
                class->oracles && class->why[0] ? "; " : "", class->why);
    }
    fprintf(file, "%-33s %8" PRIu64 "\n", "all", product->runs);
}

/* ---- by row of an axis ---- */

struct tally {
    uint64_t verdict[VERDICT_COUNT];
    uint64_t met; /* runs in which the guest could see what the row does */
};

static bool result_met(const struct product_result *result, enum product_axis axis, size_t index)
{
    switch (axis) {
    case AXIS_SECOND:
    case AXIS_SHAPE:
        return result->asked;
    case AXIS_CHANGE:
        return index == 0 || result->met;
    default:
        return true;
    }
}

static void tally_add(const struct product *product, uint64_t number,
                      struct tally tally[AXIS_COUNT][PRODUCT_ROWS_MAX])
{
    const struct product_result *result = &product->result[number - 1];
    size_t index[AXIS_COUNT];

    product_axes_at(&product->axes, number, index);
    for (enum product_axis axis = 0; axis < AXIS_COUNT; axis++) {
        struct tally *row = &tally[axis][index[axis]];

        row->verdict[product->class[result->class].verdict]++;
        row->met += result_met(result, axis, index[axis]);
    }
}

/* Verdicts that no run has are left out, but for the two good ones. */
static bool is_shown(const struct product *product, enum verdict verdict)
{
    return verdict == VERDICT_PASS || verdict == VERDICT_CONTAINED ||
           product_count(product, verdict) > 0;
}

static void print_axis(FILE *file, const struct product *product, enum product_axis axis,
                       const struct tally *tally)
{
    fprintf(file, "\n%-20s", product_axis_names[axis]);
    for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        if (is_shown(product, verdict)) {
            fprintf(file, " %11s", verdict_name(verdict));
        }
    }
    fprintf(file, "%s\n", axis == AXIS_FIRST ? "" : "        seen");
    for (size_t i = 0; i < product->axes.rows[axis]; i++) {
        fprintf(file, "%-20s", product->axes.row[axis][i].name);
        for (enum verdict verdict = 0; verdict < VERDICT_COUNT; verdict++) {
            if (is_shown(product, verdict)) {
                fprintf(file, " %11" PRIu64, tally[i].verdict[verdict]);
            }
        }
        if (axis != AXIS_FIRST) {
            fprintf(file, " %11" PRIu64, tally[i].met);
        }
        fprintf(file, "\n");
    }
}

void product_print(FILE *file, const struct product *product)
{
    struct tally(*tally)[PRODUCT_ROWS_MAX] = calloc(AXIS_COUNT, sizeof(*tally));
    char phrase[160];

    outcome_phrase(&product->honest, phrase, sizeof(phrase));
    fprintf(file,
            "honest: %s after %" PRIu64 " instructions and %" PRIu64
            " exits\n%zu first answers x %zu second answers x %zu lists x %zu changes: %" PRIu64
            " combinations\n\n",
            phrase, product->honest.instructions, product->honest.exits,
            product->axes.rows[AXIS_FIRST], product->axes.rows[AXIS_SECOND],
            product->axes.rows[AXIS_SHAPE], product->axes.rows[AXIS_CHANGE],
            product_axes_size(&product->axes));
    print_classes(file, product);
    for (uint64_t number = 1; tally && number <= product_axes_size(&product->axes); number++) {
        if (product->result[number - 1].done) {
            tally_add(product, number, tally);
        }
    }
    for (enum product_axis axis = 0; tally && axis < AXIS_COUNT; axis++) {
        print_axis(file, product, axis, tally[axis]);
    }
    free(tally);
}

/* ---- one by one ---- */

void product_print_rest(FILE *file, const struct product *product, uint64_t most)
{
    uint64_t size = product_axes_size(&product->axes), left = product_count(product, VERDICT_COUNT);

    fprintf(file, "\n%-7s %-12s %-20s %s | %s | %s | %s\n", "number", "verdict", "outcome",
            product_axis_names[AXIS_FIRST], product_axis_names[AXIS_SECOND],
            product_axis_names[AXIS_SHAPE], product_axis_names[AXIS_CHANGE]);
    for (uint64_t number = 1; number <= size && most > 0; number++) {
        const struct product_result *result = &product->result[number - 1];
        const struct product_class *class = &product->class[result->class];
        struct combination combination;

        if (!result->done || class->verdict == VERDICT_PASS ||
            class->verdict == VERDICT_CONTAINED) {
            continue;
        }
        product_axes_pick(&product->axes, number, &combination);
        fprintf(file, "%-7" PRIu64 " %-12s %-20s %s | %s | %s | %s\n", number,
                verdict_name(class->verdict), class->phrase, combination.row[AXIS_FIRST]->name,
                combination.row[AXIS_SECOND]->name, combination.row[AXIS_SHAPE]->name,
                combination.row[AXIS_CHANGE]->name);
        most--;
        left--;
    }
    if (left > 0) {
        fprintf(file, "... and %" PRIu64 " more; --most N prints N\n", left);
    }
}
