/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A combination as a scenario: what host.c does, in Lua, in the same order.
 */
#include <inttypes.h>

#include "abi/x86.h"
#include "check/oracle.h"
#include "product.h"

/* A text as Lua reads it: no byte of a path is special. */
static void put_text(FILE *file, const char *text)
{
    putc('"', file);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c < ' ' || c == '"' || c == '\\' || c >= 0x7F) {
            fprintf(file, "\\%03u", c);
        } else {
            putc(c, file);
        }
    }
    putc('"', file);
}

static void put_place(FILE *file, const struct deed *deed)
{
    fprintf(file, "%s + %" PRId64, deed->place == PLACE_LIST ? "exit.info1" : "exit.ghcb_gpa",
            deed->offset);
}

static void put_deed(FILE *file, const struct deed *deed)
{
    const char *field = ghcb_field_rows[deed->field].name;

    fprintf(file, "    ");
    if (deed->kind >= DEED_READ && (deed->place == PLACE_LIST || deed->kind >= DEED_REMAP)) {
        fprintf(file, "if lent ~= 0 then ");
    } else {
        fprintf(file, "do ");
    }
    switch (deed->kind) {
    case DEED_SET:
        fprintf(file, "reply.%s = 0x%" PRIx64, field, deed->value);
        break;
    case DEED_ADD:
        fprintf(file, "reply.%s = marked(exit, \"%s\") + 0x%" PRIx64, field, field, deed->value);
        break;
    case DEED_UNMARK:
        fprintf(file, "reply:unmark(\"%s\")", field);
        break;
    case DEED_KEEP_MARKS:
    case DEED_NOTHING:
        fprintf(file, "reply:keep_marks()");
        break;
    case DEED_REPEAT:
        fprintf(file, "reply:repeat_answer()");
        break;
    case DEED_READ:
        fprintf(file, "reply:on_read{ gpa = ");
        put_place(file, deed);
        fprintf(file, ", size = %u, nth = %" PRIu64 ", value = 0x%" PRIx64 ", unused_ok = true }",
                deed->size_bytes, deed->nth, deed->value);
        break;
    case DEED_ASSIGN:
    case DEED_UNASSIGN:
        fprintf(file, "reply:%s{ gpa = ", deed->kind == DEED_ASSIGN ? "assign" : "unassign");
        put_place(file, deed);
        fprintf(file, " }");
        break;
    case DEED_REMAP:
    case DEED_SWAP:
        fprintf(file,
                "reply:%s{ gpa = exit.info1, %s = ", deed->kind == DEED_REMAP ? "remap" : "swap",
                deed->kind == DEED_REMAP ? "to" : "with");
        put_place(file, deed);
        fprintf(file, " }");
        break;
    case DEED_NONE:
    case DEED_KIND_COUNT:
        break;
    }
    fprintf(file, " end\n");
}

static void put_list(FILE *file, const struct product_row *row, uint32_t cpus)
{
    fprintf(file, "    local words = { string.pack(\"<I4\", 0x%" PRIx32 ") }\n", row->count);
    for (size_t i = 0; i < ID_RUNS_MAX; i++) {
        const struct id_run *run = &row->run[i];

        if (run->count > 0) {
            fprintf(file,
                    "    for k = 0, %" PRIu32 " do\n"
                    "      words[#words + 1] = string.pack(\"<I4\", (0x%" PRIx32 " + k * 0x%" PRIx32
                    ") & 0xFFFFFFFF)\n    end\n",
                    run->count - 1, run->first, run->step);
        }
    }
    fprintf(file,
            "    while #words <= %" PRIu32 " do words[#words + 1] = string.pack(\"<I4\", 0) end\n"
            "    if lent ~= 0 then\n"
            "      local room = math.ult(lent, %d) and lent or %d\n"
            "      reply:write{ gpa = exit.info1, bytes = string.sub(table.concat(words), 1, "
            "room * %d) }\n"
            "    end\n",
            cpus, PRODUCT_LENT_MAX, PRODUCT_LENT_MAX, (int)PAGE_SIZE);
}

static bool answers(const struct combination *combination, unsigned exit)
{
    for (size_t axis = 0; axis < AXIS_COUNT; axis++) {
        const struct deed *deed = &combination->row[axis]->deed[0];

        if (deed->exit == exit && deed->kind == DEED_NOTHING) {
            return false;
        }
    }
    return true;
}

