/* SPDX-License-Identifier: MIT */
/* Players, windows, matches and ratings; see learn.h. Empty in the product.
 *
 *     turn      who plays           events   after it
 *     ALONE     the chosen one      32       as usual, and nobody waits any more: its rate is kept, RIVAL
 *     RIVAL     another             64       its rate is kept, AFTER
 *     AFTER     the chosen one      32       whose rate is the mean of before and after: a match is over
 *
 * The first eight events of a window pay for what the player before it left, and are not judged. */
#include "hakmem/ladder/learn.h"

#if HAK_LEARN

#include <string.h>

enum learn_turn { LEARN_ALONE, LEARN_RIVAL, LEARN_AFTER };

#define LEARN_WINDOW_EVENTS 32u
#define LEARN_WARM_EVENTS 8u
#define LEARN_PINNED_NOT UINT8_MAX

/* A rival gives up before its window ends if, after these events, its rate is so many times that of the chosen one. */
#define LEARN_LOST_EVENTS 16u
#define LEARN_LOST_TIMES 3u

/* Rivals may cost this part of what the class costs more than the chosen player would have: 1/64. The first LEARN_ROUND matches since the
 * class changed are made in any case, and what they cost is made up for. */
#define LEARN_ALLOWED_SHIFT 6

/* Windows between two matches: one at first, twice as many after each LEARN_ROUND of them, LEARN_WAIT_MOST at last. So in the long
 * run a rival plays 2 of 67 windows. */
#define LEARN_ROUND 10u
#define LEARN_WAIT_MOST 64u
#define LEARN_SINCE_MOST 200u

/* A window is not as usual where its rate is more than so many quarters of the usual one, or less than four by so many; so many in a
 * row mean that the class has changed its kind. */
#define LEARN_UNUSUAL_QUARTERS 6u
#define LEARN_STRIKES 4u

#define LEARN_POINT 8 /* of ratings */
#define LEARN_FIRST_RATING (1500 * LEARN_POINT)
#define LEARN_LEAST_RATING (100 * LEARN_POINT)
#define LEARN_MOST_RATING (2900 * LEARN_POINT)

const struct ladder_player hak_ladder_players[LADDER_PLAYERS] = {
    {"shipped", LADDER_ROOM_GROWS, LADDER_REFILL_DOUBLES, LADDER_STASH_ALL, false, false},
    {"little", LADDER_ROOM_LITTLE, LADDER_REFILL_PAGE, 0, true, false},
    {"lean", LADDER_ROOM_LITTLE, LADDER_REFILL_DOUBLES, 0, false, false},
    {"roomy", LADDER_ROOM_WHOLE, LADDER_REFILL_HALF, LADDER_STASH_ALL, false, false},
    {"shallow", LADDER_ROOM_WHOLE, LADDER_REFILL_DOUBLES, 1, false, false},
    {"returning", LADDER_ROOM_WHOLE, LADDER_REFILL_HALF, 0, true, false},
    {"ahead", LADDER_ROOM_GROWS, LADDER_REFILL_DOUBLES, LADDER_STASH_ALL, false, true},
};

/* Instructions, by callgrind, of builds for x86-64 by gcc 12 -O2; of what the kernel does, how many take as long. docs/decisions/037 has
 * what was run. */
static const uint16_t learn_tariff[LADDER_WORK_COUNT] = {
    [LADDER_WORK_EVENT] = 100,   [LADDER_WORK_SWAP] = 60,         [LADDER_WORK_STASH] = 60,
    [LADDER_WORK_REFILL] = 110,  [LADDER_WORK_REFILL_BLOCK] = 17, [LADDER_WORK_SLAB] = 750,
    [LADDER_WORK_FLUSH] = 240,   [LADDER_WORK_FLUSH_BLOCK] = 56,  [LADDER_WORK_MOVE] = 200,
    [LADDER_WORK_FAULT] = 20000, [LADDER_WORK_POPULATE] = 2000,   [LADDER_WORK_POPULATE_PAGE] = 15000,
};

