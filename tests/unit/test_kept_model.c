/* SPDX-License-Identifier: MIT */
/* Kept mappings against a model that is as plain as can be: for each chunk of an arena when it was freed. Random steps, by seed;
 * after each the model has the same chunks, spans, ages, counts, and the same goes back to the system. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "hakmem/base/atomic.h"
#include "hakmem/base/config.h"
#include "hakmem/base/options.h"
#include "hakmem/base/random.h"
#include "hakmem/hakmem.h"
#include "hakmem/os/os.h"
#include "hakmem/process/begin.h"
#include "hakmem/region/decay.h"
#include "hakmem/region/kept.h"
#include "tests/harness/harness.h"
#include "tests/unit/told_purge.h"

#define CHUNK ((size_t)HAK_CHUNK_BYTES)
#define CHUNKS 1024u
#define HUGE_PAGE 32u /* chunks */
#define MOST_SPANS 64u
#define REFUSED DECAY_REFUSED_MS

/* [first, end) */
struct run {
    unsigned first, end;
};

static char *arena;
static uint64_t ages[CHUNKS]; /* when it was freed, or the oldest beside it; 0: it is not kept */
static uint8_t gone[CHUNKS];  /* went back to the system since the step began */
static uint8_t to_go[CHUNKS]; /* should have */
static bool is_refused;       /* the system takes nothing of the arena */
static unsigned threshold;    /* chunks; so many at once are not kept */
static unsigned spans_most;   /* at any one time */
static unsigned parts_asked;  /* how often a part of a refused span was asked for */

/* ---- The system, as far as the arena is concerned ---- */

int __real_hak_os_unmap(void *start, size_t size);
int __wrap_hak_os_unmap(void *start, size_t size);
int __real_hak_os_purge(void *start, size_t size);
int __wrap_hak_os_purge(void *start, size_t size);

static bool is_in_arena(const void *start) { return (uintptr_t)start - (uintptr_t)arena < CHUNKS * CHUNK; }

#define OTHERS_MOST 10000u

static bool others_free;      /* a chunk for each range of the arena that is unmapped */
static unsigned others_freed; /* chunks; not without end, or a failure would hang */

static void free_meanwhile(void) {
    if (!others_free || others_freed == OTHERS_MOST) return;
    told_now_ms++;
    hak_kept_free(arena + 2 * (others_freed++ % (CHUNKS / 2)) * CHUNK, CHUNK);
}

int __wrap_hak_os_unmap(void *start, size_t size) {
    if (!is_in_arena(start)) return __real_hak_os_unmap(start, size);
    if (is_refused) return ENOMEM;
    free_meanwhile();
    for (size_t chunk = ((char *)start - arena) / CHUNK; size > 0; size -= CHUNK) gone[chunk++]++;
    return 0;
}

int __wrap_hak_os_purge(void *start, size_t size) {
    return is_in_arena(start) ? ENOMEM : __real_hak_os_purge(start, size);
}

/* ---- The model ---- */

/* The span that begins at `from` or later; empty: there is none. */
static struct run next_run(unsigned from) {
    while (from < CHUNKS && ages[from] == 0) from++;
    struct run run = {from, from};
    while (run.end < CHUNKS && ages[run.end] != 0) run.end++;
    return run;
}

static struct run run_around(unsigned chunk) {
    struct run run = {chunk, chunk + 1};
    while (run.first > 0 && ages[run.first - 1] != 0) run.first--;
    while (run.end < CHUNKS && ages[run.end] != 0) run.end++;
    return run;
}

static unsigned length(struct run run) { return run.end - run.first; }

static void set_ages(struct run run, uint64_t age) {
    for (unsigned chunk = run.first; chunk < run.end; chunk++) ages[chunk] = age;
}

static void give_back(struct run run) {
    set_ages(run, 0);
    for (unsigned chunk = run.first; chunk < run.end; chunk++) to_go[chunk]++;
}

