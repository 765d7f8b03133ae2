/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check/taint.c and trap/flow.c: code as bytes, decoded, and shown to the taint as a run would. RSI
 * leads to memory of the hypervisor's; RBX, RBP and RSP to three places in private memory.
 * Encodings: as GNU as makes them.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "abi/x86.h"
#include "check/taint.h"
#include "trap/flow.h"

#define CODE_GVA 0x401000ULL
#define ALLOCATOR_GVA 0x500000ULL
#define PAGES 1200
#define SHARED_PAGE 1
#define OPS_MAX 32
#define HITS_MAX 8
#define REG_RBX 3
#define REG_RBP 5
#define REG_RSI 6

struct bench {
    struct taint *taint;
    struct oracle_hit hit[HITS_MAX];
    size_t hit_count;
    struct error error;
    uint64_t retired;
    uint8_t bytes[64];
};

static void on_hit(void *context, const struct oracle_hit *hit)
{
    struct bench *bench = context;

    ck_assert_uint_lt(bench->hit_count, HITS_MAX);
    bench->hit[bench->hit_count++] = *hit;
}

static void bench_open(struct bench *bench)
{
    memset(bench, 0, sizeof(*bench));
    ck_assert_int_eq(taint_new(&bench->taint, PAGES, 2, on_hit, bench, &bench->error), 0);
    taint_add_allocator(bench->taint, ALLOCATOR_GVA, FLOW_RDI);
}

/* ---- running ---- */

static void show(struct bench *bench, const struct flow_op *op, uint64_t gva, bool write)
{
    bool source = !write && (op->base & FLOW_BIT(REG_RSI));
    uint32_t page = op->base & FLOW_BIT(REG_RSI)   ? SHARED_PAGE
                    : op->base & FLOW_BIT(REG_RBX) ? 2
                    : op->base & FLOW_BIT(REG_RBP) ? 3
                                                   : 4;
    const struct oracle_access access = {
        .page = page,
        .gpa = (uint64_t)page << PAGE_SHIFT,
        .size_bytes = 8,
        .write = write,
        .shared = page == SHARED_PAGE,
        .bytes = bench->bytes,
        .code_gva = gva + op->offset,
    };

    taint_access(bench->taint, &access, source);
}

