/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The greedy algorithm of E. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986),
 * figure 2, on the lines between the common head and tail of both texts.
 */
#include "trace/diff.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

#define DIFF_CONTEXT 3

struct diff_line {
    const char *bytes;
    size_t length; /* with its newline, if it has one */
};

struct diff_text {
    struct diff_line *line;
    size_t count;
    bool *changed; /* removed from this side, or added on this side */
};

struct diff {
    struct diff_text a, b;
    size_t head; /* lines in common at the start */
    FILE *out;
    size_t lines, max_lines;
    bool full; /* max_lines reached */
};

static int text_split(struct diff_text *text, const struct diff_side *side)
{
    const char *at = side->text, *end = side->text + side->size_bytes;
    size_t count = 0;

    for (size_t i = 0; i < side->size_bytes; i++) {
        count += side->text[i] == '\n';
    }
    count += side->size_bytes > 0 && end[-1] != '\n';
    text->line = calloc(count + 1, sizeof(*text->line));
    text->changed = calloc(count + 1, sizeof(*text->changed));
    if (!text->line || !text->changed) {
        return SNPEMU_ERR_MEMORY;
    }
    for (text->count = 0; text->count < count; text->count++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *next = newline ? newline + 1 : end;

        text->line[text->count] = (struct diff_line){at, (size_t)(next - at)};
        at = next;
    }
    return SNPEMU_OK;
}

static bool line_equal(const struct diff *diff, size_t a, size_t b)
{
    const struct diff_line *x = &diff->a.line[a], *y = &diff->b.line[b];

    return x->length == y->length && memcmp(x->bytes, y->bytes, x->length) == 0;
}

/* Walk back through the kept frontiers and mark what each step removed or added. */
static void myers_trace(struct diff *diff, int32_t *const *kept, int32_t distance, int32_t x,
                        int32_t y)
{
    for (int32_t d = distance; d > 0; d--) {
        const int32_t *v = kept[d - 1] + d; /* v[k] for k in -d .. d */
        int32_t k = x - y;
        bool down = k == -d || (k != d && v[k - 1] < v[k + 1]);
        int32_t k_before = down ? k + 1 : k - 1;
        int32_t x_before = v[k_before], y_before = x_before - k_before;

        if (down) {
            diff->b.changed[diff->head + (size_t)y_before] = true;
        } else {
            diff->a.changed[diff->head + (size_t)x_before] = true;
        }
        x = x_before;
        y = y_before;
    }
}

/*
 * The shortest edit of n lines of a into m lines of b. kept[d - 1] holds the furthest x of each
 * diagonal after d - 1 edits, as it was before step d, in 2 d + 1 slots.
 */
static int myers(struct diff *diff, int32_t n, int32_t m, bool *found)
{
    int32_t *kept[DIFF_DISTANCE_MAX + 1] = {0};
    int32_t *v = calloc(2 * (DIFF_DISTANCE_MAX + 2) + 1, sizeof(*v));
    int32_t *middle = v ? v + DIFF_DISTANCE_MAX + 2 : NULL;
    int status = v ? SNPEMU_OK : SNPEMU_ERR_MEMORY;

    *found = false;
    for (int32_t d = 0; status == SNPEMU_OK && !*found && d <= DIFF_DISTANCE_MAX; d++) {
        if (d > 0) {
            size_t slots = 2 * (size_t)d + 1;

            kept[d - 1] = malloc(slots * sizeof(*v));
            if (!kept[d - 1]) {
                status = SNPEMU_ERR_MEMORY;
                break;
            }
            memcpy(kept[d - 1], middle - d, slots * sizeof(*v));
        }
        for (int32_t k = -d; k <= d; k += 2) {
            bool down = k == -d || (k != d && middle[k - 1] < middle[k + 1]);
            int32_t x = down ? middle[k + 1] : middle[k - 1] + 1, y = x - k;

            while (x < n && y < m &&
                   line_equal(diff, diff->head + (size_t)x, diff->head + (size_t)y)) {
                x++;
                y++;
            }
            middle[k] = x;
            if (x >= n && y >= m) {
                myers_trace(diff, kept, d, n, m);
                *found = true;
                break;
            }
        }
    }
    for (size_t i = 0; i <= DIFF_DISTANCE_MAX; i++) {
        free(kept[i]);
    }
    free(v);
    return status;
}

static int diff_mark(struct diff *diff)
{
    size_t n = diff->a.count, m = diff->b.count;
    bool found = false;

    while (diff->head < n && diff->head < m && line_equal(diff, diff->head, diff->head)) {
        diff->head++;
    }
    while (n > diff->head && m > diff->head && line_equal(diff, n - 1, m - 1)) {
        n--;
        m--;
    }
    if (n - diff->head < INT32_MAX / 2 && m - diff->head < INT32_MAX / 2) {
        int status = myers(diff, (int32_t)(n - diff->head), (int32_t)(m - diff->head), &found);

        if (status != SNPEMU_OK) {
            return status;
        }
    }
    for (size_t i = diff->head; !found && i < n; i++) {
        diff->a.changed[i] = true;
    }
    for (size_t i = diff->head; !found && i < m; i++) {
        diff->b.changed[i] = true;
    }
    return SNPEMU_OK;
}

