/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Going forward and back. Whatever way, the run itself only goes forward: to go back it begins
 * again at launch, and is stopped at the position that is wanted.
 *
 * Forward, breakpoints stop before their instruction. A watched access is shown before it is done,
 * and the vCPU stops some instructions later; so when these are not none, the run begins again and
 * stops right after the access. A step back is once more up to here, the last TRAIL_STEPS of it one
 * by one, noting each position; then to the last one before. To continue back is once more up to
 * here, noting the last hit; then to there.
 *
 * What the host changes, or an instruction that is emulated, no store of the guest's shows. It is
 * found by looking at the watched bytes: again from launch, with ever more looks in between.
 */
#include <string.h>

#include "gdb/internal.h"
#include "ghcb/hypervisor.h"

#define TRAIL_STEPS 256
#define NARROW_LOOKS 64

static const struct run_position LAUNCH = {0, 0};

static bool is_before(struct run_position a, struct run_position b)
{
    return run_position_compare(a, b) < 0;
}

static void stop_now(struct gdb *gdb, enum gdb_signal signal)
{
    gdb->phase = GDB_STOPPED;
    gdb->stop.signal = signal;
    gdb->reply_due = gdb->connected && !gdb->detached;
}

static void seek(struct gdb *gdb, struct run_position goal)
{
    gdb->phase = GDB_SEEK;
    gdb->goal = goal;
}

/* ---- what the client asks for ---- */

static void go(struct gdb *gdb, bool step, uint32_t vcpu)
{
    gdb->start = run_position(gdb->run);
    gdb->stop = (struct gdb_stop){.signal = GDB_SIGNAL_TRAP};
    gdb->hit.there = gdb->change.there = false;
    gdb->back = false;
    gdb->step = step;
    gdb->step_ran = false;
    gdb->step_vcpu = vcpu;
    gdb->last_vcpu = gdb_cpu_current(gdb->run);
    gdb->polls = 0;
    gdb->phase = GDB_FORWARD;
}

void gdb_go(struct gdb *gdb, bool step, uint32_t vcpu)
{
    go(gdb, step, vcpu);
}

/* The last position before `at` at which that vCPU was to run. */
static bool trail_find(const struct gdb *gdb, struct run_position at, uint32_t vcpu,
                       struct run_position *found)
{
    size_t i = gdb->trail_count;

    while (i > 0 && !is_before(gdb->trail[i - 1].at, at)) {
        i--;
    }
    if (i == gdb->trail_count) {
        return false; /* behind its end nothing is known */
    }
    while (i > 0 && gdb->trail[i - 1].vcpu != vcpu) {
        i--;
    }
    if (i > 0) {
        *found = gdb->trail[i - 1].at;
    }
    return i > 0;
}

static void trail_start(struct gdb *gdb, struct run_position goal)
{
    gdb->phase = GDB_TRAIL;
    gdb->goal = goal;
    gdb->trail_from = goal.retired > TRAIL_STEPS ? goal.retired - TRAIL_STEPS : 0;
    gdb->trail_count = 0;
    gdb->turn_known = false;
}

void gdb_go_back(struct gdb *gdb, bool step, uint32_t vcpu)
{
    struct run_position found;

    go(gdb, step, vcpu);
    gdb->back = true;
    if (!is_before(LAUNCH, gdb->start)) {
        gdb->stop.begin = true;
        stop_now(gdb, GDB_SIGNAL_TRAP);
    } else if (!step) {
        gdb->phase = GDB_SCAN;
        gdb->goal = gdb->start;
    } else if (trail_find(gdb, gdb->start, vcpu, &found)) {
        seek(gdb, found);
    } else {
        trail_start(gdb, gdb->start);
    }
}

/* ---- what is met on the way ---- */

static void note_hit(struct gdb *gdb, const struct gdb_point *point, struct run_position at)
{
    gdb->hit = (struct gdb_hit){.there = true, .at = at, .kind = point->kind, .gva = point->gva};
}

static bool is_watch(enum gdb_point_kind kind)
{
    return kind >= GDB_POINT_WRITE;
}

/* A probe of the vCPU: shall it stop? */
bool gdb_shown(struct gdb *gdb, const struct gdb_point *point, const struct vcpu_probed *probed)
{
    const struct run_position at = {probed->retired, run_position(gdb->run).stops};

    if (gdb->phase == GDB_SCAN) {
        if (is_before(at, gdb->goal)) {
            note_hit(gdb, point, at);
        }
        return false;
    }
    if (gdb->phase != GDB_FORWARD || gdb->detached ||
        (!is_watch(point->kind) && run_position_compare(at, gdb->start) == 0)) {
        return false;
    }
    if (!gdb->hit.there) {
        note_hit(gdb, point, at);
    }
    return true;
}

