/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trace room: events, the text form, the ladder, the diff, and the table of terminations.
 */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/diff.h"
#include "trace/event.h"
#include "trace/ladder.h"
#include "trace/meaning.h"
#include "trace/meaning_use.h"
#include "trace/text.h"

#define ROWS(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct text_header header = {
    .image = "svsm-percpu", .cpus = 4, .memory_mib = 256, .seed = 1};

/* Events */

START_TEST(event_too_many_fields)
{
    static const char *const keys[] = {"a", "b", "c"};
    struct event event;

    event_begin(&event, "exit", NULL);
    for (size_t i = 0; i < EVENT_FIELD_MAX + 5; i++) {
        event_dec(&event, keys[i % 3], i);
        event_full_only(&event);
    }
    ck_assert_uint_eq(event.field_count, EVENT_FIELD_MAX);
    ck_assert_str_eq(event.field[EVENT_FIELD_MAX - 1].key, "fields_cut");
    ck_assert_uint_eq(event.field[EVENT_FIELD_MAX - 1].number, 6);
    /* What is missing must show in the golden form as well. */
    ck_assert(!event.field[EVENT_FIELD_MAX - 1].full_only);
    ck_assert(event.field[EVENT_FIELD_MAX - 2].full_only);
    /* An event begun anew holds nothing of the last one. */
    event_begin(&event, "reply", "cpuid");
    ck_assert_uint_eq(event.field_count, 0);
    event_full_only(&event);
    ck_assert_uint_eq(event.field_count, 0);
}
END_TEST

/* The text buffer takes EVENT_TEXT_MAX - 1 characters; the first text is `length` long. */
static const struct {
    const char *name;
    size_t length;
    const char *first_end, *second;
} text_rows[] = {
    {"room for both", 100, "xxxx", "second"},
    {"second cut with a mark", EVENT_TEXT_MAX - 6, "xxxx", "s..."},
    {"second cut to the mark", EVENT_TEXT_MAX - 5, "xxxx", "..."},
    {"second has one character", EVENT_TEXT_MAX - 3, "xxxx", "."},
    {"second empty", EVENT_TEXT_MAX - 2, "xxxx", ""},
    {"first fills it exactly", EVENT_TEXT_MAX - 1, "xxxx", ""},
    {"first cut", EVENT_TEXT_MAX, "x...", ""},
    {"first far too long", 4 * EVENT_TEXT_MAX, "x...", ""},
};

START_TEST(event_text_is_cut_to_fit)
{
    char *value = malloc(text_rows[_i].length + 1);
    struct event event;
    const char *first;

    ck_assert_ptr_nonnull(value);
    memset(value, 'x', text_rows[_i].length);
    value[text_rows[_i].length] = '\0';
    event_begin(&event, "exit", NULL);
    event_string(&event, "first", value);
    event_string(&event, "second", "second");
    event_string(&event, "third", text_rows[_i].length < 200 ? "third" : "");
    first = event.text + event.field[0].text;
    ck_assert_msg(strcmp(first + strlen(first) - 4, text_rows[_i].first_end) == 0, "%s",
                  text_rows[_i].name);
    ck_assert_msg(strcmp(event.text + event.field[1].text, text_rows[_i].second) == 0, "%s",
                  text_rows[_i].name);
    ck_assert_str_eq(event.text + event.field[2].text, text_rows[_i].length < 200 ? "third" : "");
    ck_assert_uint_le(event.text_used, EVENT_TEXT_MAX);
    free(value);
}
END_TEST

START_TEST(trace_without_listeners)
{
    struct trace none = {.sink_count = 0};
    struct event event;

    event_begin(&event, "exit", NULL);
    ck_assert(!trace_active(NULL));
    ck_assert(!trace_active(&none));
    trace_emit(NULL, &event);
    trace_emit(&none, &event);
}
END_TEST

/* Text */

