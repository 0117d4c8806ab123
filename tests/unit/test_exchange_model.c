/* SPDX-License-Identifier: MIT */
/* Exchanges of a thread against a model: random bursts of allocations and frees of a few classes, by seed, with flushes, blocks that
 * others free, and shares that change. Before each call the model says what it will do: which block malloc gives, what each magazine
 * and the stash hold afterwards, how much room they have, how many blocks a refill takes and from which slab, and which blocks go to
 * slabs that others own. */
#include <string.h>

#include "hakmem/base/random.h"
#include "hakmem/hakmem.h"
#include "hakmem/ladder/room.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/magazine/share.h"
#include "hakmem/magazine/shared.h"
#include "hakmem/magazine/stash.h"
#include "hakmem/pool/pool.h"
#include "hakmem/slab/slab.h"
#include "tests/harness/census.h"
#include "tests/harness/harness.h"

#define CLASSES 7u
#define MOST_LIVE 1500u
#define MOST_LIVE_BYTES ((size_t)1 << 20)
#define MOST_STASH 16u

struct half {
    void *blocks[MAGAZINE_SLOTS]; /* the oldest first */
    uint32_t level;
};

struct model {
    unsigned class_index;
    const struct hak_class *constants;
    struct half loaded, returned, stash[MOST_STASH]; /* of the stash the oldest first */
    uint32_t stashed, room, batch, overflows, recent;
    uint16_t counted_from;
    bool is_used, was_used; /* since unused classes were last looked for; ever */
    void *live[MOST_LIVE];
    uint32_t live_count, live_most;
    struct slab *active[2]; /* before the call */
    uint64_t made, freed;
};

static struct model models[CLASSES];
static uint64_t exchanges, remote; /* of the thread */
static size_t loaded_bytes;        /* above tiny, since unused classes were last looked for */
static uint64_t random_state;
static bool changes_slabs; /* what is free in those of the class becomes more in this call, before one is chosen */
static bool releases, gives_up_slabs; /* in this call: those of which every block is free; all of the class */
static unsigned stashes_seen, oldest_seen, given_up_seen, unused_seen, grown_seen, swaps_seen;

static unsigned below(unsigned bound) { return (unsigned)(random_xorshift64(&random_state) % bound); }

static uint32_t least_of(size_t a, size_t b) { return (uint32_t)(a < b ? a : b); }

static bool is_above_tiny(const struct model *model) { return model->class_index >= HAK_L2_CLASS_FIRST; }

/* ---- The model ---- */

static uint32_t most_room(const struct model *model) {
    const uint32_t all = model->constants->magazine;
    return is_above_tiny(model) ? least_of(share_magazine_bytes() / model->constants->block_size, all) : all;
}

static uint32_t first_room(const struct model *model) {
    const uint32_t blocks = EXCHANGE_FIRST_ROOM_BYTES / model->constants->block_size;
    return least_of(blocks > 8 ? blocks : 8, most_room(model));
}

/* The oldest of them go to their slabs. */
static void flush(struct half *half, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) remote += slab_of(half->blocks[i])->owner != hak_self->number;
    half->level -= count;
    memmove(half->blocks, half->blocks + count, half->level * sizeof *half->blocks);
}

static void flush_oldest_stashed(struct model *model) {
    flush(&model->stash[0], model->stash[0].level);
    memmove(model->stash, model->stash + 1, --model->stashed * sizeof *model->stash);
}

static void flush_magazines(struct model *model) {
    while (model->stashed > 0) flush_oldest_stashed(model);
    flush(&model->loaded, model->loaded.level);
    flush(&model->returned, model->returned.level);
    model->batch = 0;
}

static bool has_room(struct model *model) {
    const uint32_t most = most_room(model);
    if (model->room > most) {
        flush_magazines(model);
        changes_slabs = true;
        model->room = most;
    }
    if (model->room == 0) model->room = first_room(model);
    return model->room != 0;
}

