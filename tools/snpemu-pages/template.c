/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "pages.h"

#define LINE_MAX_BYTES 4096
#define BRIEF_MIN 12 /* bytes */
#define BRIEF_MAX 90

void pages_brief(char *brief, size_t size, const char *text)
{
    size_t length = 0, blank = 0;

    for (; text[length] && length < BRIEF_MAX && length + 4 < size; length++) {
        bool stop = text[length] == '(' || (strchr(".;:", text[length]) && text[length + 1] == ' ');

        if (stop && length > BRIEF_MIN) {
            break;
        }
        blank = text[length] == ' ' ? length : blank;
    }
    if (text[length] && !strchr(".;:(", text[length])) {
        snprintf(brief, size, "%.*s...", (int)blank, text);
        return;
    }
    while (length > 0 && strchr(" .", text[length - 1])) {
        length--;
    }
    snprintf(brief, size, "%.*s", (int)length, text);
}

void pages_quote(FILE *file, const char *text, const char *special)
{
    fputc('\'', file);
    for (; *text; text++) {
        if (*text == '\'') {
            fputs("'\\''", file);
            continue;
        }
        if (strchr(special, *text)) {
            fputc('\\', file);
        }
        fputc(*text, file);
    }
    fputc('\'', file);
}

bool template_fill(FILE *out, FILE *in, struct blank *blank, size_t count)
{
    char line[LINE_MAX_BYTES];
    bool all = true;

    while (fgets(line, sizeof(line), in)) {
        struct blank *found = NULL;
        size_t length = strcspn(line, "\n");

        for (size_t i = 0; i < count && line[0] == '@' && length > 2; i++) {
            if (strlen(blank[i].name) == length - 2 &&
                strncmp(line + 1, blank[i].name, length - 2) == 0 && line[length - 1] == '@') {
                found = &blank[i];
            }
        }
        if (found) {
            found->print(out);
            found->seen = true;
        } else {
            fputs(line, out);
        }
    }
    for (size_t i = 0; i < count; i++) {
        all &= blank[i].seen;
    }
    return all;
}