static const struct {
    const char *value, *written;
} quote_rows[] = {
    {"word", "word"},
    {"", "\"\""},
    {"two words", "\"two words\""},
    {" ", "\" \""},
    {"a\"b", "\"a\\\"b\""},
    {"a\\b", "\"a\\\\b\""},
    {"line\n", "\"line\\n\""},
    {"\r\t", "\"\\r\\t\""},
    {"\x1b[31m", "\"\\x1b[31m\""},
    {"\x7f", "\"\\x7f\""},
    {"\xc3\xa9", "\"\\xc3\\xa9\""},
    {"\xff", "\"\\xff\""},
    {"key=value@x", "key=value@x"},
};

START_TEST(text_quotes)
{
    char out[64];
    size_t length = text_quote(out, sizeof(out), quote_rows[_i].value);

    ck_assert_str_eq(out, quote_rows[_i].written);
    ck_assert_uint_eq(length, strlen(out));
    /* Cut anywhere it stays inside, ends in NUL, and still tells the whole length. */
    for (size_t size = 0; size <= length; size++) {
        char small[64];

        memset(small, '#', sizeof(small));
        ck_assert_uint_eq(text_quote(small, size, quote_rows[_i].value), length);
        ck_assert_int_eq(small[size], '#');
        if (size > 0) {
            ck_assert_uint_eq(strlen(small), size - 1);
            ck_assert_int_eq(strncmp(small, out, size - 1), 0);
        }
    }
}
END_TEST

static void event_example(struct event *event)
{
    event_begin(event, "exit", "apic_id_list");
    event->instructions = 1234567;
    event->rip = 0xFFFF808000001234;
    event->symbol = "vc_get_apic_ids";
    event_hex(event, "rax", 0x20);
    event_hex(event, "info1", UINT64_MAX);
    event_hex(event, "gpa", 0x8000123000);
    event_full_only(event);
    event_dec(event, "nth", 2);
    event_string(event, "note", "not valid");
}

static const struct {
    const char *name;
    enum text_form form;
    uint32_t vcpu;
    const char *symbol;
    const char *text;
} form_rows[] = {
    {"full", TEXT_FULL, 0, "vc_get_apic_ids",
     "snpemu-trace 1 full image=svsm-percpu cpus=4 memory_mib=256 seed=1\n"
     "1234567 cpu0 0xffff808000001234 exit apic_id_list rax=0x20 info1=0xffffffffffffffff "
     "gpa=0x8000123000 nth=2 note=\"not valid\" @vc_get_apic_ids\n"
     "digest sha256=00abff\n"},
    {"golden", TEXT_GOLDEN, 0, "vc_get_apic_ids",
     "snpemu-trace 1 golden image=svsm-percpu cpus=4 memory_mib=256 seed=1\n"
     "exit apic_id_list rax=0x20 info1=0xffffffffffffffff nth=2 note=\"not valid\" "
     "@vc_get_apic_ids\n"},
    {"golden, another vCPU", TEXT_GOLDEN, 3, NULL,
     "snpemu-trace 1 golden image=svsm-percpu cpus=4 memory_mib=256 seed=1\n"
     "cpu3 exit apic_id_list rax=0x20 info1=0xffffffffffffffff nth=2 note=\"not valid\"\n"},
    {"hostile symbol", TEXT_GOLDEN, 0, "a b\n",
     "snpemu-trace 1 golden image=svsm-percpu cpus=4 memory_mib=256 seed=1\n"
     "exit apic_id_list rax=0x20 info1=0xffffffffffffffff nth=2 note=\"not valid\" @\"a b\\n\"\n"},
};

START_TEST(text_forms)
{
    static const uint8_t digest[] = {0x00, 0xAB, 0xFF};
    struct text_trace *trace = text_trace_new(form_rows[_i].form, &header, NULL);
    struct error error;
    struct event event;
    size_t size;

    ck_assert_ptr_nonnull(trace);
    event_example(&event);
    event.vcpu = form_rows[_i].vcpu;
    event.symbol = form_rows[_i].symbol;
    trace_emit(&(struct trace){.sink = {text_trace_sink(trace)}, .sink_count = 1}, &event);
    text_trace_digest(trace, digest, sizeof(digest));
    ck_assert_int_eq(text_trace_finish(trace, &error), SNPEMU_OK);
    ck_assert_str_eq(text_trace_text(trace, &size), form_rows[_i].text);
    ck_assert_uint_eq(size, strlen(form_rows[_i].text));
    text_trace_free(trace);
}
END_TEST