/* What the next stop will be for. */
static void stop_with_hit(struct gdb *gdb)
{
    gdb->stop.hit = true;
    gdb->stop.kind = gdb->hit.kind;
    gdb->stop.gva = gdb->hit.gva;
    gdb->hit.there = false;
}

static void stop_at_hit(struct gdb *gdb)
{
    stop_with_hit(gdb);
    stop_now(gdb, GDB_SIGNAL_TRAP);
}

/* What was shown while the guest ran. 0, or GDB_LEAVE. */
static int forward_hit(struct gdb *gdb, struct run_position now)
{
    bool watch = is_watch(gdb->hit.kind);

    if (watch ? now.retired <= gdb->hit.at.retired : run_position_compare(now, gdb->hit.at) != 0) {
        gdb->hit.there = false; /* it has not come to that: a fault, or another vCPU, came first */
        return 0;
    }
    if (watch && now.retired > gdb->hit.at.retired + 1) {
        struct run_position after = {gdb->hit.at.retired + 1, 0};

        stop_with_hit(gdb);
        seek(gdb, after);
        return GDB_LEAVE;
    }
    stop_at_hit(gdb);
    return 0;
}

/* Has the vCPU that is stepped done a step, and is it its turn? */
static bool step_done(struct gdb *gdb, struct run_position now)
{
    uint32_t vcpu = gdb_cpu_current(gdb->run);
    bool moved = is_before(gdb->start, now);

    gdb->step_ran =
        gdb->step_ran || (moved && gdb->last_vcpu == gdb->step_vcpu &&
                          (now.retired > gdb->before.retired || vcpu == gdb->step_vcpu));
    gdb->last_vcpu = vcpu;
    return gdb->step_ran && vcpu == gdb->step_vcpu;
}

/* From the start again, to look closer at when the change was. */
static int narrow_start(struct gdb *gdb, uint64_t stride)
{
    gdb->phase = GDB_NARROW;
    gdb->stride = stride;
    gdb->closer.there = false;
    gdb->goal = gdb->change.to;
    return GDB_LEAVE;
}

static bool narrow_done(const struct gdb *gdb)
{
    return gdb->change.to.retired - gdb->change.from.retired <= 1;
}

/* It is known now. Back, a hit that was shown after it comes first. */
static int narrow_end(struct gdb *gdb)
{
    const struct gdb_change *change = &gdb->change;

    if (!gdb->back || !gdb->hit.there || is_before(gdb->hit.at, change->from)) {
        note_hit(gdb, change->point, change->from);
    }
    seek(gdb, gdb->back ? gdb->hit.at : change->to);
    gdb->change.there = false;
    stop_with_hit(gdb);
    return GDB_LEAVE;
}

/* The first, or back the last, of the changes in between counts. */
static int narrow(struct gdb *gdb, struct run_position now, const struct gdb_point *changed)
{
    if (changed && gdb->before_known && !is_before(gdb->before, gdb->change.from) &&
        (gdb->back || !gdb->closer.there)) {
        gdb->closer = (struct gdb_change){true, gdb->before, now, changed};
    }
    if (is_before(now, gdb->goal)) {
        return 0;
    }
    if (gdb->closer.there) {
        gdb->change = gdb->closer;
    }
    if (!gdb->closer.there || narrow_done(gdb)) {
        return narrow_end(gdb);
    }
    return narrow_start(gdb,
                        (gdb->change.to.retired - gdb->change.from.retired) / NARROW_LOOKS + 1);
}

static int forward(struct gdb *gdb, struct run_position now, const struct gdb_point *changed)
{
    if (gdb->hit.there) {
        int status = forward_hit(gdb, now);

        if (status != 0 || gdb->phase == GDB_STOPPED) {
            return status;
        }
    }
    if (changed && is_before(gdb->start, now)) {
        gdb->change = (struct gdb_change){true, gdb->before, now, changed};
        if (!narrow_done(gdb)) {
            return narrow_start(gdb, 0);
        }
        note_hit(gdb, changed, now);
        stop_at_hit(gdb);
    } else if (gdb->step && step_done(gdb, now)) {
        stop_now(gdb, GDB_SIGNAL_TRAP);
    }
    return 0;
}

