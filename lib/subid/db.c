#include "lib/subid/db.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"

/* Owners of digits alone are users by number; they sort behind all names. */
struct subid_db_key {
    const char *name;
    size_t len;
    bool numeric;
    uid_t uid;
    size_t entry;
};

static int compare_owner(const struct subid_db_key *a, const struct subid_db_key *b)
{
    if (a->numeric != b->numeric)
        return a->numeric ? 1 : -1;
    if (a->numeric)
        return (a->uid > b->uid) - (a->uid < b->uid);
    size_t shorter = a->len < b->len ? a->len : b->len;
    int r = memcmp(a->name, b->name, shorter);
    return r != 0 ? r : (a->len > b->len) - (a->len < b->len);
}

static int compare_key(const void *pa, const void *pb)
{
    const struct subid_db_key *a = pa, *b = pb;
    int r = compare_owner(a, b);
    return r != 0 ? r : (a->entry > b->entry) - (a->entry < b->entry);
}

static size_t count_lines(const char *text, size_t len)
{
    size_t n = 0;
    for (const char *p = text, *end = text + len; p < end; n++) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        p = newline ? newline + 1 : end;
    }
    return n;
}

static void add_key(struct subid_db *db, size_t i)
{
    const struct subid_line *line = &db->entries[i].line;
    struct subid_db_key key = {.name = line->owner, .len = line->owner_len, .entry = i};
    key.numeric = subid_owner_uid(line->owner, line->owner_len, &key.uid);
    db->keys[db->n_keys++] = key;
}

/* Cuts db->text (of @p len bytes) into entries and sorts the index. */
static int split(struct subid_db *db, size_t len, struct err *err)
{
    size_t n = count_lines(db->text, len);
    db->entries = calloc(n + 1, sizeof *db->entries);
    db->keys = calloc(n + 1, sizeof *db->keys);
    if (!db->entries || !db->keys)
        return err_set(err, ENOMEM, "no memory for the %zu lines of %s", n, subid_path(db->kind));
    const char *p = db->text, *end = db->text + len;
    while (p < end) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        struct subid_entry *entry = &db->entries[db->n_entries];
        entry->text = p;
        entry->len = (size_t)((newline ? newline : end) - p);
        entry->is_range = subid_line_parse(entry->text, entry->len, &entry->line);
        if (entry->is_range)
            add_key(db, db->n_entries);
        db->n_entries++;
        db->bare_end = !newline;
        p = newline ? newline + 1 : end;
    }
    qsort(db->keys, db->n_keys, sizeof *db->keys, compare_key);
    return 0;
}

int subid_db_parse(struct subid_db *db, enum subid_kind kind, const char *text, size_t len,
                   struct err *err)
{
    *db = (struct subid_db){.kind = kind, .exists = true};
    db->text = malloc(len + 1);
    if (!db->text)
        return err_set(err, ENOMEM, "no memory for %zu bytes of %s", len, subid_path(kind));
    memcpy(db->text, text, len);
    db->text[len] = '\0';
    int r = split(db, len, err);
    if (r < 0)
        subid_db_free(db);
    return r;
}

int subid_text_read(const struct subid_place *place, enum subid_kind kind, char **ret,
                    size_t *ret_len, bool *ret_grew, struct err *err)
{
    cleanup_close int fd = subid_open(place->etc_fd, kind, err);
    if (fd < 0)
        return fd;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "cannot stat %s", subid_path(kind));
    if (st.st_size > SUBID_DB_MAX)
        return err_set(err, EFBIG, "%s is larger than %u bytes", subid_path(kind), SUBID_DB_MAX);
    size_t room = (size_t)st.st_size;
    cleanup_free char *text = malloc(room + 1);
    if (!text)
        return err_set(err, ENOMEM, "no memory for %zu bytes of %s", room, subid_path(kind));
    ssize_t n = file_read_full(fd, text, room + 1);
    if (n < 0)
        return err_sys(err, (int)-n, "cannot read %s", subid_path(kind));
    *ret_grew = (size_t)n > room;
    *ret_len = *ret_grew ? room : (size_t)n;
    text[*ret_len] = '\0';
    *ret = text;
    text = NULL;
    return 0;
}

int subid_db_read(struct subid_db *db, const struct subid_place *place, enum subid_kind kind,
                  struct err *err)
{
    *db = (struct subid_db){.kind = kind};
    size_t len = 0;
    bool grew = false;
    int r = subid_text_read(place, kind, &db->text, &len, &grew, err);
    if (grew) {
        subid_db_free(db);
        return err_set(err, EBUSY, "%s grew while it was read: try again", subid_path(kind));
    }
    if (r == -ENOENT) {
        r = subid_db_parse(db, kind, "", 0, err);
        db->exists = false;
        return r;
    }
    if (r < 0)
        return place->live ? r : err_wrap(err, r, "in %s", place->root);
    db->exists = true;
    r = split(db, len, err);
    if (r < 0)
        subid_db_free(db);
    return r;
}