START_TEST(text_header_with_firmware)
{
    struct text_header with = header;
    struct text_trace *trace;

    with.firmware = "OVMF";
    with.guest_memory_mib = 64;
    trace = text_trace_new(TEXT_GOLDEN, &with, NULL);
    ck_assert_ptr_nonnull(trace);
    ck_assert_str_eq(text_trace_text(trace, NULL),
                     "snpemu-trace 1 golden image=svsm-percpu cpus=4 memory_mib=256 seed=1 "
                     "firmware=OVMF guest_memory_mib=64\n");
    text_trace_free(trace);
}
END_TEST

START_TEST(text_header_is_quoted)
{
    struct text_header hostile = header;
    struct text_trace *trace;

    hostile.image = "my image\n";
    trace = text_trace_new(TEXT_GOLDEN, &hostile, NULL);
    ck_assert_ptr_nonnull(trace);
    ck_assert_str_eq(text_trace_text(trace, NULL),
                     "snpemu-trace 1 golden image=\"my image\\n\" cpus=4 memory_mib=256 seed=1\n");
    text_trace_free(trace);
}
END_TEST

/* A line of the largest event, all of it escaped, keeps its end. */
START_TEST(text_largest_event)
{
    struct text_trace *trace = text_trace_new(TEXT_GOLDEN, &header, NULL);
    char value[EVENT_TEXT_MAX];
    struct event event;
    const char *text;
    size_t size;

    ck_assert_ptr_nonnull(trace);
    memset(value, 0x01, sizeof(value));
    value[sizeof(value) - 1] = '\0';
    event_begin(&event, "exit", "port_io");
    event_string(&event, "data", value);
    event.symbol = "end";
    text_trace_sink(trace)->emit(text_trace_sink(trace), &event);
    text = text_trace_text(trace, &size);
    ck_assert_uint_gt(size, 4 * (EVENT_TEXT_MAX - 1));
    ck_assert_str_eq(text + size - strlen("\\x01\" @end\n"), "\\x01\" @end\n");
    text_trace_free(trace);
}
END_TEST

START_TEST(text_cut_and_go_on)
{
    struct text_trace *trace = text_trace_new(TEXT_GOLDEN, &header, NULL);
    struct event event;
    char *once;
    size_t start, size;

    ck_assert_ptr_nonnull(trace);
    event_example(&event);
    text_trace_text(trace, &start);
    for (int i = 0; i < 5000; i++) {
        text_trace_sink(trace)->emit(text_trace_sink(trace), &event);
    }
    once = strdup(text_trace_text(trace, &size));
    ck_assert_ptr_nonnull(once);
    ck_assert_uint_eq(strlen(once), size);
    text_trace_cut(trace, start);
    ck_assert_uint_eq(strlen(text_trace_text(trace, NULL)), start);
    for (int i = 0; i < 5000; i++) {
        text_trace_sink(trace)->emit(text_trace_sink(trace), &event);
    }
    ck_assert_str_eq(text_trace_text(trace, NULL), once);
    free(once);
    text_trace_free(trace);
}
END_TEST

START_TEST(text_to_a_file)
{
    char *bytes = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&bytes, &size);
    struct text_trace *trace = text_trace_new(TEXT_GOLDEN, &header, file);
    struct error error;
    struct event event;

    ck_assert_ptr_nonnull(trace);
    event_example(&event);
    text_trace_sink(trace)->emit(text_trace_sink(trace), &event);
    ck_assert_int_eq(text_trace_finish(trace, &error), SNPEMU_OK);
    text_trace_free(trace);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_str_eq(bytes, form_rows[1].text);
    free(bytes);
}
END_TEST

