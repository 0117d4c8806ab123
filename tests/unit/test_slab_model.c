/* SPDX-License-Identifier: MIT */
/* Slabs against a model: random blocks that are taken and freed, by the owner and by others, and slabs that are given up, claimed and
 * purged, by seed. After each step the model knows of each slab its state, which blocks are free, in which list of its class it is and
 * what there is to purge; and each choice of a block or a slab was the one that is promised.
 *
 * The slabs belong to thread numbers that no thread of the test has. */
#include <string.h>

#include "hakmem/base/random.h"
#include "hakmem/process/begin.h"
#include "hakmem/slab/partial.h"
#include "hakmem/slab/slab.h"
#include "tests/harness/harness.h"

#define SELF 1001u
#define OTHER 1002u
#define CLASSES 4u
#define COUNT_SHIFT 16 /* as in control.h */
#define MOST_SLABS 12u
#define MOST_BLOCKS 8192u

struct model {
    struct slab *slab;
    unsigned class_index;
    const struct hak_class *constants;
    enum slab_state state;
    void *live[MOST_BLOCKS];
    uint32_t live_count;
    uint8_t is_free[MOST_BLOCKS]; /* by index: 1: the owner knows it; 2: another freed it */
    uint32_t free_count, remote_count, fresh_from;
    uint32_t purged_free, listed_free; /* while it is PARTIAL; else the last values */
    unsigned level;
    bool is_purged;     /* there is nothing to purge */
    uint64_t listed_at; /* another number each time */
};

static struct model models[MOST_SLABS];
static unsigned model_count;
static uint64_t random_state, now;
static size_t unpurged_before, purged_before;
static unsigned claimed_seen, purged_seen, emptied_seen;

static unsigned below(unsigned bound) { return (unsigned)(random_xorshift64(&random_state) % bound); }

static uint32_t all_free(const struct model *model) { return model->free_count + model->remote_count; }

/* 0: fewer than an eighth of the blocks are free; 1 to 4: an eighth, a quarter, half, three quarters; 5: all are. */
static unsigned level_of(uint32_t free_blocks, uint32_t blocks) {
    const uint32_t eighths[] = {1, 2, 4, 6, 8};
    unsigned level = 0;
    while (level < 5 && (uint64_t)8 * free_blocks >= (uint64_t)eighths[level] * blocks) level++;
    return level;
}

/* ---- The model ---- */

static uint32_t index_of(const struct model *model, const void *p) {
    struct slab_position position;
    HAK_EXPECT(slab_locate(p, model->class_index, &position));
    HAK_EXPECT_PTR_EQ(position.slab, model->slab);
    return position.block;
}

static void drain(struct model *model) {
    for (uint32_t block = 0; block < model->constants->blocks; block++) {
        if (model->is_free[block] == 2) model->is_free[block] = 1;
    }
    model->free_count += model->remote_count;
    model->remote_count = 0;
}

static void forget(struct model *model) { *model = models[--model_count]; }

/* Nobody owns it. Result: whether it is gone */
static bool relist(struct model *model) {
    const unsigned level = level_of(all_free(model), model->constants->blocks);
    if (level == 0) return false;
    if (level == 5) {
        HAK_EXPECT_EQ(hak_slab_state_of(model->slab), SLAB_EMPTY);
        HAK_EXPECT_EQ(hak_region_chunk_class((void *)slab_base(model->slab)), 0);
        emptied_seen++;
        forget(model);
        return true;
    }
    model->state = SLAB_PARTIAL;
    model->level = level;
    model->is_purged = all_free(model) <= model->purged_free;
    model->listed_free = model->is_purged ? 0 : all_free(model) - model->purged_free;
    model->listed_at = ++now;
    model->slab->listed_at_ms = now; /* the clock's time is coarser */
    return false;
}

static void note_detached(struct model *model) {
    model->state = SLAB_FULL;
    (void)relist(model);
}

/* Of the fullest level that has one, one whose pages are resident before others, and of those what was listed last. */
static struct model *to_claim(unsigned class_index) {
    struct model *best = NULL;
    for (unsigned i = 0; i < model_count; i++) {
        struct model *const one = &models[i];
        if (one->state != SLAB_PARTIAL || one->class_index != class_index) continue;
        if (best == NULL || one->level < best->level ||
            (one->level == best->level && one->is_purged < best->is_purged) ||
            (one->level == best->level && one->is_purged == best->is_purged && one->listed_at > best->listed_at))
            best = one;
    }
    return best;
}

/* Of a class the fullest level first, of which what was listed first. NULL: none has anything to purge */
static struct model *to_purge(unsigned class_index, uint64_t until) {
    struct model *best = NULL;
    for (unsigned i = 0; i < model_count; i++) {
        struct model *const one = &models[i];
        if (one->state != SLAB_PARTIAL || one->class_index != class_index || one->is_purged || one->listed_at > until)
            continue;
        if (best == NULL || one->level < best->level || (one->level == best->level && one->listed_at < best->listed_at))
            best = one;
    }
    return best;
}