static void diff_put(struct diff *diff, char mark, const struct diff_line *line)
{
    bool newline = line->length > 0 && line->bytes[line->length - 1] == '\n';

    if (diff->full) {
        return;
    }
    if (diff->max_lines && diff->lines == diff->max_lines) {
        fprintf(diff->out, "... (the difference goes on)\n");
        diff->full = true;
        return;
    }
    diff->lines++;
    fputc(mark, diff->out);
    fwrite(line->bytes, 1, line->length, diff->out);
    if (!newline) {
        fputs("\n\\ No newline at end of file\n", diff->out);
    }
}

/* The first lines at or after (a, b) that are changed; false when there are none. */
static bool diff_next_change(const struct diff *diff, size_t *a, size_t *b)
{
    while (*a < diff->a.count && *b < diff->b.count && !diff->a.changed[*a] &&
           !diff->b.changed[*b]) {
        (*a)++;
        (*b)++;
    }
    return *a < diff->a.count || *b < diff->b.count;
}

static void diff_skip_changed(const struct diff_text *text, size_t *at)
{
    while (*at < text->count && text->changed[*at]) {
        (*at)++;
    }
}

/* The end of the hunk that begins with the change at (a, b): context that reaches the next change
 * joins the two. */
static void hunk_end(const struct diff *diff, size_t *a, size_t *b)
{
    for (;;) {
        size_t next_a, next_b;

        diff_skip_changed(&diff->a, a);
        diff_skip_changed(&diff->b, b);
        next_a = *a;
        next_b = *b;
        if (!diff_next_change(diff, &next_a, &next_b) || next_a - *a > 2 * DIFF_CONTEXT) {
            break;
        }
        *a = next_a;
        *b = next_b;
    }
    for (int i = 0; i < DIFF_CONTEXT && *a < diff->a.count; i++) {
        (*a)++;
        (*b)++;
    }
}

static void hunk_put_range(struct diff *diff, char mark, size_t start, size_t count)
{
    /* An empty range is named by the line before it; a count of one is left out. */
    fprintf(diff->out, "%c%zu", mark, count == 0 ? start : start + 1);
    if (count != 1) {
        fprintf(diff->out, ",%zu", count);
    }
    fputc(' ', diff->out);
}

static void hunk_put(struct diff *diff, size_t a, size_t b, size_t end_a, size_t end_b)
{
    if (diff->full) {
        return;
    }
    fputs("@@ ", diff->out);
    hunk_put_range(diff, '-', a, end_a - a);
    hunk_put_range(diff, '+', b, end_b - b);
    fputs("@@\n", diff->out);
    while (!diff->full && (a < end_a || b < end_b)) {
        if (a < end_a && diff->a.changed[a]) {
            diff_put(diff, '-', &diff->a.line[a++]);
        } else if (b < end_b && diff->b.changed[b]) {
            diff_put(diff, '+', &diff->b.line[b++]);
        } else {
            diff_put(diff, ' ', &diff->a.line[a++]);
            b++;
        }
    }
}

static void diff_put_all(struct diff *diff, const char *from_name, const char *to_name)
{
    size_t a = 0, b = 0;

    while (!diff->full && diff_next_change(diff, &a, &b)) {
        size_t context = a < DIFF_CONTEXT ? a : DIFF_CONTEXT;
        size_t start_a = a - context, start_b = b - context;

        if (diff->lines == 0) {
            fprintf(diff->out, "--- %s\n+++ %s\n", from_name, to_name);
        }
        hunk_end(diff, &a, &b);
        hunk_put(diff, start_a, start_b, a, b);
    }
}

static void text_release(struct diff_text *text)
{
    free(text->line);
    free(text->changed);
}

int diff_unified(const struct diff_side *from, const struct diff_side *to, size_t max_lines,
                 char **text)
{
    struct diff diff = {.max_lines = max_lines};
    size_t size = 0;
    int status = SNPEMU_ERR_MEMORY;

    *text = NULL;
    diff.out = open_memstream(text, &size);
    if (!diff.out) {
        goto out;
    }
    status = text_split(&diff.a, from);
    if (status == SNPEMU_OK) {
        status = text_split(&diff.b, to);
    }
    if (status == SNPEMU_OK) {
        status = diff_mark(&diff);
    }
    if (status == SNPEMU_OK) {
        diff_put_all(&diff, from->name, to->name);
    }
    if (fclose(diff.out) != 0) {
        status = SNPEMU_ERR_MEMORY;
    }
out:
    text_release(&diff.a);
    text_release(&diff.b);
    if (status != SNPEMU_OK) {
        free(*text);
        *text = NULL;
    }
    return status;
}