START_TEST(text_to_a_full_disk)
{
    FILE *file = fopen("/dev/full", "w");
    struct text_trace *trace = text_trace_new(TEXT_GOLDEN, &header, file);
    struct error error;
    struct event event;

    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_nonnull(trace);
    event_example(&event);
    for (int i = 0; i < _i; i++) {
        text_trace_sink(trace)->emit(text_trace_sink(trace), &event);
    }
    ck_assert_int_eq(text_trace_finish(trace, &error), SNPEMU_ERR_IO);
    ck_assert_str_eq(error.text, strerror(ENOSPC));
    text_trace_free(trace);
    fclose(file);
}
END_TEST

/* Ladder */

static void ladder_say(struct ladder *ladder, const char *name, const char *topic,
                       const char *words)
{
    struct event event;

    event_begin(&event, name, topic);
    snprintf(event.words, sizeof(event.words), "%s", words);
    ladder_sink(ladder)->emit(ladder_sink(ladder), &event);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;

    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

/* Every rung is as wide as every other one. */
static void assert_rails(const char *text)
{
    const char *line = strchr(text, '\n') + 1;
    size_t width = strcspn(line, "\n");

    while (*line) {
        ck_assert_uint_eq(strcspn(line, "\n"), width);
        ck_assert_int_eq(line[2], '|');
        ck_assert_int_eq(line[width - 1], '|');
        line += width + 1;
    }
}

/* `rounds` exits of one name between two others. */
static const struct {
    int rounds;
    size_t written; /* how often the words of an exit appear */
    const char *more;
} series_rows[] = {
    {0, 0, NULL},
    {1, 1, NULL},
    {2, 2, NULL},
    {3, 1, "... and 2 more: port_io"},
    {600, 1, "... and 599 more: port_io"},
};

START_TEST(ladder_counts_repeats)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    struct ladder *ladder = ladder_new(file, false);

    ladder_say(ladder, "exit", "cpuid", "asks for leaf 0xb");
    ladder_say(ladder, "reply", "cpuid", "the leaf");
    for (int i = 0; i < series_rows[_i].rounds; i++) {
        ladder_say(ladder, "exit", "port_io", "writes a byte");
        ladder_say(ladder, "reply", "port_io", "done");
    }
    ladder_say(ladder, "outcome", NULL, "halted");
    ladder_finish(ladder);
    ladder_free(ladder);
    fclose(file);
    ck_assert_uint_eq(count_of(text, "-- writes a byte --"), series_rows[_i].written);
    ck_assert_uint_eq(count_of(text, "<- done --"), series_rows[_i].written);
    ck_assert_uint_eq(count_of(text, " more: "), series_rows[_i].more ? 1 : 0);
    if (series_rows[_i].more) {
        ck_assert_ptr_nonnull(strstr(text, series_rows[_i].more));
    }
    ck_assert_uint_eq(count_of(text, "halted"), 1);
    ck_assert_uint_eq(count_of(text, "\033"), 0);
    assert_rails(text);
    free(text);
}
END_TEST

/*
 * Steps that come in turn: a capital is an exit with its reply, a small letter something inside.
 * What is written: a letter for each of them, and (N AB) for N further rounds of A and B.
 */
static const struct {
    const char *steps, *written;
} turn_rows[] = {
    {"ABC", "ABC"},
    {"AA", "AA"},
    {"AAA", "A(2 A)"},
    {"ABAB", "ABAB"},
    {"ABABAB", "AB(2 AB)"},
    {"ABABABA", "AB(2 AB)A"},
    {"aBaBaBaBC", "aB(3 aB)C"},
    {"aBaBaBaBa", "aB(3 aB)a"},
    {"ABCABCABCABC", "ABC(3 ABC)"},
    {"ABCABCABCAB", "ABC(2 ABC)AB"},
    {"ABCDABCDABCD", "ABCDABCDABCD"}, /* a round of four is no series */
    {"ABAC", "ABAC"},
    {"ABAA", "ABAA"},
    {"AABAABAAB", "AABAABAAB"},
    {"BbbbAbbb", "Bb(2 b)Ab(2 b)"},
    {"xAAAAAAAABx", "xA(7 A)Bx"},
};