static void put_exit(FILE *file, const struct combination *combination, unsigned exit,
                     uint32_t cpus)
{
    static const enum product_axis order[] = {AXIS_FIRST, AXIS_SECOND, AXIS_CHANGE};

    fprintf(file, "  if exit.nth == %u then\n", exit);
    if (answers(combination, exit)) {
        fprintf(file, "    reply:honest()\n");
    }
    if (exit == 2) {
        put_list(file, combination->row[AXIS_SHAPE], cpus);
    }
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        for (size_t k = 0; k < DEEDS_MAX; k++) {
            const struct deed *deed = &combination->row[order[i]]->deed[k];

            if (deed->exit == exit) {
                put_deed(file, deed);
            }
        }
    }
    fprintf(file, "    return\n  end\n");
}

/* As a list of names in Lua. */
static void put_oracles(FILE *file, uint32_t oracles)
{
    fprintf(file, "{");
    for (enum oracle_kind kind = 0; kind < ORACLE_COUNT; kind++) {
        if (oracles & ORACLE_BIT(kind)) {
            fprintf(file, " \"%s\",", oracle_name(kind));
        }
    }
    fprintf(file, " }");
}

static void put_base(FILE *file, const struct product_script *script, uint32_t cpus)
{
    const struct scenario *scenario = script->subject->scenario;
    const struct outcome *outcome = script->outcome;

    fprintf(file, "  image = ");
    put_text(file, script->image);
    if (script->firmware) {
        fprintf(file, ",\n  firmware = ");
        put_text(file, script->firmware);
    }
    fprintf(file,
            ",\n  cpus = %" PRIu32 ",\n  seed = %" PRIu64 ",\n  budget = %" PRIu64
            ",\n  exit_budget = %" PRIu64 ",\n",
            cpus, scenario->seed, scenario->budget, scenario->exit_budget);
    fprintf(file, "  oracles = ");
    put_oracles(file, scenario->oracles);
    fprintf(file, ",\n  expect = { outcome = \"%s", outcome_name(outcome->kind));
    if (outcome->kind == OUTCOME_TERMINATED) {
        fprintf(file, " 0x%x:0x%x", outcome->term_set, outcome->term_code);
    }
    fprintf(file, "\", verdict = \"%s\", oracles = ", verdict_name(outcome_verdict(outcome)));
    put_oracles(file, outcome->oracles);
    fprintf(file, " },\n");
}

static void put_head(FILE *file, const struct product_script *script)
{
    fprintf(file, "-- snpemu run --until %s THIS_FILE\n", script->until);
}

void product_print_scenario(FILE *file, const struct product_script *script,
                            const struct combination *combination)
{
    uint32_t cpus = script->subject->scenario->cpus;

    put_head(file, script);
    for (size_t axis = 0; axis < AXIS_COUNT; axis++) {
        const struct product_row *row = combination->row[axis];

        fprintf(file, "-- %s: %s (%s)\n", product_axis_names[axis], row->name, row->words);
    }
    fprintf(file, "-- It ends after %" PRIu64 " instructions and %" PRIu64 " exits.\n",
            script->outcome->instructions, script->outcome->exits);
    fprintf(file, "local function marked(exit, name)\n"
                  "  return exit.marked[name] and exit[name] or 0\nend\n"
                  "local function list(exit, reply)\n"
                  "  local gpa, lent = marked(exit, \"info1\"), 0\n");
    fprintf(file,
            "  if gpa ~= 0 and gpa & 0xFFF == 0 and math.ult(gpa, 0x%llX) then\n"
            "    lent = marked(exit, \"rax\")\n  end\n",
            PRODUCT_GPA_MAX);
    put_exit(file, combination, 1, cpus);
    put_exit(file, combination, 2, cpus);
    fprintf(file, "  reply:honest()\nend\nreturn {\n");
    put_base(file, script, cpus);
    fprintf(file, "  on = { apic_id_list = list },\n}\n");
}

void honest_print_scenario(FILE *file, const struct product_script *script,
                           const struct honest_list *list)
{
    put_head(file, script);
    fprintf(file, "return {\n");
    put_base(file, script, list->count);
    fprintf(file, "  host = { apic_ids = { bsp = 0x%" PRIx32 ", ids = {", list->bsp);
    for (uint32_t i = 0; i < list->count; i++) {
        fprintf(file, "%s0x%" PRIx32 ",", i % 8 ? " " : "\n    ", list->id[i]);
    }
    fprintf(file, "\n  } } },\n}\n");
}
