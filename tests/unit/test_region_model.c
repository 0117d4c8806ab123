/* SPDX-License-Identifier: MIT */
/* Regions against a model: random spans that are taken, freed, reused and purged, by seed, also once the system has refused memory
 * and what is free at a region's end goes back at each free. After each step the model knows of each chunk whether it is in use, of
 * which class, and since when it waits; and each choice of a place was the one that is promised. */
#include <errno.h>
#include <string.h>

#include "hakmem/base/config.h"
#include "hakmem/base/random.h"
#include "hakmem/hakmem.h"
#include "hakmem/os/fake/fake.h"
#include "hakmem/region/bitmap.h"
#include "hakmem/region/held.h"
#include "hakmem/region/region.h"
#include "hakmem/region/region_list.h"
#include "hakmem/region/runs.h"
#include "tests/harness/harness.h"
#include "tests/unit/told_purge.h"

#define CHUNK ((size_t)HAK_CHUNK_BYTES)
#define CHUNKS HAK_REGION_CHUNKS
#define MOST_REGIONS 12u
#define MOST_SPANS 64u
#define LEAST_SHRUNK 16u /* chunks; see region_chunks.c */
#define REFUSED DECAY_REFUSED_MS
#define KEEP "HAKMEM_PURGE_DELAY_MS=-1"

struct model {
    struct region *region;
    uint8_t class_of[CHUNKS];      /* 0: it is no slab's */
    uint16_t first_of[CHUNKS];     /* of the span */
    bool is_used[CHUNKS];          /* also by huge blocks */
    uint64_t freed_at_ms[CHUNKS];  /* 0: it does not wait */
    uint64_t dirty[REGION_WORDS];  /* the same as bits */
    uint64_t before[REGION_WORDS]; /* what was free before the step */
    /* Of the span that was freed there last: its class, and where the one of its class was freed before it; 0: none was. */
    uint8_t class_before[CHUNKS];
    uint16_t freed_before[CHUNKS];
    uint16_t freed_last[256]; /* of each class */
};

struct used {
    struct model *model;
    unsigned first, count, class_index; /* class 0: reused by a huge block */
};

static struct model models[MOST_REGIONS]; /* in the order of their making */
static unsigned model_count;
static struct used spans[MOST_SPANS];
static unsigned span_count;
static size_t held;
static uint64_t random_state;
static unsigned classes; /* that spans are of */
static bool is_scarce;   /* memory was refused once */
static unsigned shrunk;  /* chunks that were refused before, and went back because memory is scarce */

static unsigned below(unsigned bound) { return (unsigned)(random_xorshift64(&random_state) % bound); }

static struct model *model_of(struct region *region) {
    for (unsigned i = 0; i < model_count; i++) {
        if (models[i].region == region) return &models[i];
    }
    HAK_EXPECT_LT(model_count, MOST_REGIONS);
    models[model_count].region = region;
    return &models[model_count++];
}

static void set_waiting(struct model *model, unsigned chunk, uint64_t freed_at_ms) {
    model->freed_at_ms[chunk] = freed_at_ms;
    bitmap_set_run(model->dirty, chunk, 1, freed_at_ms != 0);
}

static void note_free_chunks(void) {
    for (unsigned i = 0; i < model_count; i++)
        memcpy(models[i].before, models[i].region->free, sizeof models[i].before);
}

/* The oldest region that has such a run, and where; NULL: none has. */
static struct model *first_run(bool is_dirty, unsigned count, unsigned *first) {
    for (unsigned i = 0; i < model_count; i++) {
        unsigned longest;
        *first = bitmap_find_run(is_dirty ? models[i].dirty : models[i].before, CHUNKS, count, &longest);
        if (*first < CHUNKS) return &models[i];
    }
    return NULL;
}

/* Where a span of the class was freed that waits still, of the last four; CHUNKS: nowhere. None of them is looked at again. */
static unsigned find_same(struct model *model, unsigned count, unsigned class_index) {
    for (unsigned looks = 0; looks < 4 && model->freed_last[class_index] != 0; looks++) {
        const unsigned first = model->freed_last[class_index];
        model->freed_last[class_index] = model->freed_before[first];
        if (first + count <= CHUNKS && model->class_before[first] == class_index &&
            bitmap_count_run(model->dirty, first, count) == count)
            return first;
    }
    return CHUNKS;
}

/* Which chunks that wait are taken for a class, of the regions that may have so many in a row. */
static struct model *place_of_class(unsigned count, unsigned class_index, unsigned *first) {
    struct region *region;
    for (unsigned from = 0; (region = hak_runs_find(RUNS_DIRTY, 0, from, count)) != NULL; from = region->number + 1) {
        struct model *const model = model_of(region);
        unsigned longest;
        *first = find_same(model, count, class_index);
        if (*first == CHUNKS) *first = bitmap_find_run(model->dirty, CHUNKS, count, &longest);
        if (*first < CHUNKS) return model;
    }
    return NULL;
}

/* ---- Comparison ---- */

static unsigned visited;