struct code {
    size_t size;
    uint8_t bytes[64];
};
#define CODE(...)                                                                                  \
    {                                                                                              \
        sizeof((uint8_t[]){__VA_ARGS__}),                                                          \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

/* One block, to its end or to the instruction at `until`. */
static void run_at(struct bench *bench, const struct code *code, uint64_t gva, size_t until)
{
    static struct flow_op op[OPS_MAX];
    size_t count = flow_decode(code->bytes, code->size, op, OPS_MAX);

    ck_assert_uint_gt(count, 0);
    ck_assert_uint_eq(op[count - 1].offset + op[count - 1].length, code->size);
    taint_begin(bench->taint, &(struct taint_block){0, gva, bench->retired, op, count});
    for (size_t i = 0; i < count && op[i].offset < until; i++) {
        if (op[i].flags & FLOW_LOAD) {
            show(bench, &op[i], gva, false);
        }
        if (op[i].flags & FLOW_STORE) {
            show(bench, &op[i], gva, true);
        }
    }
    if (until < code->size) {
        taint_settle(bench->taint, gva + until);
    } else {
        taint_finish(bench->taint);
    }
    bench->retired += count;
}

static void run(struct bench *bench, const struct code *code)
{
    run_at(bench, code, CODE_GVA, SIZE_MAX);
}

/* ---- one block each: what it is found to do ---- */

#define LOAD 0x48, 0x8B, 0x06        /* mov (%rsi), %rax */
#define INDEX 0x48, 0x8B, 0x0C, 0xC3 /* mov (%rbx,%rax,8), %rcx */

struct row {
    const char *name;
    struct code code;
    const char *what; /* NULL: nothing */
};

static const struct row rows[] = {
    {"an index", CODE(LOAD, INDEX), "index unchecked"},
    {"an address", CODE(LOAD, 0x48, 0x8B, 0x08), "address unchecked"}, /* mov (%rax), %rcx */
    {"a store's address", CODE(LOAD, 0x48, 0x89, 0x08), "address unchecked"},
    {"lea touches nothing", CODE(LOAD, 0x48, 0x8D, 0x0C, 0xC3), NULL},
    {"nor do nops", CODE(LOAD, 0x0F, 0x1F, 0x04, 0x03), NULL},
    {"what lea made", CODE(LOAD, 0x48, 0x8D, 0x0C, 0xC3, 0x48, 0x8B, 0x11), "address unchecked"},
    {"a private value", CODE(0x48, 0x8B, 0x03, INDEX), NULL}, /* mov (%rbx), %rax */
    /* cmp $0x10, %rax */
    {"compared", CODE(LOAD, 0x48, 0x83, 0xF8, 0x10, INDEX), NULL},
    {"compared afterwards", CODE(LOAD, INDEX, 0x48, 0x83, 0xF8, 0x10), "index unchecked"},
    {"compared with zero", CODE(LOAD, 0x48, 0x83, 0xF8, 0x00, INDEX), "index unchecked"},
    {"test %rax, %rax", CODE(LOAD, 0x48, 0x85, 0xC0, INDEX), "index unchecked"},
    {"test $-16, %rax", CODE(LOAD, 0x48, 0xA9, 0xF0, 0xFF, 0xFF, 0xFF, INDEX), NULL},
    {"test $15, %rax", CODE(LOAD, 0x48, 0xA9, 0x0F, 0, 0, 0, INDEX), "index unchecked"},
    {"compared with a register", CODE(LOAD, 0x48, 0x39, 0xD0, INDEX), NULL},
    {"compared with memory", CODE(LOAD, 0x48, 0x3B, 0x45, 0x00, INDEX), NULL},
    {"compared where it stands", CODE(0x48, 0x83, 0x3E, 0x10, LOAD, INDEX), "index unchecked"},
    /* mov (%rsi), %rdx; cmp %rdx, %rax */
    {"compared with another of the hypervisor's",
     CODE(LOAD, 0x48, 0x8B, 0x16, 0x48, 0x39, 0xD0, INDEX), "index unchecked"},
    {"a copy is compared", CODE(LOAD, 0x48, 0x89, 0xC2, 0x48, 0x83, 0xFA, 0x10, INDEX), NULL},
    {"a sum is compared", CODE(LOAD, 0x48, 0x8D, 0x50, 0x10, 0x48, 0x39, 0xCA, INDEX), NULL},
    {"and $7, %eax", CODE(LOAD, 0x83, 0xE0, 0x07, INDEX), NULL},
    {"and $-8, %rax", CODE(LOAD, 0x48, 0x83, 0xE0, 0xF8, INDEX), "index unchecked"},
    {"and %rdx, %rax", CODE(LOAD, 0x48, 0x21, 0xD0, INDEX), "index unchecked"},
    {"mov $1, %eax", CODE(LOAD, 0xB8, 1, 0, 0, 0, INDEX), NULL},
    {"xor %eax, %eax", CODE(LOAD, 0x31, 0xC0, INDEX), NULL},
    {"sub %eax, %eax", CODE(LOAD, 0x29, 0xC0, INDEX), NULL},
    {"shl $4, %rax", CODE(LOAD, 0x48, 0xC1, 0xE0, 0x04, INDEX), "index unchecked"},
    /* shr $4, %rdx; setz %cl */
    {"shr and setz", CODE(LOAD, 0x48, 0x89, 0xC2, 0x48, 0xC1, 0xEA, 0x04, 0x0F, 0x94, 0xC1, INDEX),
     NULL},
    {"shr $52 says little",
     CODE(LOAD, 0x48, 0x89, 0xC2, 0x48, 0xC1, 0xEA, 0x34, 0x0F, 0x94, 0xC1, INDEX),
     "index unchecked"},
    /* sub %rax, %rdx; setb %cl */
    {"sub and setb", CODE(LOAD, 0x48, 0x29, 0xC2, 0x0F, 0x92, 0xC1, INDEX), NULL},
    {"sub alone", CODE(LOAD, 0x48, 0x29, 0xC2, INDEX), "index unchecked"},
    {"div: the quotient", CODE(LOAD, 0x48, 0xF7, 0xF1, INDEX), "index unchecked"},
    {"div: the remainder", CODE(LOAD, 0x48, 0xF7, 0xF1, 0x48, 0x8B, 0x0C, 0xD3), NULL},
    {"bsr", CODE(LOAD, 0x48, 0x0F, 0xBD, 0xC0, INDEX), NULL},
    {"bswap", CODE(LOAD, 0x48, 0x0F, 0xC8, INDEX), "index unchecked"},
    {"movzx %al, %eax", CODE(LOAD, 0x0F, 0xB6, 0xC0, INDEX), NULL},
    {"movzx (%rsi), %eax", CODE(0x0F, 0xB6, 0x06, INDEX), "index unchecked"},
    /* cmova %rdx, %rcx; mov (%rbx,%rcx,8), %rcx */
    {"cmov", CODE(LOAD, 0x48, 0x0F, 0x47, 0xC8, 0x48, 0x8B, 0x0C, 0xCB), "index unchecked"},
    {"xchg %rax, %rdx", CODE(LOAD, 0x48, 0x87, 0xD0, INDEX), NULL},
    {"xchg, the other", CODE(LOAD, 0x48, 0x87, 0xD0, 0x48, 0x8B, 0x0C, 0xD3), "index unchecked"},
    {"xchg with memory", CODE(LOAD, 0x48, 0x87, 0x03, INDEX), NULL},
    {"xchg with memory, from there", CODE(LOAD, 0x48, 0x87, 0x03, 0x48, 0x8B, 0x03, INDEX),
     "index unchecked"},
    {"through memory", CODE(LOAD, 0x48, 0x89, 0x03, 0x31, 0xC0, 0x48, 0x8B, 0x03, INDEX),
     "index unchecked"},
    {"from elsewhere in memory",
     CODE(LOAD, 0x48, 0x89, 0x03, 0x31, 0xC0, 0x48, 0x8B, 0x45, 0x00, INDEX), NULL},
    /* movq $0, (%rbx) */
    {"overwritten in memory",
     CODE(LOAD, 0x48, 0x89, 0x03, 0x48, 0xC7, 0x03, 0, 0, 0, 0, 0x48, 0x8B, 0x03, INDEX), NULL},
    {"compared in memory", /* cmpq $0x10, (%rbx) */
     CODE(LOAD, 0x48, 0x89, 0x03, 0x48, 0x83, 0x3B, 0x10, INDEX), NULL},
    {"added in memory", CODE(LOAD, 0x48, 0x01, 0x03, 0x48, 0x8B, 0x03, INDEX), "index unchecked"},
    {"pushed and popped", CODE(LOAD, 0x50, 0x31, 0xC0, 0x58, INDEX), "index unchecked"},
    {"through XMM0", CODE(0xF3, 0x0F, 0x6F, 0x06, 0x66, 0x48, 0x0F, 0x7E, 0xC0, INDEX),
     "index unchecked"},
    {"pxor",
     CODE(0xF3, 0x0F, 0x6F, 0x06, 0x66, 0x0F, 0xEF, 0xC0, 0x66, 0x48, 0x0F, 0x7E, 0xC0, INDEX),
     NULL},
    /* mov %rax, %rcx; rep stosb */
    {"rep stos", CODE(LOAD, 0x48, 0x89, 0xC1, 0xF3, 0xAA), "size unchecked"},
    {"what rep leaves in RCX",
     CODE(LOAD, 0x48, 0x89, 0xC1, 0x48, 0x83, 0xF9, 0x10, 0xF3, 0xAA, 0x48, 0x8B, 0x0C, 0xCB),
     NULL},
    {"movs", CODE(0x48, 0xA5, LOAD, 0x31, 0xC0, INDEX), NULL},
    {"sub %rax, %rsp and push", CODE(LOAD, 0x48, 0x29, 0xC4, 0x51), "address unchecked"},
    {"jmp *%rax", CODE(LOAD, 0xFF, 0xE0), "jump target unchecked"},
    {"call *%rax", CODE(LOAD, 0xFF, 0xD0), "jump target unchecked"},
    {"jmp *(%rsi)", CODE(0xFF, 0x26), "jump target unchecked"},
    {"pvalidate", CODE(LOAD, 0xF2, 0x0F, 0x01, 0xFF), "address unchecked"},
    {"rdmsr brings another", CODE(LOAD, 0x0F, 0x32, INDEX), NULL},
    {"cpuid says nothing of %rbx", CODE(LOAD, 0x0F, 0x18, 0x00), NULL}, /* prefetchnta (%rax) */
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

START_TEST(test_one_block)
{
    const struct row *row = &rows[_i];
    struct bench bench;

    bench_open(&bench);
    run(&bench, &row->code);
    if (row->what) {
        ck_assert_msg(bench.hit_count == 1, "%s: %zu hits", row->name, bench.hit_count);
        ck_assert_msg(strcmp(bench.hit[0].what, row->what) == 0, "%s: %s", row->name,
                      bench.hit[0].what);
        ck_assert_int_eq(bench.hit[0].kind, ORACLE_TRUSTED_UNCHECKED);
        ck_assert_uint_eq(bench.hit[0].gpa, PAGE_SIZE);
    } else {
        ck_assert_msg(bench.hit_count == 0, "%s: %s", row->name, bench.hit[0].what);
    }
    taint_free(bench.taint);
}
END_TEST

/* ---- more than one ---- */

static const struct code load = CODE(LOAD), use = CODE(INDEX);

START_TEST(test_places)
{
    static const struct code code = CODE(LOAD, 0x90, INDEX);
    struct bench bench;

    bench_open(&bench);
    bench.retired = 100;
    bench.bytes[0] = 9;
    run(&bench, &code);
    ck_assert_uint_eq(bench.hit_count, 1);
    ck_assert_uint_eq(bench.hit[0].other_gva, CODE_GVA);
    ck_assert_uint_eq(bench.hit[0].code_gva, CODE_GVA + 4);
    ck_assert_uint_eq(bench.hit[0].retired, 102);
    ck_assert_uint_eq(bench.hit[0].size_bytes, 8);
    ck_assert_uint_eq(bench.hit[0].bytes[0], 9);
    taint_free(bench.taint);
}
END_TEST

/* A value is told of once, and followed no more; the next is another one. */
START_TEST(test_once)
{
    struct bench bench;

    bench_open(&bench);
    ck_assert(!taint_is_live(bench.taint));
    run(&bench, &load);
    ck_assert(taint_is_live(bench.taint));
    run(&bench, &use);
    run(&bench, &use);
    ck_assert_uint_eq(bench.hit_count, 1);
    ck_assert(!taint_is_live(bench.taint));
    run(&bench, &load);
    run(&bench, &use);
    ck_assert_uint_eq(bench.hit_count, 2);
    taint_free(bench.taint);
}
END_TEST

static void loop(struct bench *bench, const struct code *before, const struct code *body,
                 unsigned rounds)
{
    bench_open(bench);
    run_at(bench, before, CODE_GVA, SIZE_MAX);
    for (unsigned i = 0; i < rounds; i++) {
        run_at(bench, body, CODE_GVA + 0x100, SIZE_MAX);
    }
    taint_free(bench->taint);
}

START_TEST(test_loop)
{
    /* xor %ecx, %ecx */
    static const struct code before = CODE(LOAD, 0x31, 0xC9);
    static const struct code checked = CODE(LOAD, 0x31, 0xC9, 0x48, 0x83, 0xF8, 0x10);
    /* inc %rcx; cmp %rax, %rcx; jne */
    static const struct code up = CODE(0x48, 0xFF, 0xC1, 0x48, 0x39, 0xC1, 0x75, 0xF8);
    /* cmp %rax, %rcx; jae; inc %rcx: the loop's head tests */
    static const struct code head = CODE(0x48, 0x39, 0xC1, 0x73, 0x10, 0x48, 0xFF, 0xC1);
    /* push %rcx; sub $8, %rsp; add $8, %rsp; pop %rcx; cmp %rax, %rcx; jne: the same is looked for
       again */
    static const struct code same = CODE(0x51, 0x48, 0x83, 0xEC, 0x08, 0x48, 0x83, 0xC4, 0x08, 0x59,
                                         0x48, 0x39, 0xC1, 0x75, 0xF1);
    /* sub $1, %rax; jne */
    static const struct code down = CODE(0x48, 0x83, 0xE8, 0x01, 0x75, 0xFA);
    /* mov (%rbx), %rcx; cmp %rax, %rcx; jne: looks for something */
    static const struct code search = CODE(0x48, 0x8B, 0x0B, 0x48, 0x39, 0xC1, 0x75, 0xF8);
    struct bench bench;

    loop(&bench, &before, &up, 1);
    ck_assert_uint_eq(bench.hit_count, 0);
    loop(&bench, &before, &up, 3);
    ck_assert_uint_eq(bench.hit_count, 1);
    ck_assert_str_eq(bench.hit[0].what, "loop bound unchecked");
    ck_assert_uint_eq(bench.hit[0].code_gva, CODE_GVA + 0x103);
    loop(&bench, &checked, &up, 3);
    ck_assert_uint_eq(bench.hit_count, 0);
    loop(&bench, &before, &head, 2);
    ck_assert_uint_eq(bench.hit_count, 1);
    loop(&bench, &before, &down, 2);
    ck_assert_uint_eq(bench.hit_count, 1);
    loop(&bench, &checked, &down, 2);
    ck_assert_uint_eq(bench.hit_count, 0);
    loop(&bench, &before, &search, 3);
    ck_assert_uint_eq(bench.hit_count, 0);
    loop(&bench, &before, &same, 3);
    ck_assert_uint_eq(bench.hit_count, 0);
}
END_TEST

START_TEST(test_allocation)
{
    /* mov %rax, %rdi; call */
    static const struct code call = CODE(LOAD, 0x48, 0x89, 0xC7, 0xE8, 0, 0, 0, 0);
    static const struct code checked =
        CODE(LOAD, 0x48, 0x83, 0xF8, 0x10, 0x48, 0x89, 0xC7, 0xE8, 0, 0, 0, 0);
    static const struct code callee = CODE(0x90, 0xC3);
    struct bench bench;

    bench_open(&bench);
    run(&bench, &call);
    run_at(&bench, &callee, ALLOCATOR_GVA + 0x10, SIZE_MAX);
    ck_assert_uint_eq(bench.hit_count, 0);
    run(&bench, &call);
    run_at(&bench, &callee, ALLOCATOR_GVA, SIZE_MAX);
    ck_assert_uint_eq(bench.hit_count, 1);
    ck_assert_str_eq(bench.hit[0].what, "allocation size unchecked");
    run(&bench, &checked);
    run_at(&bench, &callee, ALLOCATOR_GVA, SIZE_MAX);
    ck_assert_uint_eq(bench.hit_count, 1);
    taint_free(bench.taint);
}
END_TEST

/* What comes after the place where a block was left has not happened. */
START_TEST(test_settle)
{
    static const struct code check = CODE(0x90, 0x48, 0x83, 0xF8, 0x10);
    struct bench bench;

    bench_open(&bench);
    run(&bench, &load);
    run_at(&bench, &check, CODE_GVA, 1);
    run(&bench, &use);
    ck_assert_uint_eq(bench.hit_count, 1);
    /* But an access that faults was tried. */
    run(&bench, &load);
    run_at(&bench, &use, CODE_GVA, 0);
    ck_assert_uint_eq(bench.hit_count, 2);
    taint_free(bench.taint);
}
END_TEST

START_TEST(test_enter)
{
    static const struct code code = CODE(0x90, 0x90, LOAD, INDEX);
    struct flow_op op[OPS_MAX];
    struct bench bench;
    size_t count = flow_decode(code.bytes, code.size, op, OPS_MAX);

    bench_open(&bench);
    taint_enter(bench.taint, &(struct taint_block){1, CODE_GVA, 0, op, count}, CODE_GVA + 2);
    show(&bench, &op[2], CODE_GVA, false);
    taint_finish(bench.taint);
    ck_assert_uint_eq(bench.hit_count, 1);
    ck_assert_uint_eq(bench.hit[0].vcpu, 1);
    taint_free(bench.taint);
}
END_TEST

START_TEST(test_emulated)
{
    static const struct code rdmsr = CODE(0x0F, 0x32), pvalidate = CODE(0xF2, 0x0F, 0x01, 0xFF);
    struct flow_op op;
    struct bench bench;

    bench_open(&bench);
    ck_assert_uint_eq(flow_decode(rdmsr.bytes, rdmsr.size, &op, 1), 1);
    ck_assert_uint_eq(op.kind, FLOW_MSR_READ);
    taint_emulated(bench.taint, 0, &op, CODE_GVA, 5, true);
    run(&bench, &use);
    ck_assert_uint_eq(bench.hit_count, 1);
    ck_assert_uint_eq(bench.hit[0].size_bytes, 0);
    taint_emulated(bench.taint, 0, &op, CODE_GVA, 5, false);
    run(&bench, &use);
    ck_assert_uint_eq(bench.hit_count, 1);
    run(&bench, &load);
    ck_assert_uint_eq(flow_decode(pvalidate.bytes, pvalidate.size, &op, 1), 1);
    taint_emulated(bench.taint, 0, &op, CODE_GVA, 5, false);
    ck_assert_uint_eq(bench.hit_count, 2);
    ck_assert_str_eq(bench.hit[1].what, "address unchecked");
    taint_free(bench.taint);
}
END_TEST

START_TEST(test_snapshot)
{
    static const struct code keep = CODE(LOAD, 0x48, 0x89, 0x03, 0x31, 0xC0);
    static const struct code again = CODE(0x48, 0x8B, 0x03, INDEX);
    struct bench bench;

    bench_open(&bench);
    run(&bench, &keep);
    ck_assert_int_eq(taint_save(bench.taint, &bench.error), 0);
    for (unsigned i = 1; i <= 3; i++) {
        run(&bench, &again);
        ck_assert_uint_eq(bench.hit_count, i);
        run(&bench, &again);
        ck_assert_uint_eq(bench.hit_count, i);
        taint_restore(bench.taint);
        ck_assert(taint_is_live(bench.taint));
    }
    taint_clear(bench.taint, 2, 0, PAGE_SIZE);
    ck_assert(!taint_is_live(bench.taint));
    run(&bench, &again);
    ck_assert_uint_eq(bench.hit_count, 3);
    taint_free(bench.taint);
}
END_TEST

/* Everything is bounded: too many values, too many pages. What is there stays right. */
START_TEST(test_bounds)
{
    struct flow_op op[OPS_MAX];
    static const struct code code = CODE(LOAD, 0x48, 0x89, 0x03); /* mov %rax, (%rbx) */
    size_t count = flow_decode(code.bytes, code.size, op, OPS_MAX);
    struct bench bench;

    bench_open(&bench);
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t page = 2 + i % (PAGES - 2), offset = 8 * (i / (PAGES - 2));
        const struct oracle_access store = {
            .page = page,
            .gpa = ((uint64_t)page << PAGE_SHIFT) + offset,
            .size_bytes = 8,
            .write = true,
            .code_gva = CODE_GVA + 3,
        };

        taint_begin(bench.taint, &(struct taint_block){0, CODE_GVA, 0, op, count});
        show(&bench, &op[0], CODE_GVA, false);
        taint_access(bench.taint, &store, false);
        taint_finish(bench.taint);
    }
    ck_assert(taint_is_live(bench.taint));
    ck_assert_int_eq(taint_save(bench.taint, &bench.error), 0);
    taint_restore(bench.taint);
    for (uint32_t page = 0; page < PAGES; page++) {
        taint_clear(bench.taint, page, 0, PAGE_SIZE);
    }
    run(&bench, &load);
    run(&bench, &use);
    ck_assert_uint_eq(bench.hit_count, 1);
    ck_assert(!taint_is_live(bench.taint));
    taint_free(bench.taint);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("taint");
    TCase *tcase = tcase_create("taint");

    tcase_add_loop_test(tcase, test_one_block, 0, ROW_COUNT);
    tcase_add_test(tcase, test_places);
    tcase_add_test(tcase, test_once);
    tcase_add_test(tcase, test_loop);
    tcase_add_test(tcase, test_allocation);
    tcase_add_test(tcase, test_settle);
    tcase_add_test(tcase, test_enter);
    tcase_add_test(tcase, test_emulated);
    tcase_add_test(tcase, test_snapshot);
    tcase_add_test(tcase, test_bounds);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(make_suite());
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