/* Of each 16 exchanges of the class the last decides: they were among 256 of the thread. */
static bool is_hot(struct model *model) {
    if (++model->recent < 16) return false;
    const bool hot = (uint16_t)(exchanges - model->counted_from) <= 256;
    model->recent = 0;
    model->counted_from = (uint16_t)exchanges;
    const uint32_t twice = least_of(2 * model->room, most_room(model));
    if (hot && twice > model->room) {
        model->room = twice;
        grown_seen++;
    }
    return hot;
}

static size_t bytes_above_tiny(void) {
    size_t bytes = 0;
    for (unsigned k = 0; k < CLASSES; k++) {
        const struct model *const model = &models[k];
        if (is_above_tiny(model))
            bytes += (size_t)(model->loaded.level + model->returned.level) * model->constants->block_size;
    }
    return bytes;
}

static void flush_unused(const struct model *current) {
    const size_t kept = hak_share_kept_bytes();
    if (loaded_bytes < SHARE_KEPT_LEAST_BYTES || loaded_bytes < kept) return;
    loaded_bytes = 0;
    if (bytes_above_tiny() <= kept) return;
    for (unsigned k = 0; k < CLASSES; k++) {
        struct model *const model = &models[k];
        const bool holds = model->active[0] != NULL || model->loaded.level > 0 || model->returned.level > 0;
        if (is_above_tiny(model) && !model->is_used && model != current && holds) {
            flush_magazines(model);
            model->active[0] = model->active[1] = NULL;
            unused_seen++;
        }
        if (is_above_tiny(model)) model->is_used = false;
    }
}

static void swap(struct model *model) {
    model->loaded = model->returned;
    model->returned.level = 0;
    swaps_seen++;
}

/* The slab that blocks are taken from comes first. NULL: one that the thread does not have yet */
static void choose_slab(struct model *model) {
    struct slab *const first = model->active[0], *const second = model->active[1];
    if (first != NULL && hak_slab_count_free(first, model->class_index) > 0) return;
    model->active[1] = first;
    model->active[0] = second != NULL && hak_slab_count_free(second, model->class_index) > 0 ? second : NULL;
}

/* Result: how many blocks are wanted of a slab. */
static uint32_t refill(struct model *model) {
    const uint32_t size = model->constants->block_size;
    if (is_above_tiny(model)) flush_unused(model);
    choose_slab(model);
    const uint32_t doubled = model->batch != 0 ? 2 * model->batch : size >= 4096 ? 1 : 4096 / size;
    model->batch = least_of(doubled, (model->room + 1) / 2);
    return model->returned.level < model->batch ? model->batch - model->returned.level : 1;
}

/* An exchange of malloc. Result: blocks that are wanted of a slab; 0: the loaded magazine has blocks without */
static uint32_t load(struct model *model) {
    exchanges++;
    if (model->returned.level >= model->room / 8 + 1 && model->recent + 1 < 16) {
        model->recent++;
        model->overflows = 0;
        model->is_used = true;
        swap(model);
        return 0;
    }
    if (!has_room(model)) {
        choose_slab(model);
        model->is_used = true;
        return 1;
    }
    model->overflows = 0;
    const bool hot = is_hot(model), wants_more = hot && model->batch < model->room / 2;
    uint32_t wanted = 0;
    if (model->returned.level >= model->room / 8 + 1 && !wants_more) {
        swap(model);
    } else if (model->stashed > 0) {
        model->loaded = model->stash[--model->stashed];
    } else {
        wanted = refill(model);
    }
    model->is_used = true;
    return wanted;
}

static bool gives_up(struct model *model) {
    return model->batch == 0 || model->overflows++ > model->constants->stash + 1u ||
           (is_above_tiny(model) && model->loaded.level > 0 && bytes_above_tiny() > hak_share_kept_bytes());
}