/* The oldest of all but the one at `other`. */
static struct run oldest_run(unsigned other) {
    struct run oldest = {0, 0};
    for (struct run run = next_run(0); length(run) > 0; run = next_run(run.end)) {
        if (run.first != other && (length(oldest) == 0 || ages[run.first] < ages[oldest.first])) oldest = run;
    }
    return oldest;
}

/* The run is kept from now on, as a part of what lies beside it. */
static struct run keep(struct run added, uint64_t age) {
    unsigned others = 0;
    set_ages(added, age);
    const struct run joined = run_around(added.first);
    for (unsigned chunk = joined.first; chunk < joined.end; chunk++) age = ages[chunk] < age ? ages[chunk] : age;
    set_ages(joined, age);
    for (struct run run = next_run(0); length(run) > 0; run = next_run(run.end)) others += run.first != joined.first;
    if (others == MOST_SPANS) give_back(oldest_run(joined.first));
    return joined;
}

/* The place that is taken for so many chunks; none where the run is empty. */
static struct run place_for(unsigned count, unsigned alignment) {
    struct run best = {0, 0}, place = {0, 0};
    for (struct run run = next_run(0); length(run) > 0; run = next_run(run.end)) {
        const unsigned highest = run.end >= count ? (run.end - count) / alignment * alignment : 0;
        const bool fits = length(run) >= count && highest >= run.first;
        if (fits && (length(best) == 0 || length(run) < length(best))) {
            best = run;
            place = (struct run){highest, highest + count};
        }
    }
    return place;
}

static void take_place(struct run place) {
    const struct run span = run_around(place.first), behind = {place.end, span.end};
    const uint64_t age = ages[place.first];
    set_ages((struct run){place.first, span.end}, 0);
    if (length(behind) > 0) (void)keep(behind, age);
}

/* Nothing lies free beside a span of the arena. So the longest one that the block might have grown out of stays, or goes if it is short. */
static void map_elsewhere(unsigned count, unsigned alignment) {
    struct run longest = {0, 0};
    for (struct run run = next_run(0); length(run) > 0; run = next_run(run.end)) {
        const bool has_place = run.first % alignment == 0 || (run.end + CHUNKS - count) % alignment == 0;
        const bool may_grow = length(run) < count && 16 * length(run) >= count && ages[run.first] != REFUSED;
        if (has_place && may_grow && length(run) > length(longest)) longest = run;
    }
    if (4 * length(longest) <= count) give_back(longest);
}

/* A pass's piece of so many chunks. Result: whether the pass is over; `purged` is what went, chunks */
static bool purge(uint64_t *freed_until_ms, unsigned left, unsigned *purged) {
    *purged = 0;
    while (left > 0) {
        const unsigned most = (left + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
        struct run run = oldest_run(CHUNKS);
        if (length(run) == 0 || ages[run.first] > *freed_until_ms) return true;
        if (length(run) > most) run.first = run.end - most;
        left = left > length(run) ? left - length(run) : 0;
        if (is_refused) {
            set_ages(run, 0);
            set_ages(keep(run, REFUSED), REFUSED);
            *freed_until_ms = *freed_until_ms < REFUSED - 1 ? *freed_until_ms : REFUSED - 1;
        } else {
            give_back(run);
            *purged += length(run);
        }
    }
    return false;
}

/* ---- Both side by side ---- */

static unsigned spans_seen;

static void visit_span(void *start, size_t size, void *argument) {
    struct run *expected = argument;
    if (!is_in_arena(start)) return; /* the table of spans itself */
    *expected = next_run(expected->end);
    spans_seen++;
    HAK_EXPECT_PTR_EQ(start, arena + expected->first * CHUNK);
    HAK_EXPECT_EQ(size, length(*expected) * CHUNK);
}

static void expect_alike(void) {
    size_t kept = 0, refused = 0;
    unsigned spans = 0;
    for (unsigned chunk = 0; chunk < CHUNKS; chunk++) {
        char *const start = arena + chunk * CHUNK;
        kept += ages[chunk] != 0;
        refused += ages[chunk] == REFUSED;
        if (hak_kept_contains(start) != (ages[chunk] != 0) ||
            hak_kept_contains(start + CHUNK - 1) != (ages[chunk] != 0))
            harness_fail(__FILE__, __LINE__, "chunk %u: freed at %llu", chunk, (unsigned long long)ages[chunk]);
    }
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), kept * CHUNK);
    HAK_EXPECT_EQ(hak_kept_refused_bytes(), refused * CHUNK);
    HAK_EXPECT_LE(hak_kept_refused_bytes(), hak_kept_dirty_bytes());
    HAK_EXPECT_EQ(memcmp(gone, to_go, sizeof gone), 0);
    memset(gone, 0, sizeof gone);
    memset(to_go, 0, sizeof to_go);
    struct run last = {0, 0};
    spans_seen = 0;
    hak_kept_for_each(visit_span, &last);
    for (struct run run = next_run(0); length(run) > 0; run = next_run(run.end)) spans++;
    HAK_EXPECT_EQ(spans_seen, spans);
    spans_most = spans > spans_most ? spans : spans_most;
}