static void ladder_say_steps(struct ladder *ladder, const char *steps)
{
    /* Events have static names. */
    static const char names[26][2] = {"a", "b", "c", "d", [23] = "x"};
    static const char topics[26][2] = {"A", "B", "C", "D"};

    for (const char *c = steps; *c; c++) {
        if (*c >= 'a') {
            ladder_say(ladder, names[*c - 'a'], NULL, names[*c - 'a']);
        } else {
            ladder_say(ladder, "exit", topics[*c - 'A'], topics[*c - 'A']);
            ladder_say(ladder, "reply", topics[*c - 'A'], "reply");
        }
    }
}

/* Read a ladder back: in the notation of the rows. Exits must be followed by their replies. */
static void ladder_read_steps(const char *text, char *written)
{
    for (const char *line = strchr(text, '\n') + 1; *line; line = strchr(line, '\n') + 1) {
        const char *words = line + strcspn(line, "|") + 4;
        unsigned long more;
        int end;

        if (strncmp(words, "reply", 5) == 0) {
            ck_assert(written[-1] <= 'Z');
        } else if (sscanf(words, "... and %lu more:%n", &more, &end) == 1) {
            written += sprintf(written, "(%lu ", more);
            for (const char *c = words + end; *c != '|'; c++) {
                if (*c != ' ' && *c != ',') {
                    *written++ = *c;
                }
            }
            *written++ = ')';
        } else {
            *written++ = *words;
        }
    }
    *written = '\0';
}

START_TEST(ladder_counts_turns)
{
    char *text = NULL, written[64] = "";
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    struct ladder *ladder = ladder_new(file, false);

    ladder_say_steps(ladder, turn_rows[_i].steps);
    ladder_finish(ladder);
    ladder_free(ladder);
    fclose(file);
    ladder_read_steps(text, written + 1);
    ck_assert_str_eq(written + 1, turn_rows[_i].written);
    assert_rails(text);
    free(text);
}
END_TEST

START_TEST(ladder_shows_strange_words)
{
    char *text = NULL, words[160];
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    struct ladder *ladder = ladder_new(file, false);

    memset(words, 'w', sizeof(words) - 1);
    words[sizeof(words) - 1] = '\0';
    ladder_say(ladder, "exit", "one", words); /* one word longer than a rung */
    for (size_t i = 5; i < sizeof(words) - 1; i += 6) {
        words[i] = ' ';
    }
    ladder_say(ladder, "exit", "two", words);
    ladder_say(ladder, "exit", "three", "\033[2J\xff\n.");
    ladder_say(ladder, "pvalidate", NULL, ""); /* without words: not shown */
    ladder_finish(ladder);
    ladder_free(ladder);
    fclose(file);
    ck_assert_ptr_nonnull(strstr(text, "?[2J??."));
    ck_assert_uint_eq(count_of(text, "w"), 159 + 133);
    assert_rails(text);
    free(text);
}
END_TEST

/* Diff */

