/* SPDX-License-Identifier: MIT */
/* Guard full: once a canary was changed in any process of a family, the child of a fork has other ones, so that nobody guesses
 * again and again. What lives there holds, and what was damaged is damaged still. */
#include <string.h>
#include <sys/mman.h>

#include "hakmem/base/lock.h"
#include "hakmem/guard/canary.h"
#include "hakmem/hakmem.h"
#include "hakmem/huge/huge.h"
#include "hakmem/magazine/exchange_levels.h"
#include "hakmem/region/kept.h"
#include "hakmem/size_class/size_class.h"
#include "tests/harness/harness.h"

#define BLOCKS 600u
#define HUGE_FROM 590u
#define DAMAGED 78u

static char *blocks[BLOCKS];
static size_t sizes[BLOCKS], block_bytes[BLOCKS];

static void make_blocks(void) {
    for (unsigned i = 0; i < BLOCKS; i++) {
        struct hak_owner_info info;
        sizes[i] = i < HUGE_FROM ? 1 + i * i % 40000 : ((size_t)3 << 20) + 1000 * i;
        HAK_ASSERT_TRUE((blocks[i] = (char *)hak_alloc(sizes[i])) != NULL);
        memset(blocks[i], (int)i, sizes[i]);
        HAK_ASSERT_TRUE(hak_owner(blocks[i], &info));
        block_bytes[i] = i < HUGE_FROM ? info.block_size : hak_huge_usable_size(blocks[i]);
    }
    /* What is free is of no canary, and stays so. */
    for (unsigned i = 0; i < BLOCKS; i += 7) {
        hak_free(blocks[i]);
        blocks[i] = NULL;
    }
}

static void expect_canaries(void) {
    for (unsigned i = 0; i < BLOCKS; i++) {
        size_t size = 0;
        if (blocks[i] == NULL) continue;
        HAK_EXPECT_EQ(canary_read(blocks[i], block_bytes[i], &size), i != DAMAGED);
        HAK_EXPECT(i == DAMAGED || size == sizes[i]);
        HAK_EXPECT(blocks[i][0] == (char)i && blocks[i][sizes[i] - 1] == (char)i);
    }
}

static void free_blocks(void) {
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (i != DAMAGED) hak_free(blocks[i]);
    }
}

static void expect_other_canaries(const struct canary_secrets *former) {
    HAK_EXPECT_NE(hak_canary.secret[0], former->secret[0]);
    HAK_EXPECT_NE(hak_canary.secret[1], former->secret[1]);
    HAK_EXPECT_NE(hak_canary.factor, former->factor);
    HAK_EXPECT_EQ(hak_canary.factor * hak_canary.inverse, 1);
    expect_canaries();
    free_blocks(); /* and each is whole to whoever checks it */
    hak_free(hak_alloc(100));
}

static void expect_these_canaries(const struct canary_secrets *former) {
    HAK_EXPECT_EQ(memcmp(&hak_canary, former, sizeof *former), 0);
    expect_canaries();
}

HAK_TEST_ISOLATED(Renew, ChildHasOtherCanariesOnceOneWasChanged, "") {
    make_blocks();
    const struct canary_secrets former = hak_canary;
    blocks[DAMAGED][sizes[DAMAGED]] ^= 1;
    HAK_EXPECT(!hak_canary_was_changed());
    HAK_EXPECT_EXIT_OK(expect_these_canaries(&former)); /* nobody has seen it */
    HAK_EXPECT_EXIT_OK(hak_canary_note_changed());      /* one of the family has */
    HAK_EXPECT(hak_canary_was_changed());
    HAK_EXPECT_EXIT_OK(expect_other_canaries(&former));
    expect_these_canaries(&former);
    free_blocks();
}

static struct hak_lock *kept_lock;

static void note_lock(struct hak_lock *lock, struct lock_fork *fork) {
    (void)fork;
    kept_lock = lock;
}

static void expect_former(const struct canary_secrets *former) {
    HAK_EXPECT_EQ(memcmp(&hak_canary, former, sizeof *former), 0);
    lock_release(kept_lock);
}

/* What was interrupted goes on in the child, and may be about to read a canary. */
HAK_TEST_ISOLATED(Renew, ChildWhoseForkInterruptedTheAllocatorKeepsItsCanaries, "") {
    hak_free(hak_alloc(16));
    const struct canary_secrets former = hak_canary;
    hak_canary_note_changed();
    hak_kept_fork_locks(note_lock, NULL);
    lock_acquire(kept_lock);
    HAK_EXPECT_EXIT_OK(expect_former(&former));
    lock_release(kept_lock);
}

/* ---- What a child takes next ---- */

enum { NEXT = 15, NEXT_SIZE = 48 };

static void *(*orders)[NEXT]; /* shared with the children: what each takes next */

static void take_next(unsigned child) {
    for (unsigned i = 0; i < NEXT; i++) orders[child][i] = hak_alloc(NEXT_SIZE);
}

/* The next block is the same in each child. The others that the thread had at hand come in another order in each. */
HAK_TEST_ISOLATED(Renew, ChildrenTakeWhatIsAtHandInOrdersOfTheirOwn, "HAKMEM_GUARD=random") {
    const unsigned class_index = size_class_of(NEXT_SIZE);
    unsigned tries = 0, same = 0;
    orders = mmap(NULL, 2 * sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    HAK_ASSERT_TRUE(orders != MAP_FAILED);
    do {
        HAK_EXPECT(hak_alloc(NEXT_SIZE) != NULL);
    } while (exchange_loaded_level(hak_self, class_index) <= NEXT && ++tries < 10000);
    HAK_ASSERT_TRUE(exchange_loaded_level(hak_self, class_index) > NEXT);
    for (unsigned child = 0; child < 2; child++) HAK_EXPECT_EXIT_OK(take_next(child));
    HAK_EXPECT_PTR_EQ(orders[0][0], orders[1][0]);
    for (unsigned i = 1; i < NEXT; i++) same += orders[0][i] == orders[1][i];
    HAK_EXPECT_LT(same, NEXT / 2);
}

HAK_TEST_ISOLATED(Renew, NothingIsRenewedWithoutCanaries, "HAKMEM_GUARD=zero,check") {
    hak_free(hak_alloc(16));
    const struct canary_secrets former = hak_canary;
    hak_canary_note_changed();
    HAK_EXPECT_EXIT_OK(HAK_EXPECT_EQ(memcmp(&hak_canary, &former, sizeof former), 0));
}
