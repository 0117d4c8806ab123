/* SPDX-License-Identifier: MIT */
/* The clock of the decay, by itself: which look is next, and who takes it. */
#include "hakmem/region/decay.h"
#include "tests/harness/harness.h"

/* The default, which nothing here changes. */
#define DELAY_MS 750

HAK_TEST_ISOLATED(Decay, LookIsDueADelayAfterTheFirstFree, "") {
    HAK_EXPECT(!hak_decay_is_due());
    hak_decay_note_freed(5000);
    hak_decay_note_freed(5100);
    HAK_EXPECT_EQ(decay_due_ms(), 5000 + DELAY_MS + 1);
}

/* Slabs that a look finds empty note that they were freed, before the look says when the next one is due. */
HAK_TEST_ISOLATED(Decay, EarlierLookWins, "") {
    hak_decay_note_freed(5000);
    hak_decay_schedule(5250);
    HAK_EXPECT_EQ(decay_due_ms(), 5250);
    hak_decay_schedule(5500);
    hak_decay_note_freed(5000);
    HAK_EXPECT_EQ(decay_due_ms(), 5250);
}

HAK_TEST_ISOLATED(Decay, LookIsTakenOnce, "") {
    hak_decay_note_freed(5000);
    HAK_EXPECT(hak_decay_take());
    HAK_EXPECT(!hak_decay_take());
    HAK_EXPECT_EQ(decay_due_ms(), 0);
    hak_decay_note_freed(6000);
    HAK_EXPECT(hak_decay_is_due());
}
