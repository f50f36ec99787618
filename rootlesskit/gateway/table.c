#include "rootlesskit/gateway/table.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/base/err.h"

void *table_reserve(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

int table_init(struct table *table, size_t size, uint32_t max, struct err *err)
{
    *table = (struct table){.size = size, .max = max, .items = table_reserve(size * max)};
    return table->items ? 0 : err_set(err, ENOMEM, "no memory for connections");
}

static struct table_item *at(const struct table *table, uint32_t i)
{
    return (struct table_item *)(void *)(table->items + i * table->size);
}

static void give_back(struct loop_grave *grave)
{
    struct table_item *item = loop_owner(grave, struct table_item, grave);
    item->grave.next = item->table->free ? &item->table->free->grave : NULL;
    item->table->free = item;
}

void *table_take(struct table *table)
{
    struct table_item *item = table->free;
    if (item)
        table->free =
            item->grave.next ? loop_owner(item->grave.next, struct table_item, grave) : NULL;
    else if (table->ever < table->max)
        item = at(table, table->ever++);
    else
        return NULL;
    memset(item, 0, table->size);
    item->table = table;
    item->used = true;
    return item;
}

void table_give(void *item)
{
    struct table_item *given = item;
    if (!given)
        return;
    given->used = false;
    give_back(&given->grave);
}

void table_bury(struct loop *loop, void *item)
{
    struct table_item *given = item;
    given->used = false;
    given->grave.free_fn = give_back;
    loop_bury(loop, &given->grave);
}

uint32_t table_index(const void *item)
{
    const struct table *table = ((const struct table_item *)item)->table;
    const unsigned char *place = item;
    return (uint32_t)((size_t)(place - table->items) / table->size);
}

void *table_next(const struct table *table, const void *item)
{
    uint32_t i = item ? table_index(item) + 1 : 0;
    while (i < table->ever && !at(table, i)->used)
        i++;
    return i < table->ever ? at(table, i) : NULL;
}
