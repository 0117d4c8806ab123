/* SPDX-License-Identifier: MIT */
/* See learned.h. Empty in the product. */
#include "hakmem/observe/learned.h"

#include "hakmem/magazine/learning.h"

#if HAK_LEARN

static struct ladder_learned learned_of(unsigned class_index) {
    struct ladder_learned sum = {0};
    for (struct hak_thread *thread = hak_record_newest(); thread != NULL; thread = thread->older) {
        hak_ladder_add_learned(&sum, exchange_learning(thread), class_index);
    }
    return sum;
}

static void learned_member(struct hak_text *sink, const char *before, uint64_t value) {
    hak_text_add(sink, before);
    hak_text_add_decimal(sink, value);
}

void hak_learned_write_json_class(struct hak_text *sink, unsigned class_index) {
    const struct ladder_learned sum = learned_of(class_index);
    if (sum.player != NULL) {
        hak_text_add(sink, ",\"player\":\"");
        hak_text_add(sink, sum.player);
        learned_member(sink, "\",\"rating\":", sum.rating);
        learned_member(sink, ",\"matches\":", sum.matches);
    }
}

/* Of all records. Relaxed, both: a snapshot. */
static void learned_total(uint64_t *operations, uint64_t *instructions) {
    uint64_t cost = 0;
    *operations = 0;
    for (struct hak_thread *thread = hak_record_newest(); thread != NULL; thread = thread->older) {
        const struct ladder_learning *learning = exchange_learning(thread);
        *operations += hak_load_relaxed(&learning->operations);
        cost += hak_load_relaxed(&learning->cost);
    }
    *instructions = cost >> LADDER_COST_SHIFT;
}

void hak_learned_write_json_sum(struct hak_text *sink) {
    uint64_t operations, instructions;
    learned_total(&operations, &instructions);
    learned_member(sink, ",\"learning\":{\"operations\":", operations);
    learned_member(sink, ",\"cost\":", instructions);
    hak_text_add(sink, "}");
}

void hak_learned_write_text(struct hak_text *sink) {
    uint64_t operations, instructions;
    hak_text_add(sink, "\nlearned     size      player       rating      matches\n");
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        const struct ladder_learned sum = learned_of(class_index);
        if (sum.player != NULL) {
            hak_text_add_decimal_column(sink, hak_classes[class_index].block_size, 16);
            hak_text_add_column(sink, sum.player, 12);
            hak_text_add_decimal_column(sink, sum.rating, 13);
            hak_text_add_decimal_column(sink, sum.matches, 13);
            hak_text_add(sink, "\n");
        }
    }
    learned_total(&operations, &instructions);
    learned_member(sink, "slow paths cost ", instructions);
    learned_member(sink, " by the tariff, for ", operations);
    hak_text_add(sink, " operations\n");
}

#endif
