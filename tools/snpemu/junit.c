/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "junit.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The length of the UTF-8 character at `text`, or 0 when it is none that XML 1.0 (2.2) allows. */
static size_t character_length(const unsigned char *text)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } rows[] = {{0x80, 0x00, 0x20}, {0xE0, 0xC0, 0x80}, {0xF0, 0xE0, 0x800}, {0xF8, 0xF0, 0x10000}};

    if (*text == '\n' || *text == '\t') {
        return 1;
    }
    for (size_t length = 1; length <= sizeof(rows) / sizeof(rows[0]); length++) {
        uint32_t code = *text & (uint8_t)~rows[length - 1].mask;

        if ((*text & rows[length - 1].mask) != rows[length - 1].lead) {
            continue;
        }
        for (size_t i = 1; i < length; i++) {
            if ((text[i] & 0xC0) != 0x80) {
                return 0;
            }
            code = code << 6 | (text[i] & 0x3F);
        }
        return code >= rows[length - 1].least && code <= 0x10FFFF && code != 0xFFFE &&
                       code != 0xFFFF && code != 0x7F && (code < 0xD800 || code > 0xDFFF)
                   ? length
                   : 0;
    }
    return 0;
}

static void put_escaped(FILE *file, const char *text, size_t size)
{
    static const struct {
        char c;
        const char *entity;
    } rows[] = {{'&', "&amp;"},  {'<', "&lt;"},   {'>', "&gt;"}, {'"', "&quot;"},
                {'\'', "&#39;"}, {'\n', "&#10;"}, {'\t', "&#9;"}};
    const unsigned char *at = (const unsigned char *)text, *end = at + size;

    while (at < end) {
        size_t length = character_length(at), row = 0;

        while (row < sizeof(rows) / sizeof(rows[0]) && (char)*at != rows[row].c) {
            row++;
        }
        if (row < sizeof(rows) / sizeof(rows[0])) {
            fputs(rows[row].entity, file);
            at++;
        } else if (length == 0 || at + length > end) {
            fputc('?', file);
            at++;
        } else {
            fwrite(at, 1, length, file);
            at += length;
        }
    }
}

/* "a/b/c" is the case c of the class a.b */
static void put_name(FILE *file, const char *name)
{
    const char *slash = strrchr(name, '/');

    fputs("    <testcase classname=\"", file);
    if (!slash) {
        fputs("fixtures", file);
    }
    for (const char *c = name; slash && c < slash; c++) {
        put_escaped(file, *c == '/' ? "." : c, 1);
    }
    fputs("\" name=\"", file);
    put_escaped(file, slash ? slash + 1 : name, strlen(slash ? slash + 1 : name));
}

static void put_case(FILE *file, const struct job *job)
{
    /* JUnit tells a check that failed from a test that could not be carried out. */
    const char *element = job->report.result == FIXTURE_FAILED ? "failure" : "error";
    const char *details = job->report.details ? job->report.details : "";

    put_name(file, job->name);
    fprintf(file, "\" time=\"%.3f\"", job->seconds);
    if (job->report.result < FIXTURE_FAILED) {
        fputs("/>\n", file);
        return;
    }
    fprintf(file, ">\n      <%s message=\"", element);
    put_escaped(file, job->report.why, strlen(job->report.why));
    fputs("\">", file);
    put_escaped(file, details, strlen(details));
    fprintf(file, "</%s>\n    </testcase>\n", element);
}

void junit_write(FILE *file, const struct job *job, size_t count)
{
    size_t failures = 0, errors = 0;
    double seconds = 0;

    for (size_t i = 0; i < count; i++) {
        failures += job[i].report.result == FIXTURE_FAILED;
        errors += job[i].report.result > FIXTURE_FAILED;
        seconds += job[i].seconds;
    }
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n", file);
    fprintf(file,
            "  <testsuite name=\"snpemu\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" "
            "time=\"%.3f\">\n",
            count, failures, errors, seconds);
    for (size_t i = 0; i < count; i++) {
        put_case(file, &job[i]);
    }
    fputs("  </testsuite>\n</testsuites>\n", file);
}