static unsigned below(uint64_t *random, unsigned bound) { return (unsigned)(random_xorshift64(random) % bound); }

/* Some chunks that nobody has. */
static void step_free(uint64_t *random, unsigned longest) {
    struct run run = {below(random, CHUNKS), 0};
    const unsigned most = run.first + 1 + below(random, longest);
    for (run.end = run.first; run.end < CHUNKS && run.end < most && ages[run.end] == 0; run.end++) {
    }
    if (length(run) == 0) return;
    hak_kept_free(arena + run.first * CHUNK, length(run) * CHUNK);
    if (length(run) >= threshold) {
        give_back(run);
    } else {
        (void)keep(run, told_now_ms);
    }
}

static void step_take(uint64_t *random, unsigned longest) {
    const unsigned count = 1 + below(random, longest), alignment = 1u << below(random, 6);
    const struct run place = place_for(count, alignment);
    void *start = NULL;
    bool zeroed = false;
    HAK_EXPECT_EQ(hak_kept_alloc(count * CHUNK, alignment * CHUNK, &start, &zeroed), 0);
    HAK_EXPECT_EQ(zeroed, length(place) == 0);
    if (zeroed) {
        HAK_EXPECT_EQ((uintptr_t)start % (alignment * CHUNK), 0);
        HAK_EXPECT_EQ(hak_os_unmap(start, count * CHUNK), 0);
        map_elsewhere(count, alignment);
        return;
    }
    HAK_EXPECT_PTR_EQ(start, arena + place.first * CHUNK);
    take_place(place);
}

/* A piece of a pass over all that was freed until then. */
static void purge_piece(uint64_t until, unsigned left) {
    struct decay_pass pass = {.freed_until_ms = until, .left = left * CHUNK};
    unsigned purged;
    const bool is_over = hak_kept_purge_piece(&pass);
    HAK_EXPECT_EQ(is_over, purge(&until, left, &purged));
    HAK_EXPECT_EQ(pass.purged, purged * CHUNK);
    HAK_EXPECT_EQ(pass.freed_until_ms, until);
}

static void step_purge(uint64_t *random) {
    const unsigned kind = below(random, 8), left = 1 + below(random, 100);
    is_refused = below(random, 6) == 0;
    purge_piece(kind == 0 ? REFUSED : kind == 1 ? REFUSED - 1 : told_now_ms - below(random, 60), left);
    is_refused = false;
}

/* All of it is refused, and then a little is asked for again: a part of a span, where that is long. Whether it is refused again is
 * chance. */
