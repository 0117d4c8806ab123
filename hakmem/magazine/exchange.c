/* The exchanges that touch slabs; see exchange.h. */
#include "hakmem/magazine/exchange.h"

#include <string.h>

#include "hakmem/base/assert.h"
#include "hakmem/magazine/shared.h"

/* A slab of the class with free blocks, as active[0]. NULL: no memory, nothing changed */
static struct slab *exchange_active_slab(struct hak_thread *thread, unsigned class_index) {
    struct slab **active = thread->classes[class_index].active;
    for (unsigned i = 0; i < 2; i++) {
        struct slab *slab = active[i];
        if (slab != NULL && (slab->free_count > 0 || slab_drain(slab) > 0)) {
            active[i] = active[0];
            active[0] = slab;
            return slab;
        }
    }
    struct slab *slab = slab_claim(class_index, thread->number);
    if (slab == NULL) {
        slab = slab_create(class_index, thread->number);
    }
    if (slab == NULL) {
        return NULL;
    }
    if (active[1] != NULL) {
        slab_detach(active[1]);
    }
    active[1] = active[0];
    active[0] = slab;
    return slab;
}

bool exchange_refill(struct hak_thread *thread, unsigned class_index) {
    struct hak_thread_class *own = &thread->classes[class_index];
    struct hak_bin *bin = &thread->bins[class_index];
    struct slab *slab = exchange_active_slab(thread, class_index);
    if (slab == NULL) {
        return false;
    }
    void **base = hak_load_relaxed(&bin->loaded_base);
    uint32_t taken = slab_take(slab, base, hak_classes[class_index].magazine / 2, &own->loaded_zeroed);
    /* Release: behind the odd sequence of the exchange. */
    hak_store_release(&bin->loaded_top, base + taken);
    return true;
}

/* Returns to the region layer what has no block in use. */
static void exchange_release_empty(struct hak_thread *thread, unsigned class_index) {
    struct slab **active = thread->classes[class_index].active;
    if (active[1] != NULL && slab_release_if_empty(active[1])) {
        active[1] = NULL;
    }
    if (active[0] != NULL && slab_release_if_empty(active[0])) {
        active[0] = active[1];
        active[1] = NULL;
    }
}

static void exchange_free_to_slabs(struct hak_thread *thread, unsigned class_index, void *const *blocks,
                                   uint32_t count) {
    hak_count_add(&thread->remote_frees, slab_free_blocks(thread->number, class_index, blocks, count));
}

/* Frees the oldest half of the returned magazine; what is younger is more likely still in a cache. */
static void exchange_flush_oldest(struct hak_thread *thread, unsigned class_index) {
    struct hak_bin *bin = &thread->bins[class_index];
    const uint32_t capacity = hak_classes[class_index].magazine;
    const uint32_t half = capacity / 2;
    void **base = bin->returned_end - capacity;
    exchange_free_to_slabs(thread, class_index, base, half);
    memmove(base, base + half, (capacity - half) * sizeof *base);
    /* Release: behind the odd sequence of the exchange. */
    hak_store_release(&bin->returned_top, base + (capacity - half));
    exchange_release_empty(thread, class_index);
}

void *exchange_alloc(unsigned class_index) {
    struct hak_thread *thread = thread_begin();
    if (HAK_UNLIKELY(thread == NULL)) {
        return shared_alloc(class_index);
    }
    /* Its thread may have begun just now. */
    void *p = magazine_pop(class_index);
    return p != NULL ? p : exchange_alloc_begun(thread, class_index);
}

void exchange_free(unsigned class_index, void *p) {
    struct hak_thread *thread = thread_begin();
    if (HAK_UNLIKELY(thread == NULL)) {
        shared_free(class_index, p);
        return;
    }
    if (magazine_push(class_index, p)) {
        return;
    }
    exchange_enter(thread);
    exchange_count(thread, class_index);
    if (exchange_loaded_level(&thread->bins[class_index]) == 0) {
        exchange_swap(thread, class_index);
    } else {
        exchange_flush_oldest(thread, class_index);
    }
    exchange_note_levels(thread, class_index);
    exchange_leave(thread);
    bool pushed = magazine_push(class_index, p);
    HAK_ASSERT(pushed);
    (void)pushed;
}

void exchange_free_remote(unsigned class_index, void *p) {
    struct hak_thread *thread = hak_self;
    exchange_free_to_slabs(thread, class_index, &p, 1);
    if (HAK_P1_BATCHED_STATS) {
        hak_count_add(&thread->classes[class_index].frees, 1);
    }
}

static void exchange_flush_class(struct hak_thread *thread, unsigned class_index) {
    struct hak_bin *bin = &thread->bins[class_index];
    struct hak_thread_class *own = &thread->classes[class_index];
    const uint32_t loaded = exchange_loaded_level(bin);
    const uint32_t returned = exchange_returned_level(bin, class_index);
    exchange_count(thread, class_index);
    if (loaded > 0) {
        exchange_free_to_slabs(thread, class_index, hak_load_relaxed(&bin->loaded_base), loaded);
    }
    if (returned > 0) {
        exchange_free_to_slabs(thread, class_index, hak_load_relaxed(&bin->returned_top) - returned, returned);
    }
    /* Release: behind the odd sequence. */
    hak_store_release(&bin->loaded_top, hak_load_relaxed(&bin->loaded_base));
    hak_store_release(&bin->returned_top, bin->returned_end - hak_classes[class_index].magazine);
    exchange_note_levels(thread, class_index);
    for (unsigned i = 0; i < 2; i++) {
        if (own->active[i] != NULL) {
            slab_detach(own->active[i]);
            own->active[i] = NULL;
        }
    }
}

void exchange_flush(struct hak_thread *thread) {
    exchange_enter(thread);
    for (unsigned class_index = 1; class_index < HAK_CLASS_COUNT; class_index++) {
        exchange_flush_class(thread, class_index);
    }
    exchange_leave(thread);
}