static uint32_t learn_seed = 1;                 /* constant after init */
static uint8_t learn_pinned = LEARN_PINNED_NOT; /* constant after init; the only player */

static bool learn_set_seed(const char *value) {
    int64_t seed;
    if (!hak_option_integer(value, 0, UINT32_MAX, &seed)) return false;
    learn_seed = (uint32_t)seed;
    return true;
}

static bool learn_set_player(const char *value) {
    for (unsigned player = 0; player < LADDER_PLAYERS; player++) {
        if (strcmp(value, hak_ladder_players[player].name) == 0) {
            learn_pinned = (uint8_t)player;
            return true;
        }
    }
    return strcmp(value, "elo") == 0;
}

const struct hak_option hak_ladder_options[LADDER_OPTIONS] = {
    {"HAKMEM_LEARN_PLAYER", "elo, shipped, little, lean, roomy, shallow, returning or ahead, default elo",
     "who decides how magazines are exchanged: what is learned, or one player throughout", learn_set_player},
    {"HAKMEM_LEARN_SEED", "0 to 4294967295, default 1",
     "the draw of those who play: with the same calls and the same seed the same are chosen", learn_set_seed},
};

/* xorshift32, Marsaglia 2003. */
static uint32_t learn_draw(struct ladder_learner *learner, uint32_t below) {
    uint32_t x = learner->random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    learner->random = x;
    return (uint32_t)((uint64_t)x * below >> 32);
}

/* By the class and the place too, so that they do not draw alike; never 0. Relaxed, here and below: a reader of statistics takes what is there, and
 * no choice depends on what it reads. */
static void learn_begin(struct ladder_learner *learner, unsigned class_index, unsigned site, uint64_t operations) {
    const uint32_t mixed = (learn_seed ^ class_index << 24 ^ site << 16) * 0x9e3779b1u;
    learner->random = mixed != 0 ? mixed : 1;
    learner->seen_at = (uint32_t)operations;
    for (unsigned player = 0; player < LADDER_PLAYERS; player++) {
        hak_store_relaxed(&learner->ratings[player], (int16_t)LEARN_FIRST_RATING);
    }
    const uint8_t first = learn_pinned != LEARN_PINNED_NOT ? learn_pinned : 0;
    hak_store_relaxed(&learner->chosen, first);
    learner->playing = first;
    learner->wait = 1;
}

/* A reader may look at it meanwhile, which sees that there were no matches. */
static void learn_clear(struct ladder_learner *learner) {
    hak_store_relaxed(&learner->matches, 0u);
    hak_store_relaxed(&learner->chosen, (uint8_t)0);
    learner->cost = 0;
    learner->random = learner->usual = 0;
    learner->operations = 0;
    learner->allowance = 0;
    learner->playing = learner->events = 0;
    learner->turn = learner->site = 0;
    learner->since = learner->strikes = learner->room = 0;
}

void hak_ladder_learning_begin(struct ladder_learning *learning) {
    hak_store_relaxed(&learning->operations, (uint64_t)0);
    hak_store_relaxed(&learning->cost, (uint64_t)0);
    for (unsigned class_index = 0; class_index < HAK_CLASS_COUNT; class_index++) {
        for (unsigned site = 0; site < LADDER_LEARNERS; site++) {
            learning->callers[class_index][site] = NULL;
            learn_clear(&learning->learners[class_index][site]);
        }
    }
}

static struct ladder_learner *learn_playing(struct ladder_learning *learning, unsigned class_index) {
    return &learning->learners[class_index][learning->learners[class_index][0].site];
}

static void learn_add_cost(struct ladder_learning *learning, struct ladder_learner *learner, uint64_t cost) {
    learner->cost += cost;
    hak_store_relaxed(&learning->cost, learning->cost + cost);
}