static const struct {
    const char *name, *from, *to;
    size_t max_lines;
    const char *diff;
} diff_rows[] = {
    {"both empty", "", "", 0, ""},
    {"equal", "a\nb\n", "a\nb\n", 0, ""},
    {"one line differs", "a\nb\nc\n", "a\nx\nc\n", 0,
     "--- A\n+++ B\n@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n"},
    {"from empty", "", "a\n", 0, "--- A\n+++ B\n@@ -0,0 +1 @@\n+a\n"},
    {"to empty", "a\nb\n", "", 0, "--- A\n+++ B\n@@ -1,2 +0,0 @@\n-a\n-b\n"},
    {"added at the end", "a\nb\nc\nd\n", "a\nb\nc\nd\ne\n", 0,
     "--- A\n+++ B\n@@ -2,3 +2,4 @@\n b\n c\n d\n+e\n"},
    {"removed at the start", "a\nb\nc\nd\ne\n", "b\nc\nd\ne\n", 0,
     "--- A\n+++ B\n@@ -1,4 +1,3 @@\n-a\n b\n c\n d\n"},
    {"newline missing in one", "a\nb\n", "a\nb", 0,
     "--- A\n+++ B\n@@ -1,2 +1,2 @@\n a\n-b\n+b\n\\ No newline at end of file\n"},
    {"newline missing in both", "a\nb", "x\nb", 0,
     "--- A\n+++ B\n@@ -1,2 +1,2 @@\n-a\n+x\n b\n\\ No newline at end of file\n"},
    {"an insertion is found among equal lines", "r\nr\nq\nr\n", "r\nr\nr\nq\nr\n", 0,
     "--- A\n+++ B\n@@ -1,4 +1,5 @@\n r\n r\n+r\n q\n r\n"},
    {"six lines between: one hunk", "a\n1\n2\n3\n4\n5\n6\nb\n", "x\n1\n2\n3\n4\n5\n6\ny\n", 0,
     "--- A\n+++ B\n@@ -1,8 +1,8 @@\n-a\n+x\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+y\n"},
    {"seven lines between: two hunks", "a\n1\n2\n3\n4\n5\n6\n7\nb\n", "1\n2\n3\n4\n5\n6\n7\ny\n", 0,
     "--- A\n+++ B\n@@ -1,4 +1,3 @@\n-a\n 1\n 2\n 3\n"
     "@@ -6,4 +5,4 @@\n 5\n 6\n 7\n-b\n+y\n"},
    {"cut", "a\nb\nc\n", "x\ny\nz\n", 2,
     "--- A\n+++ B\n@@ -1,3 +1,3 @@\n-a\n-b\n... (the difference goes on)\n"},
    {"not cut when it just fits", "a\n", "b\n", 2, "--- A\n+++ B\n@@ -1 +1 @@\n-a\n+b\n"},
};

START_TEST(diff_texts)
{
    struct diff_side from = {"A", diff_rows[_i].from, strlen(diff_rows[_i].from)};
    struct diff_side to = {"B", diff_rows[_i].to, strlen(diff_rows[_i].to)};
    char *diff = NULL;

    ck_assert_int_eq(diff_unified(&from, &to, diff_rows[_i].max_lines, &diff), SNPEMU_OK);
    ck_assert_msg(strcmp(diff, diff_rows[_i].diff) == 0, "%s:\n%s", diff_rows[_i].name, diff);
    free(diff);
}
END_TEST

/* A line of the text under construction below: one of few, so that equal lines are common. */
static void put_line(FILE *file, unsigned *random)
{
    *random = *random * 1103515245u + 12345u;
    fprintf(file, "%u\n", *random >> 16 & 3);
}

/* Apply a diff without cuts as patch(1) would, and refuse what does not fit. */
static bool diff_apply(const char *from, const char *diff, FILE *out)
{
    size_t line = 1;

    while (*diff) {
        const char *end = strchr(diff, '\n') + 1;
        size_t start = 0;

        if (strncmp(diff, "--- ", 4) == 0 || strncmp(diff, "+++ ", 4) == 0) {
            diff = end;
            continue;
        }
        if (sscanf(diff, "@@ -%zu", &start) == 1) {
            start += strncmp(strchr(diff, '-') + 1 + strcspn(strchr(diff, '-') + 1, ", "), ",0 ",
                             3) == 0;
            for (; line < start; line++) {
                const char *next = strchr(from, '\n') + 1;

                fwrite(from, 1, (size_t)(next - from), out);
                from = next;
            }
        } else if (*diff == '+') {
            fwrite(diff + 1, 1, (size_t)(end - diff - 1), out);
        } else {
            size_t length = (size_t)(end - diff - 1);

            if (strncmp(from, diff + 1, length) != 0) {
                return false;
            }
            if (*diff == ' ') {
                fwrite(from, 1, length, out);
            }
            from += length;
            line++;
        }
        diff = end;
    }
    fputs(from, out);
    return true;
}

