/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading scenarios: what a good one means, and one clear line for each bad one. Handlers at run
 * time are in test_script.c.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ghcb/table.h"
#include "host/scenario.h"
#include "script_file.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* Load the text; the caller frees the scenario. */
static int load(const char *text, size_t size_bytes, struct scenario **scenario,
                struct error *error)
{
    struct script_file file;
    int status;

    memset(error, 0, sizeof(*error));
    script_file_write(&file, text, size_bytes);
    status = scenario_load(scenario, file.path, error);
    script_file_remove(&file);
    return status;
}

static struct scenario *load_good(const char *text)
{
    struct scenario *scenario;
    struct error error;
    int status = load(text, strlen(text), &scenario, &error);

    ck_assert_msg(status == SNPEMU_OK, "%s", error.text);
    return scenario;
}

START_TEST(defaults)
{
    struct scenario *scenario = load_good("return { image = 'svsm-percpu' }");

    ck_assert_str_eq(scenario->image, "svsm-percpu");
    ck_assert_str_eq(scenario->name, "case");
    ck_assert_uint_eq(scenario->cpus, 1);
    ck_assert_uint_eq(scenario->memory_mib, 0);
    ck_assert_uint_eq(scenario->budget, SCENARIO_BUDGET_DEFAULT);
    ck_assert_uint_eq(scenario->exit_budget, SCENARIO_EXIT_BUDGET_DEFAULT);
    ck_assert_uint_eq(scenario->seed, SCENARIO_SEED_DEFAULT);
    ck_assert_uint_eq(scenario->host.apic_id_count, 1);
    ck_assert(!scenario->scripted);
    ck_assert(!scenario->expect.given);
    ck_assert(!scenario->unused_ok);
    scenario_free(scenario);
}
END_TEST