void hak_ladder_charge(struct ladder_learning *learning, unsigned class_index, enum ladder_work work, uint32_t count) {
    const uint64_t instructions = (uint64_t)learn_tariff[work] * count;
    learn_add_cost(learning, learn_playing(learning, class_index), instructions << LADDER_COST_SHIFT);
}

/* A 4096th of the tariff for each byte, which is a unit of costs. */
void hak_ladder_charge_bytes(struct ladder_learning *learning, unsigned class_index, enum ladder_work work,
                             uint32_t bytes) {
    HAK_STATIC_ASSERT(LADDER_COST_SHIFT == 12, "a page of 4 KiB");
    learn_add_cost(learning, learn_playing(learning, class_index), (uint64_t)learn_tariff[work] * bytes);
}

/* Instructions by operation of the window, times 256. */
static uint32_t learn_rate(const struct ladder_learner *learner) {
    const uint64_t cost = learner->cost >> (LADDER_COST_SHIFT - 8);
    const uint64_t rate = cost / (learner->operations != 0 ? learner->operations : 1);
    return rate < UINT32_MAX / 2 ? (uint32_t)rate : UINT32_MAX / 2;
}

/* Whether the rival has lost so clearly that its window may end. */
static bool learn_is_lost(const struct ladder_learner *learner) {
    return learner->turn == LEARN_RIVAL && learner->events >= LEARN_LOST_EVENTS &&
           learn_rate(learner) / LEARN_LOST_TIMES > learner->before;
}

/* Enters the window into what rivals may cost. */
static void learn_account(struct ladder_learner *learner) {
    const int64_t cost = (int64_t)(learner->cost >> LADDER_COST_SHIFT);
    const int64_t chosens = (int64_t)((uint64_t)learner->before * learner->operations >> 8);
    const int64_t change = learner->turn == LEARN_RIVAL ? chosens - cost : cost >> LEARN_ALLOWED_SHIFT;
    const int64_t now = learner->allowance + change;
    learner->allowance = now > INT32_MAX ? INT32_MAX : now < -INT32_MAX ? -INT32_MAX : (int32_t)now;
}

static bool learn_may_match(const struct ladder_learner *learner) {
    return learn_pinned == LEARN_PINNED_NOT && (learner->since < LEARN_ROUND || learner->allowance >= 0);
}

static unsigned learn_window(const struct ladder_learner *learner) {
    return learner->turn == LEARN_RIVAL ? 2 * LEARN_WINDOW_EVENTS : LEARN_WINDOW_EVENTS;
}

static unsigned learn_wait(const struct ladder_learner *learner) {
    const unsigned doubled = learner->since / LEARN_ROUND;
    return doubled < 6 ? 1u << doubled : LEARN_WAIT_MOST;
}

/* Points, falling with the matches since the class last changed. */
static int learn_k(const struct ladder_learner *learner) {
    const unsigned halved = learner->since / 8;
    return halved < 3 ? 64 >> halved : 8;
}

/* What Elo's rule expects of whoever is so many points ahead, times 256: 256 / (1 + 10^(-d / 400)) at each 50 points. */
static int learn_expected(int ahead) {
    static const uint8_t expected[] = {128, 146, 164, 180, 195, 207, 217, 226, 233,
                                       238, 242, 246, 248, 250, 251, 253, 253};
    const int steps = (ahead < 0 ? -ahead : ahead) / 50;
    const int found = expected[steps < (int)sizeof expected ? steps : (int)sizeof expected - 1];
    return ahead < 0 ? 256 - found : found;
}

static int16_t learn_bounded(int rating) {
    return (int16_t)(rating < LEARN_LEAST_RATING  ? LEARN_LEAST_RATING
                     : rating > LEARN_MOST_RATING ? LEARN_MOST_RATING
                                                  : rating);
}