void subid_db_free(struct subid_db *db)
{
    for (size_t i = 0; i < db->n_additions; i++)
        free(db->additions[i].owner);
    free(db->text);
    free(db->entries);
    free(db->additions);
    free(db->keys);
    *db = (struct subid_db){0};
}

static size_t visit_key(const struct subid_db *db, const struct subid_db_key *wanted,
                        subid_db_fn *fn, void *arg)
{
    size_t low = 0, high = db->n_keys, n = 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_owner(&db->keys[middle], wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < db->n_keys && compare_owner(&db->keys[low], wanted) == 0; low++) {
        struct subid_entry *entry = &db->entries[db->keys[low].entry];
        if (entry->removed)
            continue;
        fn(entry, arg);
        n++;
    }
    return n;
}

size_t subid_db_visit(const struct subid_db *db, const char *name, uid_t uid, subid_db_fn *fn,
                      void *arg)
{
    size_t n = 0;
    if (name) {
        struct subid_db_key by_name = {.name = name, .len = strlen(name)};
        n += visit_key(db, &by_name, fn, arg);
    }
    if (uid != (uid_t)-1) {
        struct subid_db_key by_uid = {.numeric = true, .uid = uid};
        n += visit_key(db, &by_uid, fn, arg);
    }
    return n;
}

/* Blanks at the ends are trimmed by some readers, '#' begins a comment for some. */
int subid_owner_check(const char *owner, struct err *err)
{
    size_t len = strlen(owner);
    uid_t uid = 0;
    const char *why = NULL;
    if (len == 0)
        why = "it is empty";
    else if (len > SUBID_LINE_MAX - sizeof ":4294967295:4294967295")
        why = "it is too long for a line of the file";
    else if (strchr("+-#!", owner[0]))
        why = "its first character marks a line that readers skip";
    else if (owner[0] == ' ' || owner[len - 1] == ' ')
        why = "it begins or ends with a blank";
    else if (subid_owner_uid(owner, len, &uid))
        why = "a name of digits alone is read as a uid";
    for (size_t i = 0; i < len && !why; i++)
        if (owner[i] == ':' || (unsigned char)owner[i] < ' ' || owner[i] == 0x7f)
            why = "it contains a colon or a control character";
    if (why)
        return err_set(err, EINVAL, "the name \"%.*s\" cannot be put into /etc/subuid: %s",
                       (int)strcspn(owner, "\n"), owner, why);
    return 0;
}

int subid_db_add(struct subid_db *db, const char *owner, struct subid_range range, struct err *err)
{
    if (db->n_additions == db->room_additions) {
        size_t room = db->room_additions ? db->room_additions * 2 : 16;
        struct subid_addition *grown = reallocarray(db->additions, room, sizeof *grown);
        if (!grown)
            return err_set(err, ENOMEM, "no memory for %zu new lines", room);
        db->additions = grown;
        db->room_additions = room;
    }
    char *copy = strdup(owner);
    if (!copy)
        return err_set(err, ENOMEM, "no memory for the name %s", owner);
    db->additions[db->n_additions++] = (struct subid_addition){.owner = copy, .range = range};
    db->changed = true;
    return 0;
}

struct removal {
    uint64_t first, end; /* half-open */
    uint64_t taken;
};

static void remove_from(struct subid_entry *entry, void *arg)
{
    struct removal *removal = arg;
    uint64_t start = entry->line.start, end = start + entry->line.count;
    uint64_t from = start > removal->first ? start : removal->first;
    uint64_t to = end < removal->end ? end : removal->end;
    if (from >= to)
        return;
    removal->taken += to - from;
    entry->removed = true;
    entry->n_rest = 0;
    if (start < from)
        entry->rest[entry->n_rest++] =
            (struct subid_range){.start = (uint32_t)start, .count = (uint32_t)(from - start)};
    if (to < end)
        entry->rest[entry->n_rest++] =
            (struct subid_range){.start = (uint32_t)to, .count = (uint32_t)(end - to)};
}

uint64_t subid_db_remove(struct subid_db *db, const char *name, uid_t uid, uint32_t first,
                         uint32_t last)
{
    struct removal removal = {.first = first, .end = (uint64_t)last + 1};
    (void)subid_db_visit(db, name, uid, remove_from, &removal);
    if (removal.taken > 0)
        db->changed = true;
    return removal.taken;
}

void subid_db_rewrite(struct subid_db *db, struct subid_entry *entry, struct subid_line line)
{
    entry->line = line;
    entry->is_range = true;
    entry->removed = true;
    entry->rest[0] = (struct subid_range){.start = line.start, .count = line.count};
    entry->n_rest = 1;
    db->changed = true;
}

void subid_db_drop(struct subid_db *db, struct subid_entry *entry)
{
    entry->removed = true;
    entry->n_rest = 0;
    db->changed = true;
}