static void visit(struct region *region, unsigned first, void *argument) {
    const struct model *model = model_of(region);
    (void)argument;
    HAK_EXPECT_EQ(model->first_of[first], first);
    HAK_EXPECT_NE(model->class_of[first], 0);
    visited++;
}

static void expect_alike(void) {
    size_t dirty = 0, refused = 0, used = 0;
    for (unsigned i = 0; i < model_count; i++) {
        const struct model *const model = &models[i];
        for (unsigned chunk = REGION_CHUNK_FIRST; chunk < CHUNKS; chunk++) {
            const bool is_free = (model->region->free[chunk / 64] >> chunk % 64 & 1) != 0;
            const char *const start = region_chunk_address(model->region, chunk);
            dirty += model->freed_at_ms[chunk] != 0;
            refused += model->freed_at_ms[chunk] == REFUSED;
            used += model->is_used[chunk];
            /* A few chunks are neither, until all others are used. */
            const bool is_alike = !(is_free && model->is_used[chunk]) &&
                                  hak_region_chunk_class(start + CHUNK - 1) == model->class_of[chunk] &&
                                  (model->freed_at_ms[chunk] == 0 ||
                                   (is_free && model->region->freed_at_ms[chunk] == model->freed_at_ms[chunk]));
            if (!is_alike) harness_fail(__FILE__, __LINE__, "chunk %u of region %u", chunk, i);
        }
        HAK_EXPECT_EQ(memcmp(model->dirty, model->region->dirty, sizeof model->dirty), 0);
    }
    HAK_EXPECT_EQ(hak_region_dirty_bytes(), dirty * CHUNK);
    HAK_EXPECT_EQ(hak_region_refused_bytes(), refused * CHUNK);
    HAK_EXPECT_LE(hak_region_refused_bytes(), hak_region_dirty_bytes());
    HAK_EXPECT_EQ(hak_regions.taken_total, used * CHUNK);
    HAK_EXPECT_EQ(hak_held_bytes(), held);
    HAK_EXPECT_EQ(hak_region_count_now(), model_count);
    unsigned slabs = 0;
    visited = 0;
    hak_region_for_each_span(visit, NULL);
    for (unsigned i = 0; i < span_count; i++) slabs += spans[i].class_index != 0;
    HAK_EXPECT_EQ(visited, slabs);
}

/* ---- Steps ---- */

/* Chunks are taken from now on. Result: whether all of them read zero */
static bool note_used(struct model *model, unsigned first, unsigned count, unsigned class_index) {
    bool zeroed = true;
    for (unsigned chunk = first; chunk < first + count; chunk++) {
        HAK_EXPECT(!model->is_used[chunk]);
        zeroed &= model->freed_at_ms[chunk] == 0;
        set_waiting(model, chunk, 0);
        model->is_used[chunk] = true;
        model->class_of[chunk] = (uint8_t)class_index;
        model->first_of[chunk] = (uint16_t)first;
    }
    spans[span_count++] = (struct used){model, first, count, class_index};
    return zeroed;
}

static void step_alloc(unsigned longest) {
    const unsigned count = 1 + below(longest), class_index = 1 + below(classes), known = model_count;
    unsigned first = 0;
    struct span span;
    note_free_chunks();
    struct model *expected = first_run(true, count, &first);
    const bool is_dirty = expected != NULL;
    HAK_EXPECT_PTR_EQ(place_of_class(count, class_index, &first), expected);
    if (!is_dirty) expected = first_run(false, count, &first);
    HAK_ASSERT_TRUE(hak_region_span_alloc(count, class_index, &span) == 0);
    struct model *const model = model_of(span.region);
    HAK_EXPECT_EQ(span.count, count);
    /* Chunks that wait before clean ones, of the oldest region; among those, what was of the class goes first. */
    HAK_EXPECT(expected == NULL || model == expected);
    HAK_EXPECT(expected == NULL || span.first == first);
    HAK_EXPECT(expected != NULL || model_count == known + 1 || model == &models[known - 1]);
    uint64_t *const word = region_chunk_address(span.region, span.first);
    if (span.zeroed) HAK_EXPECT_EQ(*word, 0);
    *word = 1;
    HAK_EXPECT_EQ(note_used(model, span.first, count, class_index), span.zeroed);
    HAK_EXPECT(!(is_dirty && span.zeroed));
    held += count * CHUNK;
}

static void step_reuse(void) {
    const unsigned count = 1 + below(30);
    unsigned first = 0;
    struct model *const expected = first_run(true, count, &first);
    char *const start = (char *)hak_region_reuse(count);
    HAK_EXPECT_PTR_EQ(start, expected == NULL ? NULL : (char *)region_chunk_address(expected->region, first));
    if (start != NULL) (void)note_used(expected, first, count, 0);
}

/* Something was freed: where memory is scarce and enough chunks at the region's end are free, they are the system's again. */
static void note_shrunk(struct model *model, unsigned ready) {
    const unsigned first = REGION_CHUNK_FIRST + model->region->skipped;
    unsigned end = ready;
    while (end > first && !model->is_used[end - 1]) end--;
    const bool shrinks = is_scarce && ready - end >= LEAST_SHRUNK;
    HAK_EXPECT_EQ(model->region->ready, shrinks ? end : ready);
    for (unsigned chunk = end; shrinks && chunk < ready; chunk++) {
        shrunk += model->freed_at_ms[chunk] == REFUSED;
        set_waiting(model, chunk, 0);
    }
}