static int scan(struct gdb *gdb, struct run_position now, const struct gdb_point *changed)
{
    if (changed && gdb->before_known && is_before(gdb->before, gdb->goal)) {
        gdb->change = (struct gdb_change){true, gdb->before, now, changed};
    }
    if (is_before(now, gdb->goal)) {
        return 0;
    }
    if (gdb->change.there && (!gdb->hit.there || is_before(gdb->hit.at, gdb->change.to))) {
        return narrow_done(gdb) ? narrow_end(gdb) : narrow_start(gdb, 0);
    }
    seek(gdb, gdb->hit.there ? gdb->hit.at : LAUNCH);
    gdb->stop.begin = !gdb->hit.there;
    if (gdb->hit.there) {
        stop_with_hit(gdb);
    }
    return GDB_LEAVE;
}

/*
 * The trail is there. A vCPU that is nowhere on it had its last turn before: that turn's end is
 * where the next trail leads. One that has never run comes from where any was.
 */
static int trail_end(struct gdb *gdb)
{
    struct run_position found = LAUNCH;

    if (!trail_find(gdb, gdb->goal, gdb->step_vcpu, &found)) {
        if (gdb->turn_known && is_before(gdb->turn_end, gdb->goal)) {
            trail_start(gdb, gdb->turn_end);
            return GDB_LEAVE;
        }
        for (size_t i = 0; i < gdb->trail_count && is_before(gdb->trail[i].at, gdb->goal); i++) {
            found = gdb->trail[i].at;
        }
    }
    seek(gdb, found);
    return GDB_LEAVE;
}

static int trail(struct gdb *gdb, struct run_position now)
{
    uint32_t vcpu = gdb_cpu_current(gdb->run);

    if (gdb->before_known && gdb->last_vcpu == gdb->step_vcpu && vcpu != gdb->step_vcpu) {
        gdb->turn_known = true;
        gdb->turn_end = now;
    }
    gdb->last_vcpu = vcpu;
    if (gdb->trail_count == GDB_TRAIL_MAX) { /* the later half is worth more */
        gdb->trail_count /= 2;
        memcpy(gdb->trail, gdb->trail + gdb->trail_count, gdb->trail_count * sizeof(*gdb->trail));
    }
    if (now.retired >= gdb->trail_from) {
        gdb->trail[gdb->trail_count].at = now;
        gdb->trail[gdb->trail_count++].vcpu = vcpu;
    }
    return is_before(now, gdb->goal) ? 0 : trail_end(gdb);
}

static int look(struct gdb *gdb, struct run_position now)
{
    const struct gdb_point *changed =
        gdb_points_look(gdb, gdb->phase == GDB_NARROW ? gdb->change.point : NULL);

    switch (gdb->phase) {
    case GDB_FORWARD:
        return forward(gdb, now, changed);
    case GDB_SCAN:
        return scan(gdb, now, changed);
    case GDB_TRAIL:
        return trail(gdb, now);
    case GDB_NARROW:
        return narrow(gdb, now, changed);
    case GDB_SEEK:
        if (!is_before(now, gdb->goal)) {
            stop_now(gdb, gdb->stop.signal);
        }
        return 0;
    case GDB_STOPPED:
        return 0;
    }
    return 0;
}

/* ---- the run asks ---- */

/* Where to look next while a change is being narrowed down. */
static uint64_t narrow_look(const struct gdb *gdb, uint64_t now)
{
    uint64_t from = gdb->change.from.retired, to = gdb->change.to.retired;
    uint64_t next = gdb->stride ? now + gdb->stride : to - 1;

    return now < from ? from : next > now && next < to ? next : to;
}

/* How far the guest may run before it is asked for again. */
static uint64_t limit(const struct gdb *gdb, struct run_position now)
{
    uint64_t due = gdb_edits_due(gdb), at = UINT64_MAX;

    switch (gdb->phase) {
    case GDB_FORWARD:
        if (gdb->step && gdb_cpu_current(gdb->run) == gdb->step_vcpu) {
            at = now.retired + 1;
        }
        break;
    case GDB_TRAIL:
        at = now.retired < gdb->trail_from ? gdb->trail_from : now.retired + 1;
        break;
    case GDB_SEEK:
    case GDB_SCAN:
        at = gdb->goal.retired;
        break;
    case GDB_NARROW:
        at = narrow_look(gdb, now.retired);
        break;
    case GDB_STOPPED:
        break;
    }
    /* Where it stands already there may be more to see, but not by asking for nothing. */
    at = at > now.retired ? at : now.retired + 1;
    return at < due || due <= now.retired ? at : due;
}