/* Whatever the texts: applied to the one, the diff gives the other. */
START_TEST(diff_applies)
{
    static const size_t edits[] = {1, 3, 10, 50, 400, 3000};
    char *from = NULL, *to = NULL, *diff = NULL, *applied = NULL;
    size_t from_size = 0, to_size = 0, applied_size = 0;
    FILE *a = open_memstream(&from, &from_size), *b = open_memstream(&to, &to_size);
    FILE *c = open_memstream(&applied, &applied_size);
    unsigned random = (unsigned)_i + 1;
    size_t every = 6000 / edits[_i % (int)ROWS(edits)];

    for (size_t i = 0; i < 6000; i++) {
        unsigned before = random, same = before;

        put_line(a, &random);
        if (i % every != every / 2) {
            put_line(b, &same);
        } else if (random & 0x40000) {
            put_line(b, &random);
            put_line(b, &random);
        }
    }
    fclose(a);
    fclose(b);
    ck_assert_int_eq(diff_unified(&(struct diff_side){"A", from, from_size},
                                  &(struct diff_side){"B", to, to_size}, 0, &diff),
                     SNPEMU_OK);
    ck_assert(strcmp(from, to) == 0 || *diff);
    ck_assert(diff_apply(from, diff, c));
    fclose(c);
    ck_assert_str_eq(applied, to);
    free(from);
    free(to);
    free(diff);
    free(applied);
}
END_TEST

/* Meaning */

static const struct {
    const char *text;
    int status;
    uint8_t set, code;
} termination_rows[] = {
    {"0xf:0x6", SNPEMU_OK, 0xF, 0x6},
    {"f:6", SNPEMU_OK, 0xF, 0x6},
    {"0xF:0xA", SNPEMU_OK, 0xF, 0xA},
    {"0:0", SNPEMU_OK, 0, 0},
    {"0xf:0xff", SNPEMU_OK, 0xF, 0xFF},
    {"0x6f100", SNPEMU_OK, 0xF, 0x6},
    {"100", SNPEMU_OK, 0, 0},
    {"0x20100", SNPEMU_OK, 0, 2},
    {"", SNPEMU_ERR_INPUT, 0, 0},
    {":", SNPEMU_ERR_INPUT, 0, 0},
    {"f:", SNPEMU_ERR_INPUT, 0, 0},
    {":6", SNPEMU_ERR_INPUT, 0, 0},
    {"0x10:0x6", SNPEMU_ERR_INPUT, 0, 0},
    {"0xf:0x100", SNPEMU_ERR_INPUT, 0, 0},
    {"0xf:0x6 ", SNPEMU_ERR_INPUT, 0, 0},
    {" 0xf:0x6", SNPEMU_ERR_INPUT, 0, 0},
    {"0xf:-1", SNPEMU_ERR_INPUT, 0, 0},
    {"0xf:+1", SNPEMU_ERR_INPUT, 0, 0},
    {"0x0xf:0x6", SNPEMU_ERR_INPUT, 0, 0},
    {"0xf:0x:6", SNPEMU_ERR_INPUT, 0, 0},
    {"0xf:0x6:1", SNPEMU_ERR_INPUT, 0, 0},
    {"0xf:fffffffffffffffffffffff", SNPEMU_ERR_INPUT, 0, 0},
    {"0x6f101", SNPEMU_ERR_INPUT, 0, 0},
    {"0x106f100", SNPEMU_ERR_INPUT, 0, 0},
    {"halted", SNPEMU_ERR_INPUT, 0, 0},
};

START_TEST(termination_is_read)
{
    uint8_t set = 0, code = 0;

    ck_assert_msg(termination_parse(termination_rows[_i].text, &set, &code) ==
                      termination_rows[_i].status,
                  "%s", termination_rows[_i].text);
    ck_assert_uint_eq(set, termination_rows[_i].set);
    ck_assert_uint_eq(code, termination_rows[_i].code);
}
END_TEST