/* The returned magazine is full. */
static void make_room(struct model *model) {
    const struct hak_thread_stash *const stash = &hak_self->stashes[model->class_index];
    const bool may_stash =
        model->room == model->constants->magazine && !exchange_is_packed(hak_self, model->class_index) &&
        model->stashed < model->constants->stash && (stash->emptied != NULL || hak_self->spares_used < THREAD_SPARES);
    releases = true;
    if (gives_up(model)) {
        flush_magazines(model);
        model->overflows = 0;
        gives_up_slabs = true;
        given_up_seen++;
    } else if (model->loaded.level == 0) {
        releases = false;
        swap(model);
    } else if (may_stash || model->stashed > 0) {
        if (!may_stash) flush_oldest_stashed(model);
        oldest_seen += !may_stash;
        model->stash[model->stashed++] = model->returned;
        model->returned.level = 0;
        stashes_seen++;
    } else {
        flush(&model->returned, model->room > 1 ? model->room / 2 : 1);
    }
}

/* An exchange of free. Result: whether there is room for the block */
static bool unload(struct model *model) {
    exchanges++;
    model->is_used = true;
    if (!has_room(model)) return false;
    (void)is_hot(model);
    if (model->returned.level == model->room) make_room(model);
    return true;
}

/* ---- Comparison ---- */

static bool is_alike(const struct half *half, void **top, uint32_t level) {
    return half->level == level && memcmp(half->blocks, top - level, level * sizeof *top) == 0;
}

static void expect_stash(const struct model *model) {
    void **storage = hak_self->stashes[model->class_index].full;
    for (uint32_t i = model->stashed; i > 0; i--, storage = (void **)storage[0])
        HAK_EXPECT(is_alike(&model->stash[i - 1], stash_full_top(storage), model->constants->magazine));
}

static void expect_model(const struct model *model) {
    const unsigned c = model->class_index;
    const struct hak_thread_class *const own = &hak_self->classes[c];
    HAK_EXPECT_EQ(exchange_capacity(hak_self, c), model->room);
    HAK_EXPECT_EQ(own->batch, model->batch);
    HAK_EXPECT_EQ(own->overflows, model->overflows);
    HAK_EXPECT_EQ(own->recent_exchanges, model->recent);
    HAK_EXPECT_EQ((own->is_used & RECORD_USED_SINCE_LOADS) != 0, model->is_used);
    HAK_EXPECT_EQ((own->is_used & RECORD_USED_SINCE_GROWTH) != 0, model->was_used);
    HAK_EXPECT(is_alike(&model->loaded, hak_loaded[c], exchange_loaded_level(hak_self, c)));
    HAK_EXPECT(is_alike(&model->returned, hak_returned[c], exchange_returned_level(hak_self, c)));
    if (hak_loaded[c] != RECORD_NO_ROOM) {
        HAK_EXPECT_PTR_EQ((hak_loaded[c] - exchange_loaded_level(hak_self, c))[-1], NULL);
        HAK_EXPECT_PTR_EQ((hak_returned[c] - exchange_returned_level(hak_self, c))[-1], NULL);
    }
    HAK_EXPECT_EQ(own->stashed, model->stashed);
    if (own->stashed == model->stashed) expect_stash(model);
}

static void expect_alike(void) {
    for (unsigned k = 0; k < CLASSES; k++) {
        models[k].was_used |= models[k].is_used;
        expect_model(&models[k]);
    }
    HAK_EXPECT_EQ(hak_self->exchanges, exchanges);
    HAK_EXPECT_EQ(hak_self->remote_frees, remote);
    HAK_EXPECT_EQ(hak_self->loaded_above_tiny, loaded_bytes);
    hak_self->grown = 0; /* test_exchange has what growth leads to */
}

/* What was loaded of a slab: as much as was wanted, or all that it had; p of it is out. */
static void note_refill(struct model *model, uint32_t wanted, void *p) {
    const unsigned c = model->class_index;
    struct slab *const *const active = hak_self->classes[c].active;
    const uint32_t level = exchange_loaded_level(hak_self, c);
    HAK_EXPECT(level + 1 == wanted || (level + 1 < wanted && active[0]->free_count == 0));
    if (!changes_slabs) HAK_EXPECT_PTR_EQ(active[1], model->active[1]);
    if (!changes_slabs) HAK_EXPECT(model->active[0] == NULL || active[0] == model->active[0]);
    memcpy(model->loaded.blocks, hak_loaded[c] - level, level * sizeof(void *));
    model->loaded.level = level;
    if (is_above_tiny(model) && model->room != 0) loaded_bytes += (size_t)(level + 1) * model->constants->block_size;
    HAK_EXPECT_PTR_EQ(slab_of(p), active[0]);
}