START_TEST(firmware)
{
    static const struct {
        const char *source, *firmware;
    } rows[] = {
        {"return { image = 'x' }", NULL},
        {"return { image = 'x', firmware = false }", NULL},
        {"return { image = 'x', firmware = true }", "firmware"},
        {"return { image = 'x', firmware = 'OVMF.fd', guest_memory_mib = 64 }", "OVMF.fd"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scenario *scenario = load_good(rows[i].source);

        ck_assert_pstr_eq(scenario->firmware, rows[i].firmware);
        ck_assert_uint_eq(scenario->guest_memory_mib,
                          i == 3 ? 64 : SCENARIO_GUEST_MEMORY_MIB_DEFAULT);
        scenario_free(scenario);
    }
}
END_TEST

START_TEST(all_fields)
{
    struct scenario *scenario = load_good(
        "local ids = {}\n"
        "for i = 1, 8 do ids[i] = 2 * i end\n"
        "return { image = 'a/b.elf', cpus = 8, memory_mib = 64, budget = 1e9, exit_budget = 10,\n"
        "  seed = '0xFFFFFFFFFFFFFFFF', unused_ok = true,\n"
        "  host = { apic_ids = { ids = ids, bsp = 4, pages = 2^52, count = 0xFFFFFFFF },\n"
        "    versions = { min = 2, max = 3 }, features = 0xFFFFFFFFFFFFFFFF, sev_features = 9,\n"
        "    cbit = 47, prevalidated = { 0x8000000000, '0x8000001000' },\n"
        "    cpuid = { remove = { { leaf = 0xB, subleaf = 0 } },\n"
        "              set = { { leaf = 1, ebx = 5 }, { leaf = 0x40000000, eax = 7 } } } },\n"
        "  on = { cpuid = function(exit, reply) end },\n"
        "  expect = { outcome = 'terminated 0xf:0x6', verdict = 'contained', serial = 'CPU',\n"
        "    panic = 'assert', state = { b = { { offset = 4, size = 4, value = 1 }, 2 }, a = 3 } } "
        "}");
    const struct hypervisor_config *host = &scenario->host;
    const struct expect *expect = &scenario->expect;
    struct hypervisor_config honest;

    ck_assert_uint_eq(scenario->cpus, 8);
    ck_assert_uint_eq(scenario->budget, 1000000000);
    ck_assert_uint_eq(scenario->seed, UINT64_MAX);
    ck_assert(scenario->unused_ok && scenario->scripted);
    ck_assert_uint_eq(host->apic_id_count, 8);
    ck_assert_uint_eq(host->apic_id[7], 16);
    ck_assert_uint_eq(host->bsp_apic_id, 4);
    ck_assert(host->apic_pages_set && host->apic_pages == 1ULL << 52);
    ck_assert(host->apic_count_set && host->apic_count == UINT32_MAX);
    ck_assert_uint_eq(host->version_max, 3);
    ck_assert_uint_eq(host->features, UINT64_MAX);
    ck_assert_uint_eq(host->prevalidated[1], 0x8000001000);

    hypervisor_config_init(&honest, 8);
    ck_assert_uint_eq(host->cpuid_count, honest.cpuid_count); /* one out, one in */
    ck_assert_uint_eq(host->cpuid[host->cpuid_count - 1].eax_in, 0x40000000);
    ck_assert_uint_eq(host->cpuid[1].ebx, 5);
    ck_assert_uint_eq(host->cpuid[1].eax, honest.cpuid[1].eax);

    ck_assert(expect->given && expect->term_given && expect->verdict_given);
    ck_assert_uint_eq(expect->term_code, 6);
    ck_assert_uint_eq(expect->state_count, 3);
    ck_assert_str_eq(expect->state[0].symbol, "a");
    ck_assert_uint_eq(expect->state[0].size_bytes, 8);
    ck_assert_uint_eq(expect->state[1].offset, 4);
    ck_assert_uint_eq(expect->state[2].value, 2);
    scenario_free(scenario);
}
END_TEST

START_TEST(devices)
{
    struct scenario *scenario =
        load_good("return { image = 'x', strict = true, host = {\n"
                  "  fw_cfg = { ['opt/b'] = 'bytes', ['etc/a'] = '\\0\\1' },\n"
                  "  mmio = { { gpa = 0xFED00000, size = 16, bytes = 'ab' },\n"
                  "           { gpa = '0xFED00010', size = 4, read_only = true } } } }");
    const struct fw_cfg_files *files = &scenario->host.fw_cfg;
    const struct mmio_devices *mmio = &scenario->host.mmio;

    ck_assert(scenario->strict);
    ck_assert_uint_eq(files->count, 2);
    ck_assert_str_eq(files->file[0].name, "etc/a"); /* in the order of names */
    ck_assert_uint_eq(files->file[0].size_bytes, 2);
    ck_assert_mem_eq(files->bytes + files->file[0].offset, "\0\1", 2);
    ck_assert_mem_eq(files->bytes + files->file[1].offset, "bytes", 5);
    ck_assert_uint_eq(mmio->count, 2);
    ck_assert_uint_eq(mmio->device[1].gpa, 0xFED00010);
    ck_assert(!mmio->device[0].read_only && mmio->device[1].read_only);
    ck_assert_mem_eq(mmio->initial + mmio->device[0].offset, "ab\0", 3);
    scenario_free(scenario);
}
END_TEST

START_TEST(attestation)
{
    static const uint8_t guid[16] = {0x63, 0xDA, 0x75, 0x8D, 0xE6, 0x64, 0x45, 0x64,
                                     0xAD, 0xC5, 0xF4, 0xB9, 0x3B, 0xE8, 0xAC, 0xCD};
    struct scenario *scenario =
        load_good("return { image = 'x', host = { policy = '0xA0000', host_data = 'a\\0b',\n"
                  "  certificates = {\n"
                  "    { guid = '63DA758D-e664-4564-adc5-f4b93be8accd', bytes = 'c\\0d' },\n"
                  "    { guid = '00000000-0000-0000-0000-000000000001', bytes = '' } } } }");
    const struct certificates *certificates = &scenario->host.certificates;

    ck_assert_uint_eq(scenario->host.policy, 0xA0000);
    ck_assert_mem_eq(scenario->host.host_data, "a\0b\0", 4);
    ck_assert(certificates->given);
    ck_assert_uint_eq(certificates->count, 2);
    ck_assert_mem_eq(certificates->entry[0].guid, guid, 16);
    ck_assert_uint_eq(certificates->entry[0].size, 3);
    ck_assert_mem_eq(certificates->bytes, "c\0d", 3);
    scenario_free(scenario);
    scenario = load_good("return { image = 'x' }");
    ck_assert_uint_eq(scenario->host.policy, 0x30000);
    ck_assert(!scenario->host.certificates.given);
    scenario_free(scenario);
    scenario = load_good("return { image = 'x', host = { certificates = {} } }");
    ck_assert(scenario->host.certificates.given);
    ck_assert_uint_eq(scenario->host.certificates.count, 0);
    scenario_free(scenario);
}
END_TEST

START_TEST(places)
{
    struct scenario *scenario =
        load_good("return { image = 'x', snapshot = 'before apic_id_list:2', until_symbol = 'f' }");

    ck_assert_str_eq(scenario->until, "f");
    ck_assert_int_eq(scenario->snapshot.kind, PLACE_EXIT);
    ck_assert_str_eq(scenario->snapshot.row->name, "apic_id_list");
    ck_assert_uint_eq(scenario->snapshot.nth, 2);
    scenario_free(scenario);
    scenario = load_good("return { image = 'x', snapshot = 'before msr_version' }");
    ck_assert_uint_eq(scenario->snapshot.nth, 1);
    scenario_free(scenario);
    scenario = load_good("return { image = 'x', snapshot = 'at percpu::percpu_init' }");
    ck_assert_int_eq(scenario->snapshot.kind, PLACE_SYMBOL);
    ck_assert_str_eq(scenario->snapshot.symbol, "percpu::percpu_init");
    ck_assert_ptr_null(scenario->until);
    scenario_free(scenario);
}
END_TEST

START_TEST(bsp_is_the_first_id)
{
    struct scenario *scenario =
        load_good("return { image = 'x', host = { apic_ids = { ids = { 7, 0 } } } }");

    ck_assert_uint_eq(scenario->host.bsp_apic_id, 7);
    scenario_free(scenario);
}
END_TEST

START_TEST(cpus_from_outside)
{
    struct scenario *scenario =
        load_good("return { image = 'x', cpus = 2, seed = 5, expect = { verdict = 'pass' },\n"
                  "  host = { versions = { max = 3 } } }");
    const uint32_t ids[] = {4, 6};
    struct error error;

    ck_assert_int_eq(scenario_set_cpus(scenario, 9, &error), SNPEMU_OK);
    ck_assert_uint_eq(scenario->cpus, 9);
    ck_assert_uint_eq(scenario->host.apic_id_count, 9);
    ck_assert_uint_eq(scenario->host.version_max, 3);
    ck_assert_uint_eq(scenario->seed, 5);
    ck_assert(scenario->expect.given);
    scenario_set_apic_ids(scenario, ids, 2);
    ck_assert_uint_eq(scenario->host.apic_id_count, 2);
    ck_assert_uint_eq(scenario->host.bsp_apic_id, 4);
    scenario_free(scenario);

    ck_assert_int_eq(scenario_for_image(&scenario, "a/svsm.elf", 3, &error), SNPEMU_OK);
    ck_assert_str_eq(scenario->image, "a/svsm.elf");
    ck_assert_int_eq(scenario_set_cpus(scenario, 5, &error), SNPEMU_OK);
    ck_assert_uint_eq(scenario->host.cpus, 5);
    scenario_free(scenario);
    scenario_free(NULL);
}
END_TEST

/* Each must hold inside the sandbox; the script fails by itself when it does not. */
static const struct {
    const char *name, *script;
} sandbox_rows[] = {
    {"pairs is sorted",
     "local t = { z = 1, a = 2, [3] = 3, [1] = 4, [2.5] = 5, [true] = 6, [-7] = 7, [1e300] = 8 }\n"
     "local seen = {}\n"
     "for k in pairs(t) do seen[#seen + 1] = tostring(k) end\n"
     "assert(table.concat(seen, ' ') == '-7 1 2.5 3 1e+300 a z true', table.concat(seen, ' '))"},
    {"pairs leaves out what is removed", "local t, n = { a = 1, b = 2, c = 3 }, 0\n"
                                         "for k in pairs(t) do t.b = nil; n = n + 1 end\n"
                                         "assert(n == 2)"},
    {"integers that a double cannot tell apart are in order",
     "local t = { [9007199254740993] = 1, [9007199254740992] = 2 }\n"
     "local seen = {}\n"
     "for k in pairs(t) do seen[#seen + 1] = k end\n"
     "assert(seen[1] < seen[2])"},
    {"tostring has no address",
     "assert(tostring({}) == 'table')\n"
     "assert(tostring(pairs) == 'function' and tostring(nil) == 'nil' and tostring(2) == '2')\n"
     "assert(string.format('%s %s', {}, print) == 'table nil')"},
    {"__tostring is called",
     "local t = setmetatable({}, { __tostring = function() return 'me' end })\n"
     "assert(tostring(t) == 'me' and string.format('%s', t) == 'me')"},
    {"metatables are copied", "local mt = { __index = { a = 1 } }\n"
                              "local t = setmetatable({}, mt)\n"
                              "mt.__index, mt.__gc = nil, function() end\n"
                              "assert(t.a == 1 and getmetatable(t) == mt)"},
    {"sort is stable", "local t = {}\n"
                       "for i = 1, 300 do t[i] = { i // 100, i } end\n"
                       "table.sort(t, function(a, b) return a[1] < b[1] end)\n"
                       "for i = 2, 300 do assert(t[i - 1][2] < t[i][2]) end\n"
                       "local u = { 5, 2, 4, 2, 1 }\n"
                       "table.sort(u)\n"
                       "assert(table.concat(u, ',') == '1,2,2,4,5')"},
    {"an invalid order function does no harm", "local t = {}\n"
                                               "for i = 1, 1000 do t[i] = i end\n"
                                               "table.sort(t, function() return true end)\n"
                                               "assert(#t == 1000)"},
    {"strings", "assert(('ab'):rep(3, '-') == 'ab-ab-ab' and (''):rep(1e15) == '')\n"
                "assert(('abc'):byte(-1) == 99 and select('#', ('abc'):byte(1, -1)) == 3)\n"
                "assert(('abc'):byte(math.mininteger, math.maxinteger) == 97)\n"
                "assert(('a.b'):find('.', 1, true) == 2 and not ('a'):find('b', 1, true))\n"
                "assert(string.pack('<I4', 258) == '\\2\\1\\0\\0')"},
    {"tables", "local t = { 1, 2 }\n"
               "table.insert(t, 3); table.insert(t, 1, 0)\n"
               "assert(table.remove(t, 1) == 0 and table.remove(t) == 3 and #t == 2)\n"
               "assert(select('#', table.unpack({}, 1, 3)) == 3 and table.pack(nil, 2).n == 2)"},
    {"nothing else is there",
     "for _, name in ipairs { 'print', 'load', 'loadstring', 'dofile', 'loadfile', 'require', "
     "'io',\n"
     "  'os', 'debug', 'package', 'coroutine', 'collectgarbage', 'next', 'xpcall', 'warn', '_G',\n"
     "  'utf8' } do\n"
     "  local there = pcall(function() return _ENV[name].x end)\n"
     "  assert(_ENV[name] == nil, name)\n"
     "end\n"
     "for _, name in ipairs { 'dump', 'match', 'gmatch', 'gsub' } do\n"
     "  assert(string[name] == nil, name)\n"
     "end\n"
     "assert(math.random == nil and math.sin == nil and ('').dump == nil)"},
    {"pcall catches an ordinary error", "local ok, message = pcall(error, 'no', 0)\n"
                                        "assert(not ok and message == 'no')\n"
                                        "assert(select('#', pcall(table.unpack, { 1, 2 })) == 3)"},
};

START_TEST(sandbox)
{
    char text[2048];

    snprintf(text, sizeof(text), "%s\nreturn { image = 'x' }", sandbox_rows[_i].script);
    scenario_free(load_good(text));
}
END_TEST

static const struct {
    const char *name, *script, *message;
} bad_rows[] = {
    /* not a script */
    {"syntax", "return { image = ", "case.lua:1: unexpected symbol near <eof>"},
    {"no value", "local a = 1", "must return one table"},
    {"a number", "return 5", "must return one table"},
    {"two values", "return {}, {}", "must return one table"},
    {"a function", "return function() end", "must return one table"},
    {"runtime error", "\n\nlocal a = nil .. 'x'", "case.lua:3: attempt to concatenate a nil value"},
    {"error with a table", "error({})", "raised an error that is a table, not a text"},
    {"error with text", "error('mine')", "case.lua:1: mine"},
    {"not utf-8", "return \xff\xfe", "case.lua:1: unexpected symbol near '<\\255>'"},
    {"empty file", "", "must return one table"},

    /* no way out of the sandbox */
    {"print", "print('x')", "attempt to call a nil value (global 'print')"},
    {"require", "require 'os'", "global 'require'"},
    {"io", "io.open('x')", "global 'io'"},
    {"os.exit", "os.exit(0)", "global 'os'"},
    {"load", "load('x')", "global 'load'"},
    {"random", "return { image = 'x', seed = math.random() }", "field 'random'"},
    {"string.dump", "string.dump(function() end)", "field 'dump'"},
    {"gsub", "('a'):gsub('a', 'b')", "method 'gsub'"},
    {"pattern", "('a'):find('a*')", "there are no patterns here"},
    {"%p", "return { image = string.format('%10p', {}) }", "%p is not available"},
    {"__gc", "setmetatable({}, { __gc = function() end })", "__gc is not available"},
    {"__mode", "setmetatable({}, { __mode = 'k' })", "__mode is not available"},
    {"__close", "setmetatable({}, { __close = function() end })", "__close is not available"},
    {"string metatable", "getmetatable('').__index = {}", "table expected, got string"},

    /* bounded */
    {"endless loop", "while true do end", "case.lua:1: the script runs too long"},
    {"endless loop in pcall", "while true do pcall(function() while true do end end) end",
     "case.lua:1: the script runs too long"},
    {"endless loop in a metamethod",
     "local t = setmetatable({}, { __index = function() while true do end end })\n"
     "pcall(pcall, function() return t.x end)\nreturn { image = 'x' }",
     "case.lua:1: the script runs too long"},
    {"endless loop in sort",
     "local t = {}\nfor i = 1, 1000 do t[i] = i end\n"
     "while true do table.sort(t, function(a, b) return a > b end) end",
     "the script runs too long"},
    {"endless pairs", "local t = {1, 2, 3}\nwhile true do for _ in pairs(t) do end end",
     "case.lua:2: the script runs too long"},
    {"table bomb", "local t = {}\nfor i = 1, 1e9 do t[i] = { i } end", "needs too much memory"},
    {"table bomb, caught",
     "local t = {}\n"
     "while true do pcall(function() for i = 1, 1e9 do t[#t + 1] = ('x'):rep(1e5) .. i end end) "
     "end",
     "the script runs too long"},
    {"string bomb", "local s = 'x'\nwhile true do s = s .. s end", "needs too much memory"},
    {"concat loop", "local s = ('x'):rep(100000)\nwhile true do local t = s .. s end",
     "case.lua:2: the script runs too long"},
    {"rep bomb", "local s = ('x'):rep(1e9)", "string.rep: the result is longer than 256 KiB"},
    {"rep overflow", "('xx'):rep(math.maxinteger)", "string.rep: the result is longer"},
    {"format bomb", "while true do string.format('%99.99f', 1e300) end", "runs too long"},
    {"pack bomb", "string.pack('c1000000000', 'x')", "needs too much memory"},
    {"unpack bomb", "table.unpack({}, 1, 1e8)", "more than 1024 results"},
    {"unpack wrap", "table.unpack({}, math.mininteger, math.maxinteger)", "more than 1024 results"},
    {"byte bomb", "(('x'):rep(100000)):byte(1, -1)", "more than 1024 results"},
    {"recursion", "local function f() return f() + 1 end\nf()", "case.lua"},
    {"recursion, caught", "local function f() pcall(f); f() end\nf()", "case.lua"},
    {"deep nesting", NULL, "C stack overflow"}, /* made below */
    {"__index loop",
     "local t = {}\nsetmetatable(t, { __index = t })\nreturn { image = t.x, u = t.x.y }",
     "case.lua:3: "},
    {"__call loop", "local t = {}\nsetmetatable(t, { __call = t })\nt()",
     "case.lua:2: setmetatable: __call must be a function"},
    {"pairs over tables as keys", "for _ in pairs({ [{}] = 1 }) do end", "a key is a table"},
    {"concat of a table", "table.concat({ {} })", "element 1 is a table"},
    {"wrong insert", "table.insert({}, 5, 1)", "position out of bounds"},
    {"compare", "table.sort({ 1, 'a' })", "attempt to compare"},

    /* not a scenario */
    {"unknown field", "return { image = 'x', cpu = 4 }",
     "case.lua: unknown field 'cpu'; the nearest known is 'cpus'"},
    {"two unknown fields: the first by name", "return { zz = 1, bugdet = 2, image = 'x' }",
     "unknown field 'bugdet'; the nearest known is 'budget'"},
    {"snapshot at an unknown exit", "return { image = 'x', snapshot = 'before apik_list' }",
     "snapshot: there is no exit named 'apik_list'; nearest: apic_id_list"},
    {"snapshot before no exit", "return { image = 'x', snapshot = 'before cpuid:0' }",
     "snapshot: exit 'cpuid:0': after the colon stands a number from 1 on"},
    {"snapshot with more than a number", "return { image = 'x', snapshot = 'before cpuid:1x' }",
     "stands a number from 1 on"},
    {"snapshot nowhere", "return { image = 'x', snapshot = 'percpu_init' }",
     "snapshot: 'percpu_init' is no place: say \"before EXIT\", \"before EXIT:N\" or \"at SYMBOL"},
    {"snapshot at no symbol", "return { image = 'x', snapshot = 'at ' }", "is no place"},
    {"no symbol", "return { image = 'x', until_symbol = '' }", "until_symbol: must not be empty"},
    {"a list", "return { 'svsm' }", "must have names for keys, not a number"},
    {"a NUL in a name", "return { ['cpus\\0'] = 1 }", "NUL byte"},
    {"no image", "return { cpus = 1 }", "image: is missing"},
    {"image is a number", "return { image = 5 }", "image: must be a text, not 5"},
    {"image with NUL", "return { image = 'a\\0b' }", "image: must not hold a NUL byte"},
    {"empty image", "return { image = '' }", "image: must not be empty"},
    {"cpus 0", "return { image = 'x', cpus = 0 }",
     "cpus: must be an integer from 1 to 4096, not 0"},
    {"cpus 4097", "return { image = 'x', cpus = 4097 }", "from 1 to 4096, not 4097"},
    {"cpus -1", "return { image = 'x', cpus = -1 }", "not -1"},
    {"cpus nonsense", "return { image = 'x', cpus = {} }", "not a table"},
    {"cpus boolean", "return { image = 'x', cpus = true }", "not true"},
    {"cpus fraction", "return { image = 'x', cpus = 1.5 }", "not 1.5"},
    {"cpus NaN", "return { image = 'x', cpus = 0/0 }", "cpus: must be an integer"},
    {"seed infinite", "return { image = 'x', seed = 1/0 }", "seed: must be an integer"},
    {"seed 2^64", "return { image = 'x', seed = 2^64 }", "seed: must be an integer"},
    {"seed negative float", "return { image = 'x', seed = -1.0 }", "seed: must be an integer"},
    {"seed text too large", "return { image = 'x', seed = '0x10000000000000000' }",
     "seed: must be"},
    {"seed text decimal", "return { image = 'x', seed = '18446744073709551616' }", "seed: must be"},
    {"seed text nonsense", "return { image = 'x', seed = '0x' }", "seed: must be"},
    {"memory 3", "return { image = 'x', memory_mib = 3 }", "memory_mib: must be 0"},
    {"memory 4097", "return { image = 'x', memory_mib = 4097 }", "memory_mib: must be"},
    {"guest memory 0", "return { image = 'x', guest_memory_mib = 0 }", "guest_memory_mib: must be"},
    {"guest memory 3", "return { image = 'x', guest_memory_mib = 3 }", "must be even"},
    {"guest memory 3074", "return { image = 'x', guest_memory_mib = 3074 }",
     "from 2 to 3072, not 3074"},
    {"firmware is a number", "return { image = 'x', firmware = 5 }",
     "firmware: must be a text, not 5"},
    {"budget 0", "return { image = 'x', budget = 0 }", "budget: must be an integer from 1"},
    {"unused_ok", "return { image = 'x', unused_ok = 1 }", "unused_ok: must be true or false"},
    {"host", "return { image = 'x', host = 'kvm' }", "host: must be a table, not \"kvm\""},
    {"host field", "return { image = 'x', host = { apicids = {} } }",
     "host: unknown field 'apicids'; the nearest known is 'apic_ids'"},
    {"unknown processor", "return { image = 'x', host = { cpu = 'genova' } }",
     "host.cpu: unknown processor 'genova'; the nearest known is 'genoa'"},
    {"id too large", "return { image = 'x', host = { apic_ids = { ids = { 0, 2^32 } } } }",
     "host.apic_ids.ids[2]: must be an integer from 0 to 0xffffffff"},
    {"id negative", "return { image = 'x', host = { apic_ids = { ids = { -1 } } } }",
     "host.apic_ids.ids[1]: "},
    {"ids with a hole", "return { image = 'x', host = { apic_ids = { ids = { 0, nil, 2 } } } }",
     "host.apic_ids.ids: must be a list"},
    {"ids with a name", "return { image = 'x', host = { apic_ids = { ids = { 0, x = 2 } } } }",
     "host.apic_ids.ids: must be a list"},
    {"too many ids",
     "local t = {}\nfor i = 1, 8193 do t[i] = i end\n"
     "return { image = 'x', host = { apic_ids = { ids = t } } }",
     "host.apic_ids.ids: must not have more than 8192 elements"},
    {"count 2^32", "return { image = 'x', host = { apic_ids = { count = 2^32 } } }",
     "host.apic_ids.count: must be"},
    {"cbit", "return { image = 'x', host = { cbit = 63 } }", "host.cbit: must be an integer"},
    {"version", "return { image = 'x', host = { versions = { max = 65536 } } }",
     "host.versions.max: "},
    {"leaf not there", "return { image = 'x', host = { cpuid = { remove = { { leaf = 99 } } } } }",
     "host.cpuid.remove[1]: the CPUID page has no such leaf"},
    {"leaf not said", "return { image = 'x', host = { cpuid = { set = { { eax = 99 } } } } }",
     "host.cpuid.set[1]: must say which leaf"},
    {"prevalidated", "return { image = 'x', host = { prevalidated = { 0x1001 } } }",
     "host.prevalidated[1]: must be the address of a 4 KiB page"},
    {"strict", "return { image = 'x', strict = 1 }", "strict: must be true or false"},
    {"fw_cfg", "return { image = 'x', host = { fw_cfg = 'x' } }",
     "host.fw_cfg: must be a table of names and texts"},
    {"fw_cfg list", "return { image = 'x', host = { fw_cfg = { 'x' } } }",
     "host.fw_cfg: must have names for keys and texts for values"},
    {"fw_cfg number", "return { image = 'x', host = { fw_cfg = { a = 1 } } }",
     "host.fw_cfg: must have names for keys and texts for values"},
    {"fw_cfg NUL", "return { image = 'x', host = { fw_cfg = { ['a\\0b'] = '' } } }",
     "must be a name without NUL"},
    {"fw_cfg empty name", "return { image = 'x', host = { fw_cfg = { [''] = '' } } }",
     "does not fit"},
    {"fw_cfg long name", "return { image = 'x', host = { fw_cfg = { [('x'):rep(56)] = '' } } }",
     "names of 1 to 55 bytes"},
    {"fw_cfg too much", "return { image = 'x', host = { fw_cfg = { a = ('x'):rep(65537) } } }",
     "64 KiB in all"},
    {"fw_cfg too many",
     "local f = {} for i = 1, 33 do f['f' .. i] = '' end "
     "return { image = 'x', host = { fw_cfg = f } }",
     "at most 32 files"},
    {"mmio", "return { image = 'x', host = { mmio = { { gpa = 0 } } } }",
     "host.mmio[1]: must say gpa and size"},
    {"mmio size", "return { image = 'x', host = { mmio = { { gpa = 0, size = 4097 } } } }",
     "host.mmio[1].size: must be an integer from 1 to 4096"},
    {"mmio bytes",
     "return { image = 'x', host = { mmio = { { gpa = 0, size = 1, bytes = 'ab' } } } }",
     "has more bytes than its size"},
    {"mmio overlap",
     "return { image = 'x', host = { mmio = { { gpa = 0, size = 8 }, { gpa = 7, size = 1 } } } }",
     "host.mmio[2]: overlaps another device"},
    {"mmio too much",
     "return { image = 'x', host = { mmio = { { gpa = 0, size = 4096 }, { gpa = 8192, size = 1 } } "
     "} }",
     "at most 4096 bytes in all"},
    {"policy", "return { image = 'x', host = { policy = 0x10000 } }",
     "host.policy: must have bit 17 set"},
    {"host_data", "return { image = 'x', host = { host_data = ('x'):rep(33) } }",
     "host.host_data: must have at most 32 bytes"},
    {"host_data number", "return { image = 'x', host = { host_data = 1 } }",
     "host.host_data: must be a text"},
    {"certificate", "return { image = 'x', host = { certificates = { { guid = 'x' } } } }",
     "host.certificates[1]: must say guid and bytes"},
    {"certificate guid",
     "return { image = 'x', host = { certificates = { { guid = 'x', bytes = '' } } } }",
     "host.certificates[1]: the guid must look like 63da758d"},
    {"certificate bytes",
     "return { image = 'x', host = { certificates = { { guid = 'x', bytes = 1 } } } }",
     "host.certificates[1].bytes: must be a text"},
    {"certificate size",
     "local g = '63da758d-e664-4564-adc5-f4b93be8accd'\n"
     "return { image = 'x', host = { certificates = { { guid = g, bytes = ('x'):rep(16385) } } } }",
     "at most 16384 bytes in all"},
    {"certificates too many",
     "local t = {} for i = 1, 9 do t[i] = {} end\n"
     "return { image = 'x', host = { certificates = t } }",
     "host.certificates: must not have more than 8 elements"},
    {"a table that holds itself", "local t = {}\nt.host = t\nreturn t",
     "host: unknown field 'host'"},
    {"cyclic list",
     "local t = {}\nt[1] = t\nreturn { image = 'x', host = { apic_ids = { ids = t } } }",
     "host.apic_ids.ids[1]: must be an integer"},

    /* on */
    {"on", "return { image = 'x', on = 5 }", "on: must be a table, not 5"},
    {"unknown event", "return { image = 'x', on = { apic_ids = function() end } }",
     "on: unknown event 'apic_ids'; the nearest known is 'apic_id_list'"},
    {"event is a number", "return { image = 'x', on = { cpuid = 5 } }",
     "on.cpuid: must be a function(exit, reply) or a table, not a number"},
    {"event is a library function", "return { image = 'x', on = { cpuid = pairs } }",
     "on.cpuid: must be a function"},
    {"event that ends the run", "return { image = 'x', on = { msr_terminate = function() end } }",
     "on.msr_terminate: the run ends with it"},
    {"override field", "return { image = 'x', on = { cpuid = { raxx = 5 } } }",
     "on.cpuid: unknown field 'raxx'; the nearest known is 'rax'"},
    {"override of nothing", "return { image = 'x', on = { cpuid = { { nth = 1 } } } }",
     "on.cpuid[1]: changes nothing"},
    {"nth 0", "return { image = 'x', on = { cpuid = { nth = 0, rax = 1 } } }",
     "on.cpuid.nth: must be an integer from 1"},
    {"cpl too large", "return { image = 'x', on = { cpuid = { cpl = 256 } } }", "on.cpuid.cpl: "},
    {"unmark", "return { image = 'x', on = { cpuid = { unmark = { 'rax', 'rdi2' } } } }",
     "on.cpuid.unmark: unknown field 'rdi2'; the nearest known is 'rdi'"},
    {"registers of an MSR exit", "return { image = 'x', on = { msr_version = { rax = 1 } } }",
     "on.msr_version: msr_version has no GHCB page"},
    {"write nowhere", "return { image = 'x', on = { cpuid = { write = { u8 = 1 } } } }",
     "on.cpuid.write: must say where: gpa or region"},
    {"write of two",
     "return { image = 'x', on = { cpuid = { write = { gpa = 0, u8 = 1, u16 = 2 } } } }",
     "on.cpuid.write: must give one of bytes"},
    {"write too large",
     "return { image = 'x', on = { cpuid = { write = { gpa = 0, u8 = 256 } } } }",
     "on.cpuid.write.u8: must be"},
    {"region", "return { image = 'x', on = { cpuid = { write = { region = 'lst', u8 = 1 } } } }",
     "on.cpuid.write.region: unknown region 'lst'; the nearest known is 'list'"},
    {"on_read without value",
     "return { image = 'x', on = { cpuid = { on_read = { { gpa = 0 } } } } }",
     "on.cpuid.on_read[1]: must give the value"},
    {"on_read of 3 bytes",
     "return { image = 'x', on = { cpuid = { on_read = { gpa = 0, size = 3, value = 1 } } } }",
     "size must be 1, 2, 4 or 8, not 3"},
    {"on_read value too large",
     "return { image = 'x', on = { cpuid = { on_read = { gpa = 0, size = 2, value = 65536 } } } }",
     "the value does not fit in 2 bytes"},
    {"page size", "return { image = 'x', on = { cpuid = { assign = { gpa = 0, size = '1g' } } } }",
     "on.cpuid.assign.size: must be \"4k\" or \"2m\""},
    {"address", "return { image = 'x', on = { cpuid = { unassign = { gpa = 2^52 } } } }",
     "on.cpuid.unassign.gpa: must be"},
    {"unmodelled", "return { image = 'x', on = { hv_timer = { rax = 1 } } }",
     "no honest answer is modelled; say honest = false"},

    /* expect */
    {"expect nothing", "return { image = 'x', expect = {} }", "expect: says nothing to expect"},
    {"expect field", "return { image = 'x', expect = { veredict = 'hang' } }",
     "expect: unknown field 'veredict'; the nearest known is 'verdict'"},
    {"verdict", "return { image = 'x', expect = { verdict = 'hangs' } }",
     "expect.verdict: unknown verdict 'hangs'; the nearest known is 'hang'"},
    {"outcome", "return { image = 'x', expect = { outcome = 'halt' } }",
     "expect.outcome: unknown outcome 'halt'; the nearest known is 'halted'"},
    {"termination", "return { image = 'x', expect = { outcome = 'terminated f:6' } }",
     "expect.outcome: must be \"terminated 0xSET:0xCODE\""},
    {"termination out of range",
     "return { image = 'x', expect = { outcome = 'terminated 0x1f:0x6' } }",
     "expect.outcome: must be"},
    {"halted with a code", "return { image = 'x', expect = { outcome = 'halted 0xf:0x6' } }",
     "expect.outcome: unknown outcome"},
    {"state size", "return { image = 'x', expect = { state = { a = { size = 3, value = 1 } } } }",
     "expect.state.a: size must be 1, 2, 4 or 8"},
    {"state value",
     "return { image = 'x', expect = { state = { a = { size = 1, value = 256 } } } }",
     "expect.state.a: the value does not fit in 1 bytes"},
    {"state without value", "return { image = 'x', expect = { state = { a = { size = 4 } } } }",
     "expect.state.a: must give a value"},
    {"state list", "return { image = 'x', expect = { state = { 1, 2 } } }",
     "expect.state: must have symbols for keys"},
    {"long symbol", "return { image = 'x', expect = { state = { [('s'):rep(96)] = 1 } } }",
     "must not be longer than 95 bytes"},
};

static void check_bad(const char *name, const char *script, size_t size_bytes, const char *message)
{
    struct scenario *scenario;
    struct error error;
    int status = load(script, size_bytes, &scenario, &error);

    ck_assert_msg(status == SNPEMU_ERR_INPUT, "%s: status %d, \"%s\"", name, status, error.text);
    ck_assert_ptr_null(scenario);
    ck_assert_msg(strstr(error.text, message) != NULL, "%s: \"%s\" lacks \"%s\"", name, error.text,
                  message);
    ck_assert_msg(strstr(error.text, "case.lua") != NULL, "%s: no file in \"%s\"", name,
                  error.text);
    ck_assert_msg(strstr(error.text, ": 0x") == NULL, "%s: an address in \"%s\"", name, error.text);
    ck_assert_ptr_null(strchr(error.text, '\n'));
}

START_TEST(bad)
{
    char nested[1024] = "return ";

    if (bad_rows[_i].script) {
        check_bad(bad_rows[_i].name, bad_rows[_i].script, strlen(bad_rows[_i].script),
                  bad_rows[_i].message);
        return;
    }
    memset(nested + strlen(nested), '{', 1000);
    check_bad(bad_rows[_i].name, nested, sizeof(nested) - 1, bad_rows[_i].message);
}
END_TEST

START_TEST(bad_bytes)
{
    static const char bytecode[] = "\x1bLua\x54\x00\x19\x93\r\n\x1a\n";
    static const char nul[] = "return { image = 'x' }\0 garbage";
    size_t long_size = (1u << 20) + 1;
    char *spaces = malloc(long_size);

    check_bad("bytecode", bytecode, sizeof(bytecode) - 1, "attempt to load a binary chunk");
    check_bad("NUL", nul, sizeof(nul) - 1, "<eof> expected");
    ck_assert_ptr_nonnull(spaces);
    memset(spaces, ' ', long_size);
    check_bad("too long", spaces, long_size, "is longer than 1024 KiB");
    free(spaces);
}
END_TEST

static void check_path(const char *path, int expected, const char *message)
{
    struct scenario *scenario;
    struct error error = {{0}};
    int status = scenario_load(&scenario, path, &error);

    ck_assert_msg(status == expected, "%s: %d \"%s\"", path, status, error.text);
    ck_assert_msg(strstr(error.text, message) != NULL, "\"%s\" lacks \"%s\"", error.text, message);
    ck_assert_msg(strstr(error.text, path) != NULL, "\"%s\" lacks the path", error.text);
}

START_TEST(bad_paths)
{
    struct script_file file;
    char path[400];

    script_file_write(&file, "", 0);
    snprintf(path, sizeof(path), "%s/none.lua", file.folder);
    check_path(path, SNPEMU_ERR_IO, "cannot open the scenario: No such file or directory");
    check_path(file.folder, SNPEMU_ERR_INPUT, "is not a regular file");
    snprintf(path, sizeof(path), "%s/fifo.lua", file.folder);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    check_path(path, SNPEMU_ERR_INPUT, "is not a regular file");
    unlink(path);
    check_path("/dev/zero", SNPEMU_ERR_INPUT, "is not a regular file");
    if (geteuid() != 0) {
        ck_assert_int_eq(chmod(file.path, 0), 0);
        check_path(file.path, SNPEMU_ERR_IO, "Permission denied");
    }
    script_file_remove(&file);
}
END_TEST

/* Each whole scenario in the manual must be one. */
START_TEST(manual)
{
    static char text[65536];
    FILE *file = fopen(SNPEMU_SOURCE_DIR "/docs/SCENARIOS.md", "r");
    const char *block = text;
    unsigned count = 0;
    size_t size;

    ck_assert_ptr_nonnull(file);
    size = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    ck_assert_uint_lt(size, sizeof(text) - 1);
    while ((block = strstr(block, "```lua\n")) != NULL) {
        struct scenario *scenario;
        struct error error;
        const char *end;
        int status;

        block += strlen("```lua\n");
        end = strstr(block, "```");
        ck_assert_ptr_nonnull(end);
        status = load(block, (size_t)(end - block), &scenario, &error);
        ck_assert_msg(status == SNPEMU_OK, "%s", error.text);
        ck_assert(scenario->expect.given);
        scenario_free(scenario);
        block = end + strlen("```");
        count++;
    }
    ck_assert_uint_ge(count, 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scenario");
    TCase *tcase = tcase_create("scenario");
    SRunner *runner = srunner_create(suite);
    int failed;

    suite_add_tcase(suite, tcase);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, defaults);
    tcase_add_test(tcase, firmware);
    tcase_add_test(tcase, all_fields);
    tcase_add_test(tcase, devices);
    tcase_add_test(tcase, attestation);
    tcase_add_test(tcase, places);
    tcase_add_test(tcase, bsp_is_the_first_id);
    tcase_add_test(tcase, cpus_from_outside);
    tcase_add_loop_test(tcase, sandbox, 0, COUNT(sandbox_rows));
    tcase_add_loop_test(tcase, bad, 0, COUNT(bad_rows));
    tcase_add_test(tcase, bad_bytes);
    tcase_add_test(tcase, bad_paths);
    tcase_add_test(tcase, manual);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