START_TEST(termination_table)
{
    const struct termination *row, *before = NULL;
    size_t per_set[16] = {0};

    for (size_t i = 0; (row = termination_at(i)) != NULL; i++) {
        ck_assert_ptr_eq(termination_find(row->set, row->code), row);
        ck_assert_ptr_nonnull(termination_set_name(row->set));
        ck_assert_ptr_nonnull(row->source);
        ck_assert(!before || before->set < row->set ||
                  (before->set == row->set && before->code < row->code));
        per_set[row->set]++;
        before = row;
    }
    ck_assert_uint_eq(per_set[0x0], 3);
    ck_assert_uint_eq(per_set[0x1], 13);
    ck_assert_uint_eq(per_set[0xF], 13 + 59);
    ck_assert_ptr_null(termination_find(0xF, 0x33));
    ck_assert_str_eq(termination_who(0xF, 0x6), "linux-svsm");
    ck_assert_str_eq(termination_who(0xF, 0x40), "svsm-hardened");
    ck_assert_str_eq(termination_who(0x0, 0x40), "GHCB specification");
    ck_assert_ptr_null(termination_set_name(0x7));
}
END_TEST

/* Each use is one of a row, and the four guests are there. */
START_TEST(termination_uses)
{
    static const char *const guests[] = {"linux-svsm", "COCONUT-SVSM", "Linux", "edk2 (OVMF)"};
    const struct termination_use *use;

    for (size_t i = 0; i < ROWS(guests); i++) {
        use = termination_use_at(0, 0, i);
        ck_assert_ptr_nonnull(use);
        ck_assert_str_eq(use->guest, guests[i]);
        ck_assert(use->meaning && use->source);
    }
    ck_assert_ptr_null(termination_use_at(0, 0, ROWS(guests)));
    ck_assert_str_eq(termination_use_at(0, 1, 2)->guest, "edk2 (OVMF)");
    ck_assert_ptr_null(termination_use_at(0xF, 0x6, 0));
}
END_TEST

START_TEST(all_outcomes_and_verdicts_have_words)
{
    for (int i = 0; i < OUTCOME_KIND_COUNT; i++) {
        ck_assert_ptr_nonnull(outcome_meaning((enum outcome_kind)i));
    }
    for (int i = 0; i < VERDICT_COUNT; i++) {
        ck_assert_ptr_nonnull(verdict_meaning((enum verdict)i));
    }
}
END_TEST

static Suite *trace_suite(void)
{
    Suite *suite = suite_create("trace");
    TCase *tests = tcase_create("trace");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, event_too_many_fields);
    tcase_add_loop_test(tests, event_text_is_cut_to_fit, 0, ROWS(text_rows));
    tcase_add_test(tests, trace_without_listeners);
    tcase_add_loop_test(tests, text_quotes, 0, ROWS(quote_rows));
    tcase_add_loop_test(tests, text_forms, 0, ROWS(form_rows));
    tcase_add_test(tests, text_header_with_firmware);
    tcase_add_test(tests, text_header_is_quoted);
    tcase_add_test(tests, text_largest_event);
    tcase_add_test(tests, text_cut_and_go_on);
    tcase_add_test(tests, text_to_a_file);
    /* Few events fail when they are flushed, many while they are written. */
    tcase_add_loop_test(tests, text_to_a_full_disk, 0, 1);
    tcase_add_loop_test(tests, text_to_a_full_disk, 999, 1000);
    tcase_add_loop_test(tests, ladder_counts_repeats, 0, ROWS(series_rows));
    tcase_add_loop_test(tests, ladder_counts_turns, 0, ROWS(turn_rows));
    tcase_add_test(tests, ladder_shows_strange_words);
    tcase_add_loop_test(tests, diff_texts, 0, ROWS(diff_rows));
    tcase_add_loop_test(tests, diff_applies, 0, 24);
    tcase_add_loop_test(tests, termination_is_read, 0, ROWS(termination_rows));
    tcase_add_test(tests, termination_table);
    tcase_add_test(tests, termination_uses);
    tcase_add_test(tests, all_outcomes_and_verdicts_have_words);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(trace_suite());
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