/* Enters a match of the chosen player and its rival. Rates within a 64th of each other are a draw. */
static void learn_rate_match(struct ladder_learner *learner, uint32_t own, uint32_t others) {
    int16_t *const one = &learner->ratings[learner->chosen], *const other = &learner->ratings[learner->rival];
    const uint32_t difference = own < others ? others - own : own - others;
    const int score = difference <= own / 64 ? 128 : own < others ? 256 : 0;
    const int moved = learn_k(learner) * LEARN_POINT * (score - learn_expected((*one - *other) / LEARN_POINT)) / 256;
    const int16_t now = learn_bounded(*one + moved), others_now = learn_bounded(*other - moved);
    hak_store_relaxed(one, now);
    hak_store_relaxed(other, others_now);
    hak_store_relaxed(&learner->matches, learner->matches + 1);
    if (learner->since < LEARN_SINCE_MOST) learner->since++;
}

/* The highest rating but that of `without`; of equal ones the first. */
static unsigned learn_best(const struct ladder_learner *learner, unsigned without) {
    unsigned best = without == 0 ? 1 : 0;
    for (unsigned player = best + 1; player < LADDER_PLAYERS; player++) {
        if (player != without && learner->ratings[player] > learner->ratings[best]) best = player;
    }
    return best;
}

/* First each once, in an order that begins where the generator stands, which nobody moves meanwhile; then the next best or any other, half of
 * the matches each. */
static unsigned learn_draw_rival(struct ladder_learner *learner) {
    if (learner->since < LADDER_PLAYERS - 1) {
        const unsigned next = (learner->random + learner->since) % (LADDER_PLAYERS - 1);
        return next + (next >= learner->chosen);
    }
    if (learner->since >= LEARN_ROUND && learn_draw(learner, 2) == 0) {
        return learn_best(learner, learner->chosen);
    }
    const unsigned drawn = learn_draw(learner, LADDER_PLAYERS - 1);
    return drawn + (drawn >= learner->chosen);
}

/* The class has changed its kind: what was learned counts for a quarter, and matches are as frequent as at first. */
static void learn_doubt(struct ladder_learner *learner) {
    for (unsigned player = 0; player < LADDER_PLAYERS; player++) {
        hak_store_relaxed(&learner->ratings[player],
                          (int16_t)((learner->ratings[player] + 3 * LEARN_FIRST_RATING) / 4));
    }
    learner->since = learner->strikes = learner->wait = 0;
    learner->usual = 0;
    learner->allowance = 0;
}

static void learn_note_usual(struct ladder_learner *learner, uint32_t rate) {
    const uint64_t usual = learner->usual, bound = LEARN_UNUSUAL_QUARTERS;
    const bool is_unusual = usual != 0 && (4 * (uint64_t)rate > bound * usual || bound * (uint64_t)rate < 4 * usual);
    learner->strikes = is_unusual ? (uint8_t)(learner->strikes + 1) : 0;
    if (learner->strikes >= LEARN_STRIKES) {
        learn_doubt(learner);
    } else if (!is_unusual) {
        learner->usual = usual == 0 ? rate : (uint32_t)((7 * usual + rate) / 8);
    }
}

/* The window is over: whose turn it is now. */
static void learn_end_window(struct ladder_learner *learner) {
    const uint32_t rate = learn_rate(learner);
    switch ((enum learn_turn)learner->turn) {
    case LEARN_ALONE:
        learn_note_usual(learner, rate);
        if (learner->wait > 0) {
            learner->wait--;
        } else if (learn_may_match(learner)) {
            learner->before = rate;
            learner->rival = (uint8_t)learn_draw_rival(learner);
            learner->playing = learner->rival;
            learner->turn = LEARN_RIVAL;
        }
        break;
    case LEARN_RIVAL:
        learner->rivals = rate;
        learner->playing = learner->chosen;
        learner->turn = LEARN_AFTER;
        break;
    case LEARN_AFTER:
        learn_rate_match(learner, (learner->before + rate) / 2, learner->rivals);
        if (learn_best(learner, LADDER_PLAYERS) != learner->chosen) {
            hak_store_relaxed(&learner->chosen, (uint8_t)learn_best(learner, LADDER_PLAYERS));
            learner->usual = 0;
            learner->strikes = 0;
        }
        learner->playing = learner->chosen;
        learner->wait = (uint8_t)learn_wait(learner);
        learner->turn = LEARN_ALONE;
        break;
    }
}