/* ---- Comparison ---- */

static void expect_bits(const struct model *model) {
    const uint64_t *const free_bits = slab_free_bits(model->slab, model->class_index);
    const uint64_t *const remote_bits = slab_remote_bits(model->slab, model->class_index);
    uint32_t wrong = 0;
    for (uint32_t block = 0; block < model->constants->blocks; block++) {
        const unsigned is_free = free_bits[block / 64] >> block % 64 & 1,
                       is_remote = remote_bits[block / 64] >> block % 64 & 1;
        wrong += is_free + 2 * is_remote != model->is_free[block];
    }
    HAK_EXPECT_EQ(wrong, 0);
}

static void expect_model(const struct model *model) {
    const struct slab *const slab = model->slab;
    unsigned class_index;
    HAK_EXPECT_EQ(hak_slab_state_and_class(slab, &class_index), model->state);
    HAK_EXPECT_EQ(class_index, model->class_index);
    HAK_EXPECT_EQ(slab->owner, model->state == SLAB_OWNED ? SELF : SLAB_NOBODY);
    HAK_EXPECT_EQ(slab->free_count, model->free_count);
    HAK_EXPECT_EQ(slab->fresh_from, model->fresh_from);
    HAK_EXPECT_EQ(slab->purged_free, model->purged_free);
    HAK_EXPECT_EQ(hak_slab_count_free(slab, class_index), all_free(model));
    HAK_EXPECT_EQ((int64_t)slab->control >> COUNT_SHIFT,
                  model->state == SLAB_OWNED ? model->remote_count : all_free(model));
    if (model->state == SLAB_PARTIAL) {
        HAK_EXPECT_EQ(slab->listed_free, model->listed_free);
        HAK_EXPECT_EQ(slab->listed_at_ms, model->listed_at);
    }
    hak_slab_check(slab, class_index);
}

static void expect_alike(void) {
    size_t unpurged = 0, purged = 0;
    for (unsigned i = 0; i < model_count; i++) {
        const struct model *const one = &models[i];
        expect_model(one);
        if (one->state != SLAB_PARTIAL) continue;
        unpurged += (size_t)one->listed_free * one->constants->block_size;
        purged += (size_t)one->purged_free * one->constants->block_size;
    }
    HAK_EXPECT_EQ(hak_partial_unpurged_bytes() - unpurged_before, unpurged);
    HAK_EXPECT_EQ(hak_partial_purged_bytes() - purged_before, purged);
    if (model_count > 0) expect_bits(&models[below(model_count)]);
}

/* ---- Steps ---- */

static void step_create(unsigned class_index) {
    if (model_count == MOST_SLABS) return;
    struct model *const made = &models[model_count++];
    *made = (struct model){.class_index = class_index, .constants = &hak_classes[class_index], .state = SLAB_OWNED};
    made->slab = hak_slab_create(class_index, SELF);
    HAK_ASSERT_TRUE(made->slab != NULL);
    made->free_count = made->constants->blocks;
    memset(made->is_free, 1, made->constants->blocks);
}

static void step_claim(unsigned class_index) {
    struct model *const expected = to_claim(class_index);
    struct slab *const slab = hak_slab_claim(class_index, SELF);
    HAK_EXPECT_PTR_EQ(slab, expected == NULL ? NULL : expected->slab);
    if (expected == NULL) return;
    expected->state = SLAB_OWNED;
    expected->purged_free = 0;
    drain(expected);
    claimed_seen++;
}

/* Those of the lowest index, so that popping gives them in that order. They read zero where none was given out before. */
static void step_take(struct model *model) {
    static void *slots[MOST_BLOCKS];
    const uint32_t wanted = 1 + below(below(4) == 0 ? model->constants->blocks : 40);
    const uint32_t most = wanted < model->free_count ? wanted : model->free_count;
    bool zeroed, is_fresh = true;
    if (model->state != SLAB_OWNED || model->free_count == 0) return;
    HAK_EXPECT_EQ(hak_slab_take(model->slab, model->class_index, slots, wanted, &zeroed), most);
    uint32_t block = 0;
    const uint32_t fresh_from = model->fresh_from;
    for (uint32_t i = most; i > 0; i--, block++) {
        while (block < model->constants->blocks && model->is_free[block] != 1) block++;
        HAK_EXPECT_EQ(index_of(model, slots[i - 1]), block);
        model->is_free[block] = 0;
        is_fresh &= block >= fresh_from;
        model->fresh_from = block >= model->fresh_from ? block + 1 : model->fresh_from;
        model->live[model->live_count++] = slots[i - 1];
    }
    HAK_EXPECT_EQ(zeroed, is_fresh && model->slab->zeroed);
    model->free_count -= most;
}