static void step_refuse(uint64_t *random) {
    is_refused = true;
    purge_piece(REFUSED - 1, CHUNKS);
    expect_alike();
    is_refused = below(random, 2) == 0;
    const struct run first = oldest_run(CHUNKS);
    const unsigned left = 1 + below(random, 2 * HUGE_PAGE);
    parts_asked += length(first) > (left + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    purge_piece(REFUSED, left);
    is_refused = false;
}

static void make_arena(void) {
    told_begin(CHUNK); /* the process has begun */
    /* Something lies at either end, so that no block grows out of the arena. */
    arena = mmap(NULL, (CHUNKS + 2 * HUGE_PAGE) * CHUNK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    HAK_ASSERT_TRUE(arena != MAP_FAILED);
    arena = (char *)(((uintptr_t)arena + HUGE_PAGE * CHUNK) & ~(HUGE_PAGE * CHUNK - 1));
}

/* With short ones there are more spans than are kept; with long ones they meet. */
static void run_steps(uint64_t seed, unsigned longest, unsigned steps) {
    uint64_t everything = REFUSED;
    unsigned purged;
    uint64_t random = random_mix(seed);
    make_arena();
    for (unsigned step = 0; step < steps && harness_failure_count() == 0; step++) {
        const unsigned kind = below(&random, 16);
        told_now_ms += below(&random, 3);
        if (kind < 10) step_free(&random, longest);
        if (kind >= 10 && kind < 15) step_take(&random, longest);
        if (kind == 15 && below(&random, 4) == 0) step_purge(&random);
        if (kind == 15 && below(&random, 4) == 0) step_refuse(&random);
        expect_alike();
    }
    /* All of it goes, once nothing is refused. */
    const size_t bytes = hak_kept_purge(UINT64_MAX);
    (void)purge(&everything, CHUNKS, &purged);
    HAK_EXPECT_EQ(bytes, purged * CHUNK);
    expect_alike();
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), 0);
}

HAK_TEST_ISOLATED(KeptModel, ShortSpans, "HAKMEM_PURGE_DELAY_MS=-1") {
    threshold = CHUNKS + 1;
    /* The first 500 at least are needed, until as many spans are kept as may be. */
    run_steps(1, 6, 500 + HAK_TEST_SCALE(2500));
    HAK_EXPECT_EQ(spans_most, MOST_SPANS);
}

HAK_TEST_ISOLATED(KeptModel, LongSpans, "HAKMEM_PURGE_DELAY_MS=-1") {
    threshold = CHUNKS + 1;
    run_steps(2, 60, 500 + HAK_TEST_SCALE(2500));
    HAK_EXPECT_GT(parts_asked, 0); /* else nothing of it is tested here */
}

/* What mallopt says that is to be unmapped when it is freed. */
HAK_TEST_ISOLATED(KeptModel, LongSpansAreNotKeptWhereThatIsAskedFor, "HAKMEM_PURGE_DELAY_MS=-1") {
    threshold = 40;
    hak_store_relaxed(&hak_options.map_threshold, threshold * CHUNK);
    run_steps(3, 60, HAK_TEST_SCALE(2000));
}

/* What was kept when the purge began goes, and what is kept later stays; what was refused is asked for all the same. */
HAK_TEST_ISOLATED(KeptModel, PurgeEndsWhereOthersFreeAsFast, "HAKMEM_PURGE_DELAY_MS=-1") {
    make_arena();
    for (unsigned i = 0; i < 5; i++) hak_kept_free(arena + (CHUNKS / 2 + 2 * i) * CHUNK, CHUNK);
    is_refused = true;
    HAK_EXPECT_EQ(hak_kept_purge(DECAY_EVERYTHING), 0);
    HAK_EXPECT_EQ(hak_kept_refused_bytes(), 5 * CHUNK);
    is_refused = false;
    for (unsigned i = 5; i < 10; i++) hak_kept_free(arena + (CHUNKS / 2 + 2 * i) * CHUNK, CHUNK);
    others_free = true;
    HAK_EXPECT_EQ(hak_kept_purge(DECAY_EVERYTHING), 10 * CHUNK);
    HAK_EXPECT_EQ(others_freed, 10);
    HAK_EXPECT_EQ(hak_kept_dirty_bytes(), 10 * CHUNK);
    HAK_EXPECT_EQ(hak_kept_refused_bytes(), 0);
}
