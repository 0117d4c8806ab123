/* SPDX-License-Identifier: MIT */
/* The experiment `learn`: the player that makes a refill's pages resident before the program writes to them. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "hakmem/hakmem.h"
#include "hakmem/ladder/learn.h"
#include "hakmem/magazine/exchange.h"
#include "hakmem/os/fake/fake.h"
#include "hakmem/os/os.h"
#include "tests/harness/harness.h"
#include "tests/harness/process.h"
#include "tests/harness/threads.h"

#if HAK_LEARN

/* A size of which a slab has many pages, and a page several blocks. */
#define SIZE 512
#define BLOCKS 90
#define SLAB_PAGES 64

/* What a thread saw of the slab that its blocks came from, none of which it wrote to. */
struct populated {
    uint64_t cost;                /* by the tariff */
    uint64_t calls;               /* of the kernel */
    unsigned taken;               /* pages that blocks lie in which a refill took */
    unsigned resident, elsewhere; /* of these, and other pages of the slab, that are resident */
    bool errno_kept;
};

static bool has_taken(const struct slab *slab, const struct hak_class *constants, uintptr_t page, size_t bytes) {
    for (uint32_t block = 0; block < slab->fresh_from; block++) {
        const uintptr_t start = slab_block_address(slab_base(slab), block, constants);
        if (start < page + bytes && start + constants->block_size > page) return true;
    }
    return false;
}

static void look(struct populated *seen, const struct slab *slab, const struct hak_class *constants) {
    unsigned char resident[SLAB_PAGES];
    const size_t page = hak_os_page_size(), size = (size_t)constants->chunks * HAK_CHUNK_BYTES;
    HAK_ASSERT_TRUE(size / page <= SLAB_PAGES);
    HAK_ASSERT_TRUE(mincore((void *)slab_base(slab), size, resident) == 0);
    for (unsigned i = 0; i < size / page; i++) {
        const bool taken = has_taken(slab, constants, slab_base(slab) + i * page, page), is = (resident[i] & 1) != 0;
        seen->taken += taken;
        seen->resident += taken && is;
        seen->elsewhere += !taken && is;
    }
}

static void body_populated(void *argument, unsigned index) {
    struct populated *seen = (struct populated *)argument;
    const unsigned class_index = size_class_of(SIZE);
    (void)index;
    errno = EDOM;
    const struct slab *slab = NULL;
    for (unsigned i = 0; i < BLOCKS; i++) {
        HAK_ASSERT_TRUE(hak_alloc(SIZE) != NULL);
        const struct slab *now = hak_self->classes[class_index].active[0];
        HAK_ASSERT_TRUE(slab == NULL || slab == now);
        slab = now;
    }
    seen->errno_kept = errno == EDOM;
    seen->calls = os_fake_calls();
    seen->cost = exchange_learning(hak_self)->cost >> LADDER_COST_SHIFT;
    look(seen, slab, &hak_classes[class_index]);
}

static void populate(struct populated *seen, const char *player, bool refused) {
    for (unsigned i = 0; i < LADDER_OPTIONS; i++) {
        if (strcmp(hak_ladder_options[i].name, "HAKMEM_LEARN_PLAYER") == 0) {
            HAK_EXPECT(hak_ladder_options[i].set(player));
        }
    }
    prctl(PR_SET_THP_DISABLE, 1L, 0L, 0L, 0L); /* where all mappings get huge pages a touched byte costs one */
    os_fake_reset();
    os_fake_fail_only(OS_FAKE_POPULATE);
    if (refused) os_fake_fail_from(1);
    threads_run(1, body_populated, seen);
}

/* What a thread with that player sees, in a child, where no thread has left it a slab. */
static struct populated populated(const char *player, bool refused) {
    static struct process_result result;
    struct process child;
    const int shared = MAP_SHARED | MAP_ANONYMOUS;
    struct populated *seen = (struct populated *)mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, shared, -1, 0);
    const pid_t pid = process_fork(&child);
    if (pid == 0) {
        populate(seen, player, refused);
        _exit(0);
    }
    HAK_EXPECT(pid > 0);
    if (pid > 0) process_finish(&child, &result);
    HAK_EXPECT(result.exited && result.code == 0);
    const struct populated found = *seen;
    munmap(seen, sizeof *seen);
    HAK_EXPECT(found.errno_kept);
    HAK_EXPECT_GT(found.taken, BLOCKS * SIZE / 4096);
    return found;
}

HAK_TEST_ISOLATED(Populate, ARefillsPagesAreResidentAndNoOthers, "HAKMEM_THP=never") {
    void *page = mmap(NULL, hak_os_page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (hak_os_populate(page, hak_os_page_size()) != 0) HAK_SKIP("this kernel populates no pages");
    const struct populated shipped = populated("shipped", false), ahead = populated("ahead", false);
    HAK_EXPECT_EQ(shipped.resident + shipped.elsewhere, 0);
    HAK_EXPECT_EQ(shipped.calls, 0);
    HAK_EXPECT_EQ(ahead.resident, ahead.taken);
    HAK_EXPECT_EQ(ahead.elsewhere, 0);
    HAK_EXPECT_LT(ahead.calls, ahead.taken);
    HAK_EXPECT_LT(ahead.cost, shipped.cost);
}

HAK_TEST_ISOLATED(Populate, WhereTheKernelRefusesNothingHasHappenedButTheCall, "HAKMEM_THP=never") {
    const struct populated shipped = populated("shipped", false), refused = populated("ahead", true);
    HAK_EXPECT_GT(refused.calls, 0);
    HAK_EXPECT_EQ(refused.resident + refused.elsewhere, 0);
    HAK_EXPECT_GT(refused.cost, shipped.cost);
    HAK_EXPECT_LE(refused.cost, shipped.cost + refused.calls * 2000);
}

#endif
