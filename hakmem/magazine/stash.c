/* Two lists a class, of full and of emptied magazines; see stash.h. */
#include "hakmem/magazine/stash.h"

#include "hakmem/base/assert.h"

/* The list's next magazine. */
static void **stash_next(void **storage) { return (void **)storage[0]; }

static void stash_push(void ***list, void **storage) {
    storage[0] = *list;
    *list = storage;
}

static void **stash_pop(void ***list) {
    void **storage = *list;
    *list = stash_next(storage);
    return storage;
}

static void stash_count(struct hak_thread_class *own, int change) {
    /* Release: behind the odd sequence of the exchange. */
    hak_store_release(&own->stashed, (uint8_t)(own->stashed + change));
}

void **stash_make_room(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    if (own->floor != 0 || own->stashed >= hak_classes[class_index].stash) {
        return NULL;
    }
    if (own->emptied != NULL) {
        return stash_pop(&own->emptied);
    }
    if (thread->spares_used == THREAD_SPARES) {
        return NULL;
    }
    void **storage = thread->spares[thread->spares_used++];
    /* The thread that had the record before may have used it for a class of larger magazines. */
    stash_base(storage, class_index)[-1] = NULL;
    return storage;
}

void stash_put(struct hak_thread_class *own, void **storage) {
    stash_push(&own->stash, storage);
    stash_count(own, 1);
}

void **stash_take(struct hak_thread_class *own, void **emptied) {
    void **storage = stash_pop(&own->stash);
    stash_push(&own->emptied, emptied);
    stash_count(own, -1);
    return storage;
}

void **stash_take_oldest(struct hak_thread_class *own) {
    HAK_ASSERT(own->stashed > 0);
    void ***link = &own->stash;
    while (stash_next(*link) != NULL) {
        link = (void ***)*link;
    }
    stash_count(own, -1);
    return stash_pop(link);
}

void stash_put_back(struct hak_thread_class *own, void **storage) { stash_push(&own->emptied, storage); }