/* The learner of the place: its own, the first that nobody has, or the last one, which all the others have. */
static unsigned learn_site(const struct ladder_learning *learning, unsigned class_index, const void *caller) {
    const void *const *callers = learning->callers[class_index];
    if (LADDER_LEARNERS == 1 || caller == NULL) {
        return learning->learners[class_index][0].site;
    }
    unsigned site = 0;
    while (site + 1 < LADDER_LEARNERS && callers[site] != caller && callers[site] != NULL) site++;
    return site;
}

bool hak_ladder_is_due(const struct ladder_learning *learning, unsigned class_index, const void *caller) {
    const struct ladder_learner *learner = ladder_learner(learning, class_index);
    return learner->random == 0 || learner->turn == LEARN_RIVAL || learner->events + 1u >= learn_window(learner) ||
           learn_site(learning, class_index, caller) != learning->learners[class_index][0].site;
}

/* Enters what was held since the class's last slow path. */
static void learn_hold(struct ladder_learning *learning, struct ladder_learner *learner, uint32_t operations,
                       size_t held_bytes) {
    const uint32_t meanwhile = (uint32_t)learning->operations - learner->seen_at;
    learner->seen_at = (uint32_t)learning->operations;
    learner->operations += operations;
    learn_add_cost(learning, learner, (uint64_t)held_bytes * meanwhile);
}

/* Counts a slow path. true: it ended the window */
static bool learn_count(struct ladder_learning *learning, struct ladder_learner *learner) {
    learn_add_cost(learning, learner, (uint64_t)learn_tariff[LADDER_WORK_EVENT] << LADDER_COST_SHIFT);
    learner->events++;
    if (learner->events == LEARN_WARM_EVENTS) {
        learner->cost = learner->operations = 0;
    }
    return learner->events >= learn_window(learner) || learn_is_lost(learner);
}

bool hak_ladder_event(struct ladder_learning *learning, unsigned class_index, const void *caller, uint32_t operations,
                      size_t held_bytes) {
    struct ladder_learner *learner = learn_playing(learning, class_index);
    const uint8_t played = learner->playing;
    hak_store_relaxed(&learning->operations, learning->operations + operations);
    if (learner->random != 0) {
        learn_hold(learning, learner, operations, held_bytes);
    }
    const unsigned site = learn_site(learning, class_index, caller);
    if (LADDER_LEARNERS > 1 && caller != NULL) {
        learning->learners[class_index][0].site = (uint8_t)(site & 15u);
        learning->callers[class_index][site] = caller;
        learner = learn_playing(learning, class_index);
        learner->seen_at = (uint32_t)learning->operations;
    }
    if (learner->random == 0) {
        learn_begin(learner, class_index, site, learning->operations);
        return true;
    }
    if (learn_count(learning, learner)) {
        learn_account(learner);
        learn_end_window(learner);
        learner->events = 0;
        learner->cost = learner->operations = 0;
    }
    return learner->playing != played;
}

/* Relaxed, all: each is one snapshot. */
static void learn_add_learned(struct ladder_learned *sum, const struct ladder_learner *learner) {
    const uint32_t matches = hak_load_relaxed(&learner->matches);
    sum->matches += matches;
    if (matches > sum->most) {
        const uint8_t chosen = hak_load_relaxed(&learner->chosen);
        sum->most = matches;
        sum->player = hak_ladder_players[chosen].name;
        sum->rating = (unsigned)(hak_load_relaxed(&learner->ratings[chosen]) / LEARN_POINT);
    }
}

void hak_ladder_add_learned(struct ladder_learned *sum, const struct ladder_learning *learning, unsigned class_index) {
    for (unsigned site = 0; site < LADDER_LEARNERS; site++) {
        learn_add_learned(sum, &learning->learners[class_index][site]);
    }
}

#endif