static void step_free(void) {
    struct used *const freed = &spans[below(span_count)];
    const unsigned ready = freed->model->region->ready;
    if (freed->class_index != 0) {
        hak_region_span_free(freed->model->region, freed->first, freed->count);
        held -= freed->count * CHUNK;
    } else {
        hak_region_reuse_end(region_chunk_address(freed->model->region, freed->first), freed->count);
    }
    freed->model->class_before[freed->first] = (uint8_t)freed->class_index;
    freed->model->freed_before[freed->first] = freed->model->freed_last[freed->class_index];
    freed->model->freed_last[freed->class_index] = (uint16_t)freed->first;
    for (unsigned chunk = freed->first; chunk < freed->first + freed->count; chunk++) {
        freed->model->is_used[chunk] = false;
        freed->model->class_of[chunk] = 0;
        set_waiting(freed->model, chunk, told_now_ms);
    }
    note_shrunk(freed->model, ready);
    *freed = spans[--span_count];
}

/* All that was freed until then, in pieces of at most so much; or the system takes nothing. */
static void step_purge(void) {
    const unsigned kind = below(4), piece = 1 + below(40);
    const uint64_t until = kind == 0 ? REFUSED - 1 : told_now_ms - below(40);
    const bool is_refused = below(4) == 0;
    struct decay_pass pass = {.freed_until_ms = until};
    size_t expected = 0, looked = 0;
    if (is_refused) {
        os_fake_fail_only(OS_FAKE_PURGE);
        os_fake_fail_from(1);
    }
    bool is_over = false;
    for (unsigned i = 0; i < 100000 && !is_over; i++) {
        pass.left = piece * CHUNK;
        is_over = hak_region_purge_piece(&pass);
        looked += piece * CHUNK - pass.left;
    }
    os_fake_reset();
    HAK_EXPECT(is_over);
    for (unsigned i = 0; i < model_count; i++) {
        for (unsigned chunk = 0; chunk < CHUNKS; chunk++) {
            if (models[i].freed_at_ms[chunk] == 0 || models[i].freed_at_ms[chunk] > until) continue;
            set_waiting(&models[i], chunk, is_refused ? REFUSED : 0);
            expected += CHUNK;
        }
    }
    HAK_EXPECT_EQ(looked, expected);
    HAK_EXPECT_EQ(pass.purged, is_refused ? 0 : expected);
}

/* The first region is refused. */
static void refuse_region(void) {
    struct span span;
    os_fake_fail_from(1);
    HAK_EXPECT_EQ(hak_region_span_alloc(1, 1, &span), ENOMEM);
}

static void run_steps(uint64_t seed, unsigned longest, unsigned most, unsigned steps) {
    random_state = random_mix(seed);
    classes = seed % 2 == 0 ? hak_class_count() - 1 : 3;
    told_begin(CHUNK); /* the process has begun */
    if (is_scarce) refuse_region();
    HAK_EXPECT_EQ(hak_region_count_now(), 0);
    os_fake_reset();
    for (unsigned step = 0; step < steps && harness_failure_count() == 0; step++) {
        const unsigned kind = below(16);
        told_now_ms += below(3);
        if (kind < 7 && span_count < most) step_alloc(longest);
        if (kind >= 7 && kind < 12 && span_count > 0) step_free();
        if (kind >= 12 && kind < 14 && span_count < most) step_reuse();
        if (kind == 15 && (is_scarce || below(3) == 0)) step_purge();
        expect_alike();
    }
    while (span_count > 0 && harness_failure_count() == 0) step_free();
    (void)hak_region_purge(UINT64_MAX);
    HAK_EXPECT_EQ(hak_region_dirty_bytes(), 0);
    HAK_EXPECT_EQ(hak_region_refused_bytes(), 0);
}

HAK_TEST_ISOLATED(RegionModel, ShortSpans, KEEP) { run_steps(1, 8, MOST_SPANS, HAK_TEST_SCALE(1500)); }

HAK_TEST_ISOLATED(RegionModel, LongSpansInSeveralRegions, KEEP) {
    run_steps(2, 100, 40, HAK_TEST_SCALE(1500));
    HAK_EXPECT_GE(model_count, 3);
}

HAK_TEST_ISOLATED(RegionModel, SpansOfHalfARegion, KEEP) { run_steps(3, 300, 16, HAK_TEST_SCALE(600)); }

/* The longer the spans are, the more often chunks whose purge was refused lie at a region's end. */
HAK_TEST_ISOLATED(RegionModel, LongSpansWhereMemoryIsScarce, KEEP) {
    is_scarce = true;
    run_steps(5, 100, 40, 500 + HAK_TEST_SCALE(1000));
    HAK_EXPECT_GT(shrunk, 0); /* else nothing of it is tested here */
}