/* ---- Calls ---- */

static void note_active(void) {
    for (unsigned k = 0; k < CLASSES; k++)
        memcpy(models[k].active, hak_self->classes[models[k].class_index].active, sizeof models[k].active);
}

static void call_malloc(struct model *model) {
    uint32_t wanted = 0;
    if (model->live_count == model->live_most) return;
    note_active();
    changes_slabs = false;
    if (model->loaded.level == 0) wanted = load(model);
    void *const expected = wanted == 0 ? model->loaded.blocks[--model->loaded.level] : NULL;
    void *const p = pool_alloc(model->class_index, model->constants->block_size);
    HAK_ASSERT_TRUE(p != NULL);
    if (wanted != 0) {
        note_refill(model, wanted, p);
    } else {
        HAK_EXPECT_PTR_EQ(p, expected);
    }
    model->live[model->live_count++] = p;
    model->made++;
    expect_alike();
}

static void expect_released(const struct model *model) {
    struct slab *const *const active = hak_self->classes[model->class_index].active;
    for (unsigned i = 0; i < 2; i++) {
        if (gives_up_slabs) HAK_EXPECT_PTR_EQ(active[i], NULL);
        if (active[i] == NULL) continue;
        HAK_EXPECT(active[i] == model->active[0] || active[i] == model->active[1]);
        if (releases) HAK_EXPECT_LT(hak_slab_count_free(active[i], model->class_index), model->constants->blocks);
    }
    if (!releases) HAK_EXPECT_EQ(memcmp(active, model->active, sizeof model->active), 0);
}

static void *take_live(struct model *model) {
    const uint32_t at = below(model->live_count);
    void *const p = model->live[at];
    model->live[at] = model->live[--model->live_count];
    model->freed++;
    return p;
}

static void call_free(struct model *model) {
    if (model->live_count == 0) return;
    void *const p = take_live(model);
    note_active();
    releases = gives_up_slabs = false;
    if (model->returned.level < model->room || unload(model)) {
        model->returned.blocks[model->returned.level++] = p;
    } else {
        remote += slab_of(p)->owner != hak_self->number;
    }
    hak_free(p);
    expect_released(model);
    expect_alike();
}

/* A thread without magazines frees it. */
static void call_free_of_another(struct model *model) {
    if (model->live_count > 0) hak_shared_free(model->class_index, take_live(model));
}

static void call_flush(bool is_idle) {
    exchanges += is_idle ? 2 : 1;
    for (unsigned k = 0; k < CLASSES; k++) {
        struct model *const model = &models[k];
        note_active();
        const bool holds = model->room != 0 || model->active[0] != NULL;
        if (holds) flush_magazines(model);
        model->is_used |= holds;
        if (is_idle) model->room = 0;
    }
    if (is_idle) {
        hak_exchange_flush_idle(hak_self);
    } else {
        hak_exchange_flush(hak_self);
    }
    note_active();
    for (unsigned k = 0; k < CLASSES; k++) HAK_EXPECT(models[k].active[0] == NULL && models[k].active[1] == NULL);
    if (is_idle) HAK_EXPECT_EQ(hak_self->magazines_used + hak_self->spares_used, 0);
    expect_alike();
}

static void expect_counts(void) {
    for (unsigned k = 0; k < CLASSES; k++) {
        const struct hak_class_stats stats = census_class(models[k].class_index);
        HAK_EXPECT_EQ(stats.live_blocks, models[k].live_count);
        HAK_EXPECT_EQ(stats.allocations, models[k].made);
        HAK_EXPECT_EQ(stats.frees, models[k].freed);
    }
    CENSUS_EXPECT_CONSISTENT();
}

/* ---- Bursts ---- */

