/*
 * The book of slices with any content: what is read of it overlaps nowhere, and a slice that is
 * given out overlaps nobody's and lies within the user's ids.
 */
#include "tests/fuzz/fuzz.h"

#include "rootlesskit/slicebook.h"

#define TOTAL 1000000

static void check_disjoint(const struct slicebook *book)
{
    for (size_t i = 0; i < book->n; i++)
        for (size_t j = 0; j < i; j++)
            require(!slice_overlaps(book->items[i].slice, book->items[j].slice));
}

static void check_new(const struct slicebook *book, struct slice slice)
{
    require(slice.count == SLICE_COUNT && slice.offset <= TOTAL - SLICE_COUNT);
    for (size_t i = 0; i < book->n; i++)
        require(!slice_overlaps(book->items[i].slice, slice));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slicebook book;
    struct slice slice;
    if (slicebook_parse(&book, "book", (const char *)data, size, NULL) < 0)
        return 0;
    check_disjoint(&book);
    struct slice wanted = {.kind = SLICE_AUTO};
    if (slicebook_choose(&book, "/new", wanted, TOTAL, &slice, NULL) > 0)
        check_new(&book, slice);
    slicebook_free(&book);
    return 0;
}