int gdb_before(void *context, struct error *error)
{
    struct gdb *gdb = context;
    struct run_position now = run_position(gdb->run);
    int status;

    gdb_edits_redo(gdb, now);
    status = gdb->detached ? 0 : look(gdb, now);
    if (status == 0 && gdb->phase != GDB_STOPPED && !gdb->detached && gdb_interrupted(gdb)) {
        gdb->stop = (struct gdb_stop){0};
        stop_now(gdb, GDB_SIGNAL_INT);
    }
    gdb->before = now;
    gdb->before_known = true;
    if (status == 0 && gdb->phase == GDB_STOPPED) {
        status = gdb_listen(gdb, error);
        if (status == 0) {
            status = gdb_points_arm(gdb, error);
            gdb_points_look(gdb, NULL);
        }
    }
    gdb->debugger.limit = limit(gdb, now);
    return status;
}

/* What the host does from here on is not taken for the guest's. */
void gdb_after(void *context)
{
    gdb_points_settle(context);
}

/* ---- the end, and the beginning ---- */

static enum gdb_signal end_signal(enum outcome_kind kind)
{
    static const enum gdb_signal signals[OUTCOME_KIND_COUNT] = {
        [OUTCOME_HALTED] = GDB_SIGNAL_TRAP,       [OUTCOME_REACHED] = GDB_SIGNAL_TRAP,
        [OUTCOME_TERMINATED] = GDB_SIGNAL_ABRT,   [OUTCOME_TRIPLE_FAULT] = GDB_SIGNAL_SEGV,
        [OUTCOME_NESTED_FAULT] = GDB_SIGNAL_SEGV, [OUTCOME_REFUSED] = GDB_SIGNAL_ABRT,
        [OUTCOME_STUCK] = GDB_SIGNAL_XCPU,        [OUTCOME_BUDGET] = GDB_SIGNAL_XCPU,
        [OUTCOME_UNMODELLED] = GDB_SIGNAL_ILL,
    };

    return signals[kind];
}

static void say_outcome(struct gdb *gdb)
{
    const struct outcome *outcome = run_outcome(gdb->run);
    char phrase[64], text[1024];

    outcome_phrase(outcome, phrase, sizeof(phrase));
    snprintf(text, sizeof(text),
             "The run is over: %s%s%s, verdict %s; vCPU %u at VMPL%u, %llu instructions and %llu "
             "exits.%s%s%s\nIts state can be looked at, and reverse execution goes back into it.\n",
             phrase, outcome->detail[0] ? ": " : "", outcome->detail,
             verdict_name(outcome_verdict(outcome)), outcome->vcpu, outcome->vmpl,
             (unsigned long long)outcome->instructions, (unsigned long long)outcome->exits,
             outcome->panic[0] ? " Panic: \"" : "", outcome->panic, outcome->panic[0] ? "\"." : "");
    gdb_say(gdb, text);
}

int gdb_at_end(struct gdb *gdb, struct error *error)
{
    struct run_position now = run_position(gdb->run);
    int status = 0;

    if (gdb->detached) {
        return 0;
    }
    if (gdb->phase == GDB_FORWARD && gdb->hit.there && is_watch(gdb->hit.kind)) {
        status = forward_hit(gdb, now);
    } else if (gdb->phase == GDB_SCAN) {
        status = scan(gdb, now, gdb_points_look(gdb, NULL));
    } else if (gdb->phase == GDB_TRAIL) {
        status = trail(gdb, now);
    } else if (gdb->phase == GDB_NARROW) {
        status = narrow(gdb, now, gdb_points_look(gdb, gdb->change.point));
    }
    if (status != 0) {
        return status;
    }
    if (gdb->phase == GDB_FORWARD || gdb->phase == GDB_SEEK) {
        say_outcome(gdb);
        gdb->stop = (struct gdb_stop){.end = true};
        stop_now(gdb, end_signal(run_outcome(gdb->run)->kind));
    }
    return gdb_listen(gdb, error);
}

int gdb_travel(struct gdb *gdb, struct error *error)
{
    struct host *fresh;
    int status = scenario_host(gdb->options.scenario, &fresh, error);

    if (status != 0) {
        return status;
    }
    run_set_host(gdb->run, fresh);
    (*gdb->host)->free(*gdb->host);
    *gdb->host = fresh;
    status = run_restore(gdb->run, error);
    gdb_watcher_rewind(gdb);
    gdb->edit_next = 0;
    gdb->seen_known = false;
    gdb->before_known = false;
    return status == 0 ? gdb_points_arm(gdb, error) : status;
}