static void begin(uint64_t seed) {
    const unsigned classes[CLASSES] = {4,
                                       HAK_TINY_CLASS_LAST,
                                       HAK_L2_CLASS_FIRST,
                                       size_class_of(2048),
                                       size_class_of(12288),
                                       HAK_L25_CLASS_FIRST,
                                       size_class_of(196608)};
    random_state = random_mix(seed);
    hak_free(hak_alloc(8)); /* the thread has begun */
    hak_exchange_flush_idle(hak_self);
    memset(hak_self->magazines, 0x11,
           sizeof hak_self->magazines); /* as another thread of the record may have left them */
    for (unsigned k = 0; k < CLASSES; k++) {
        const unsigned c = classes[k];
        HAK_ASSERT_TRUE(hak_classes[c].stash <= MOST_STASH && !exchange_is_uncached(c));
        models[k] = (struct model){.class_index = c, .constants = &hak_classes[c]};
        models[k].live_most = least_of(MOST_LIVE, MOST_LIVE_BYTES / hak_classes[c].block_size);
        models[k].counted_from = hak_self->classes[c].counted_from;
        models[k].recent = hak_self->classes[c].recent_exchanges;
        models[k].is_used = (hak_self->classes[c].is_used & RECORD_USED_SINCE_LOADS) != 0;
        models[k].was_used = (hak_self->classes[c].is_used & RECORD_USED_SINCE_GROWTH) != 0;
    }
    exchanges = hak_self->exchanges;
    remote = hak_self->remote_frees;
    loaded_bytes = hak_self->loaded_above_tiny;
    expect_alike();
}

static void burst(struct model *model, unsigned longest) {
    const unsigned count = 1 + below(longest), kind = below(20);
    for (unsigned i = 0; i < count && harness_failure_count() == 0; i++) {
        if (kind < 9) call_malloc(model);
        if (kind >= 9 && kind < 17) call_free(model);
        if (kind >= 17 && kind < 19) below(2) == 0 ? call_malloc(model) : call_free(model);
        if (kind == 19 && i < 20) call_free_of_another(model);
    }
}

/* A few bursts in a row are of the same class, or no class would get hot. */
static void run_bursts(uint64_t seed, unsigned rounds, bool shares_change) {
    static const uint32_t threads[] = {1, 2, 16, 17, 40, 130, 2000};
    begin(seed);
    for (unsigned round = 0; round < rounds && harness_failure_count() == 0; round++) {
        struct model *const model = &models[below(CLASSES)];
        const unsigned longest = below(3) == 0 ? MOST_LIVE / 2 : 60;
        for (unsigned i = 1 + below(8); i > 0; i--) burst(model, longest);
        if (shares_change && below(6) == 0) hak_share_divide(threads[below(sizeof threads / sizeof *threads)]);
        if (below(60) == 0) call_flush(below(2) == 0);
        if (round % 8 == 0) expect_counts();
    }
    expect_counts();
    /* The random calls have to meet each of these, or it is not tested here. A shortened run need not. */
    if (HAK_TEST_SCALE(600) < 600) return;
    HAK_EXPECT(grown_seen > 0 && swaps_seen > 0 && given_up_seen > 0);
    HAK_EXPECT(stashes_seen > 0 && oldest_seen > 0 && unused_seen > 0);
}

#define KEEP "HAKMEM_PURGE_DELAY_MS=-1"
#define SKIP_OTHERS()                                                                           \
    if (HAK_GUARD_EXACT || !HAK_P1_BATCHED_STATS || !HAK_P3_SENTINELS || !ladder_room_varies()) \
    HAK_SKIP("the model is of builds without guard that vary the room")

HAK_TEST_ISOLATED(ExchangeModel, AThreadOfFew, KEEP) {
    SKIP_OTHERS();
    run_bursts(1, HAK_TEST_SCALE(600), false);
}

HAK_TEST_ISOLATED(ExchangeModel, AThreadOfMany, KEEP) {
    SKIP_OTHERS();
    run_bursts(2, HAK_TEST_SCALE(600), true);
}