/* Some of its blocks, in any order; the owner's in one call with all others. */
static void step_free(struct model *model, uint32_t self) {
    static void *freed[MOST_BLOCKS];
    const bool is_own = self == SELF && model->state == SLAB_OWNED;
    uint32_t count = 1 + below(below(3) == 0 ? model->constants->blocks : 20);
    count = count < model->live_count ? count : model->live_count;
    const unsigned before = level_of(all_free(model), model->constants->blocks);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t at = below(model->live_count);
        freed[i] = model->live[at];
        model->live[at] = model->live[--model->live_count];
        model->is_free[index_of(model, freed[i])] = is_own ? 1 : 2;
    }
    *(is_own ? &model->free_count : &model->remote_count) += count;
    HAK_EXPECT_EQ(hak_slab_free_blocks(self, model->class_index, freed, count), is_own ? 0 : count);
    if (count == 0 || model->state == SLAB_OWNED) return;
    if (level_of(all_free(model), model->constants->blocks) != before ||
        (model->state == SLAB_PARTIAL && model->is_purged))
        (void)relist(model);
}

static void step_drain(struct model *model) {
    if (model->state != SLAB_OWNED) return;
    if (below(2) == 0) {
        HAK_EXPECT_EQ(hak_slab_drain(model->slab, model->class_index), model->remote_count);
        drain(model);
        return;
    }
    hak_slab_drain_before_fresh(model->slab, model->class_index);
    if (model->fresh_from < model->constants->blocks && model->remote_count >= model->constants->bitmap_words)
        drain(model);
}

static void step_give_up(struct model *model) {
    if (model->state != SLAB_OWNED) return;
    if (below(2) == 0) {
        hak_slab_detach(model->slab, model->class_index);
        note_detached(model);
        return;
    }
    const bool is_empty = all_free(model) == model->constants->blocks;
    HAK_EXPECT_EQ(hak_slab_release_if_empty(model->slab, model->class_index), is_empty);
    drain(model);
    if (is_empty) note_detached(model);
}

/* All that was listed until then, of one class a piece. */
static void step_purge(void) {
    const uint64_t until = below(3) == 0 ? DECAY_EVERYTHING : now - below(20);
    struct decay_pass pass = {.freed_until_ms = until, .class_index = 1};
    bool is_over = false;
    for (unsigned c = 1, pieces = 0; !is_over && pieces < HAK_CLASS_COUNT; pieces++) {
        pass.left = 1;
        struct model *order[MOST_SLABS], *next;
        unsigned count = 0;
        while (c < HAK_CLASS_COUNT && to_purge(c, until) == NULL) c++;
        is_over = hak_partial_purge_piece(&pass);
        for (; c < HAK_CLASS_COUNT && (next = to_purge(c, until)) != NULL; order[count++] = next) {
            next->state = SLAB_OWNED;
            drain(next);
            next->purged_free = next->free_count;
        }
        for (unsigned i = 0; i < count; i++) note_detached(order[i]);
        purged_seen += count;
        HAK_EXPECT(is_over || pass.left == 0);
        HAK_EXPECT_EQ(is_over && count == 0, c == HAK_CLASS_COUNT);
        HAK_EXPECT_EQ(pass.class_index, count > 0 ? c + 1 : HAK_CLASS_COUNT);
    }
    HAK_EXPECT(is_over);
}

static void step(const unsigned *classes) {
    const unsigned kind = below(16), class_index = classes[below(CLASSES)];
    if (kind == 0) step_create(class_index);
    if (kind == 1) step_claim(class_index);
    if (kind == 2) step_purge();
    if (kind < 3 || model_count == 0) return;
    struct model *const model = &models[below(model_count)];
    if (kind < 7) step_take(model);
    if (kind >= 7 && kind < 10) step_free(model, SELF);
    if (kind >= 10 && kind < 13) step_free(model, OTHER);
    if (kind == 13) step_drain(model);
    if (kind >= 14) step_give_up(model);
}

/* Full guard has the random choice switched off here. */
HAK_TEST_ISOLATED(SlabModel, RandomSteps, "HAKMEM_PURGE_DELAY_MS=-1 HAKMEM_GUARD=none") {
    const unsigned classes[CLASSES] = {1, HAK_TINY_CLASS_LAST, HAK_L2_CLASS_FIRST + 1, HAK_L2_CLASS_LAST};
    hak_process_begin();
    random_state = random_mix(7);
    unpurged_before = hak_partial_unpurged_bytes();
    purged_before = hak_partial_purged_bytes();
    for (unsigned i = 0; i < HAK_TEST_SCALE(12000) && harness_failure_count() == 0; i++) {
        step(classes);
        expect_alike();
    }
    /* Each was met often, or little is tested here. */
    if (HAK_TEST_SCALE(12000) < 12000) return;
    HAK_EXPECT(harness_failure_count() > 0 || (claimed_seen > 50 && purged_seen > 50 && emptied_seen > 50));
}
