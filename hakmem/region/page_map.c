/* The two forms of the page map; see page_map.h. Entries are written under the region lock, or by the holder of their span. */
#include "hakmem/region/page_map.h"

#include "hakmem/base/bits.h"
#include "hakmem/guard/metadata.h"
#include "hakmem/os/os.h"

#define PAGE_MAP_ENTRIES ((size_t)1 << (HAK_ADDRESS_BITS - HAK_CHUNK_SHIFT))

static uint8_t page_map_nothing_is_ours[1];

struct page_map hak_page_map = {.classes = page_map_nothing_is_ours, .mask = 0};

void page_map_init(void) {
    void *entries;
    if ((HAK_GUARD_FULL ? metadata_reserve(PAGE_MAP_ENTRIES, &entries) : os_reserve(PAGE_MAP_ENTRIES, &entries)) != 0) {
        return;
    }
    /* Nobody reads meanwhile: the process has one thread, or the library's names are not known yet (front/init.c). */
    hak_page_map.classes = entries;
    hak_page_map.mask = PAGE_MAP_ENTRIES - 1;
}

int page_map_add_region(const void *region) {
    if (hak_page_map.mask == 0) {
        return 0;
    }
    size_t page = os_page_size();
    uintptr_t first = (uintptr_t)&hak_page_map.classes[(uintptr_t)region >> HAK_CHUNK_SHIFT];
    return os_make_writable((void *)(first & ~(page - 1)), bits_round_up(HAK_REGION_CHUNKS, page));
}

void page_map_set(const void *chunk, unsigned count, unsigned class_index) {
    if (hak_page_map.mask == 0) {
        return;
    }
    uint8_t *entry = &hak_page_map.classes[(uintptr_t)chunk >> HAK_CHUNK_SHIFT];
    for (unsigned i = 0; i < count; i++) {
        /* Relaxed: pairs with page_map_class; handing out the block orders the two. */
        hak_store_relaxed(&entry[i], (uint8_t)class_index);
    }
}
