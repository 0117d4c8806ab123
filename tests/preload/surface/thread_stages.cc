// SPDX-License-Identifier: MIT
// malloc and free at the end of threads: in the destructors of thread_local objects, and of pthread keys, which are
// called again while they set their key anew, so some run after those of every allocator.
#include <limits.h>
#include <pthread.h>

#include <thread>

#include "tests/preload/surface/check.h"
#include "tests/preload/surface/stages.h"

namespace {

pthread_key_t early_key, late_key;
int key_destructor_calls;    // atomic
int object_destructor_calls; // atomic

struct Rounds {
    pthread_key_t key;
    int left;
    stage_kept kept;
};

// Allocates and frees in each round, and in the last one frees what the first one made.
void end_of_thread(void *argument) {
    auto *rounds = static_cast<Rounds *>(argument);
    __atomic_add_fetch(&key_destructor_calls, 1, __ATOMIC_RELAXED);
    stage_churn("key destructor");
    if (--rounds->left > 0) {
        stage_require(pthread_setspecific(rounds->key, rounds) == 0, "pthread_setspecific");
        return;
    }
    stage_drop(&rounds->kept, "key destructor");
    free(rounds);
}

void set_key(pthread_key_t key) {
    auto *rounds = static_cast<Rounds *>(malloc(sizeof(Rounds)));
    *rounds = Rounds{key, PTHREAD_DESTRUCTOR_ITERATIONS, {}};
    stage_keep(&rounds->kept, "thread");
    stage_require(pthread_setspecific(key, rounds) == 0, "pthread_setspecific");
}

struct Object {
    stage_kept kept;
    Object() { stage_keep(&kept, "thread_local"); }
    ~Object() {
        stage_drop(&kept, "thread_local destructor");
        stage_churn("thread_local destructor");
        __atomic_add_fetch(&object_destructor_calls, 1, __ATOMIC_RELAXED);
    }
};

thread_local Object object;

stage_kept left_behind[8];

void run_thread(int index, bool allocate_first) {
    if (allocate_first) {
        stage_churn("thread");
    }
    set_key(early_key);
    set_key(late_key);
    CHECK(object.kept.blocks[0] != nullptr);
    stage_keep(&left_behind[index], "thread");
}

// In threads that do nothing with memory before a destructor does.
void end_without_free(void *argument) {
    __atomic_add_fetch(&key_destructor_calls, 1, __ATOMIC_RELAXED);
    stage_churn("first use in a destructor");
    (void)argument;
}

void *use_in_destructor_only(void *argument) {
    pthread_setspecific(*static_cast<pthread_key_t *>(argument), argument);
    return nullptr;
}

} // namespace

int main() {
    // Keys are called in their order; those of an allocator were made earlier, in between or will be later.
    CHECK(pthread_key_create(&early_key, end_of_thread) == 0);
    for (int i = 0; i < 50; i++) {
        pthread_key_t filler;
        CHECK(pthread_key_create(&filler, nullptr) == 0);
    }
    CHECK(pthread_key_create(&late_key, end_of_thread) == 0);
    std::thread threads[8];
    for (int i = 0; i < 8; i++) {
        threads[i] = std::thread(run_thread, i, i % 2 == 0);
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    CHECK(key_destructor_calls == 8 * 2 * PTHREAD_DESTRUCTOR_ITERATIONS);
    CHECK(object_destructor_calls == 8);
    for (stage_kept &kept : left_behind) {
        stage_drop(&kept, "blocks of an ended thread");
    }
    pthread_key_t only_key;
    CHECK(pthread_key_create(&only_key, end_without_free) == 0);
    for (int i = 0; i < 4; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, nullptr, use_in_destructor_only, &only_key) == 0);
        pthread_join(thread, nullptr);
    }
    CHECK(key_destructor_calls == 8 * 2 * PTHREAD_DESTRUCTOR_ITERATIONS + 4);
    return check_done();
}
