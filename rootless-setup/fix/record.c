#include "rootless-setup/fix/record.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"

#define RECORD_DIR "/var/lib/rootless-toolkit/fix"
#define RECORD_MAX ((size_t)RECORD_CHANGES_MAX * 4 * PLACE_FILE_MAX)
#define SCHEMA_VERSION 1

static const char *const kinds[] = {"file", "sysctl", "module", "mode", NULL};
static const char *const reloads[] = {"none", "systemd", "udev", "linger", "apparmor", NULL};
_Static_assert(sizeof kinds / sizeof kinds[0] == CHANGE_KINDS + 1, "one name a kind");
_Static_assert(sizeof reloads / sizeof reloads[0] == RELOADS + 1, "one name a reload");

const char *change_kind_name(enum change_kind kind)
{
    return kinds[kind];
}

void change_clear(struct change *change)
{
    place_file_cleanup(&change->before);
    place_file_cleanup(&change->after);
}

/* Text where it is some, else its bytes as hexadecimal digits. */
static json_t *bytes_value(const struct place_file *file)
{
    static const char digits[] = "0123456789abcdef";
    json_t *text = json_stringn(file->data, file->len);
    if (text)
        return json_pack("{s:o}", "text", text);
    cleanup_free char *hex = malloc(2 * file->len + 1);
    if (!hex)
        return NULL;
    for (size_t i = 0; i < file->len; i++) {
        hex[2 * i] = digits[(unsigned char)file->data[i] >> 4];
        hex[2 * i + 1] = digits[(unsigned char)file->data[i] & 15];
    }
    return json_pack("{s:s%}", "hex", hex, 2 * file->len);
}

static json_t *file_value(const struct place_file *file)
{
    if (!file->data)
        return json_null();
    json_t *value = bytes_value(file);
    if (value && (json_object_set_new(value, "mode", json_integer(file->mode)) < 0 ||
                  json_object_set_new(value, "uid", json_integer(file->uid)) < 0 ||
                  json_object_set_new(value, "gid", json_integer(file->gid)) < 0)) {
        json_decref(value);
        return NULL;
    }
    return value;
}

static json_t *change_value(const struct change *change)
{
    if (change->kind == CHANGE_FILE)
        return json_pack("{s:s, s:s, s:s, s:o, s:o, s:i, s:s}", "kind", kinds[change->kind],
                         "check", change->check, "target", change->target, "before",
                         file_value(&change->before), "after", file_value(&change->after), "dirs",
                         (int)change->dirs, "reload", reloads[change->reload]);
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "kind", kinds[change->kind], "check",
                     change->check, "target", change->target, "before", change->old, "after",
                     change->wanted);
}

static int forget(const struct record *record, struct err *err)
{
    if (unlinkat(record->dir_fd, "record", 0) < 0 && errno != ENOENT)
        return err_sys(err, errno, "cannot remove %s/record", RECORD_DIR);
    int r = file_sync_names(record->dir_fd);
    return r < 0 ? err_sys(err, -r, "cannot remove %s/record", RECORD_DIR) : 0;
}

int record_save(const struct record *record, struct err *err)
{
    if (record->n == 0)
        return forget(record, err);
    json_t *list = json_array();
    for (size_t i = 0; i < record->n; i++) {
        json_t *value = change_value(&record->changes[i]);
        if (!value || json_array_append_new(list, value) < 0) {
            json_decref(list);
            return err_sys(err, ENOMEM, "cannot write the record");
        }
    }
    json_t *root = json_pack("{s:i, s:b, s:o}", "schema", SCHEMA_VERSION, "unfinished",
                             record->unfinished, "changes", list);
    cleanup_free char *text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
    json_decref(root);
    if (!text)
        return err_sys(err, ENOMEM, "cannot write the record");
    int r = file_replace(record->dir_fd, "record.new", "record", text, strlen(text));
    if (r == 0)
        r = file_sync_names(record->dir_fd);
    return r < 0 ? err_sys(err, -r, "cannot write %s/record", RECORD_DIR) : 0;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_hex(const char *hex, size_t len, struct place_file *ret)
{
    ret->len = len / 2;
    ret->data = malloc(ret->len + 1);
    if (!ret->data || len % 2 != 0)
        return false;
    for (size_t i = 0; i < ret->len; i++) {
        int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret->data[i] = (char)(high << 4 | low);
    }
    ret->data[ret->len] = '\0';
    return true;
}

static bool parse_number(const json_t *object, const char *key, json_int_t max, json_int_t *ret)
{
    const json_t *value = json_object_get(object, key);
    *ret = json_integer_value(value);
    return json_is_integer(value) && *ret >= 0 && *ret <= max;
}

static bool parse_file(const json_t *value, struct place_file *ret)
{
    json_int_t mode, uid, gid;
    *ret = (struct place_file){0};
    if (json_is_null(value))
        return true;
    const json_t *text = json_object_get(value, "text"), *hex = json_object_get(value, "hex");
    const json_t *bytes = text ? text : hex;
    if (!json_is_string(bytes) || json_string_length(bytes) > 2 * PLACE_FILE_MAX ||
        !parse_number(value, "mode", PLACE_MODE_MAX, &mode) ||
        !parse_number(value, "uid", UINT32_MAX, &uid) ||
        !parse_number(value, "gid", UINT32_MAX, &gid))
        return false;
    ret->mode = (mode_t)mode;
    ret->uid = (uid_t)uid;
    ret->gid = (gid_t)gid;
    if (!text)
        return parse_hex(json_string_value(hex), json_string_length(hex), ret);
    ret->len = json_string_length(text);
    ret->data = malloc(ret->len + 1);
    if (ret->data)
        (void)memcpy(ret->data, json_string_value(text), ret->len + 1);
    return ret->data != NULL;
}

static bool parse_text(const json_t *object, const char *key, char *ret, size_t size)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value) &&
           str_copy(ret, size, json_string_value(value)) == 0;
}

static int parse_word(const json_t *object, const char *key, const char *const *words)
{
    const char *word = json_string_value(json_object_get(object, key));
    return word ? str_index(words, word) : -1;
}

static bool parse_change(const json_t *object, struct change *ret)
{
    json_int_t dirs;
    int kind = parse_word(object, "kind", kinds);
    *ret = (struct change){.kind = (enum change_kind)(kind < 0 ? 0 : kind)};
    if (kind < 0 || !parse_text(object, "check", ret->check, sizeof ret->check) ||
        !parse_text(object, "target", ret->target, sizeof ret->target) || !ret->target[0])
        return false;
    if (ret->kind != CHANGE_FILE)
        return parse_text(object, "before", ret->old, sizeof ret->old) &&
               parse_text(object, "after", ret->wanted, sizeof ret->wanted);
    int reload = parse_word(object, "reload", reloads);
    if (reload < 0 || !place_is_path(ret->target) || !parse_number(object, "dirs", 16, &dirs))
        return false;
    ret->reload = (enum change_reload)reload;
    ret->dirs = (unsigned)dirs;
    return parse_file(json_object_get(object, "before"), &ret->before) &&
           parse_file(json_object_get(object, "after"), &ret->after) && ret->after.data;
}

/* A record of no known shape is nobody's to overwrite. */
static int damaged(struct err *err, const char *why)
{
    return err_set(err, EBADMSG, "%s/record is damaged (%s); nothing was changed", RECORD_DIR, why);
}

int record_parse(const char *text, size_t len, struct record *ret, struct err *err)
{
    json_error_t error;
    *ret = (struct record){.dir_fd = -EBADF};
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!root)
        return damaged(err, error.text);
    const json_t *list = json_object_get(root, "changes");
    const char *why = NULL;
    if (json_integer_value(json_object_get(root, "schema")) != SCHEMA_VERSION)
        why = "another version's";
    else if (!json_is_array(list) || json_array_size(list) > RECORD_CHANGES_MAX)
        why = "no list of changes";
    ret->unfinished = json_is_true(json_object_get(root, "unfinished"));
    for (size_t i = 0; !why && i < json_array_size(list); i++, ret->n++)
        if (!parse_change(json_array_get(list, i), &ret->changes[i])) {
            change_clear(&ret->changes[i]);
            why = "a change that is none";
        }
    json_decref(root);
    if (!why)
        return 0;
    record_close(ret);
    return damaged(err, why);
}

/* In somebody's image it may be a link to a file of this machine, or a pipe that never ends. */
static int read_text(int dir, char **ret, size_t *ret_len, struct err *err)
{
    struct stat st;
    cleanup_close int fd = openat(dir, "record", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, errno, "cannot open %s/record", RECORD_DIR);
    if (!S_ISREG(st.st_mode))
        return err_set(err, EISDIR, "%s/record is no ordinary file", RECORD_DIR);
    return file_read_all(fd, "record", RECORD_MAX, ret, ret_len, err);
}

int record_open(const struct place *place, bool make, struct record *ret, struct err *err)
{
    cleanup_free char *text = NULL;
    size_t len = 0;
    *ret = (struct record){.dir_fd = -EBADF};
    if (!make && !place_has(place, RECORD_DIR))
        return 0;
    cleanup_close int dir = place_open_dir(place, RECORD_DIR, make, err);
    if (dir < 0)
        return dir;
    if (flock(dir, LOCK_EX) < 0)
        return err_sys(err, errno, "cannot lock %s", RECORD_DIR);
    int r = read_text(dir, &text, &len, err);
    if (r == 0)
        r = record_parse(text, len, ret, err);
    if (r < 0 && r != -ENOENT)
        return r;
    ret->dir_fd = take_fd(&dir);
    return 0;
}

void record_close(struct record *record)
{
    for (size_t i = 0; i < record->n; i++)
        change_clear(&record->changes[i]);
    record->n = 0;
    record->dir_fd = fd_close(record->dir_fd);
}

struct change *record_find(struct record *record, enum change_kind kind, const char *target)
{
    for (size_t i = 0; i < record->n; i++)
        if (record->changes[i].kind == kind && str_equal(record->changes[i].target, target))
            return &record->changes[i];
    return NULL;
}

int record_add(struct record *record, struct change *take, struct err *err)
{
    if (record->n == RECORD_CHANGES_MAX)
        return err_set(err, ENOSPC, "the record is full: undo some of it first");
    record->changes[record->n++] = *take;
    *take = (struct change){0};
    return record_save(record, err);
}

static size_t dir_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

/* Directories made for a file go with the last file in them. */
static void inherit_dirs(struct record *record, const struct change *gone)
{
    size_t len = dir_length(gone->target);
    for (size_t i = 0; i < record->n; i++) {
        struct change *other = &record->changes[i];
        if (other == gone || other->kind != CHANGE_FILE || other->dirs >= gone->dirs ||
            dir_length(other->target) != len || strncmp(other->target, gone->target, len) != 0)
            continue;
        other->dirs = gone->dirs;
        return;
    }
}

void record_drop(struct record *record, size_t index)
{
    if (record->changes[index].kind == CHANGE_FILE)
        inherit_dirs(record, &record->changes[index]);
    change_clear(&record->changes[index]);
    (void)memmove(&record->changes[index], &record->changes[index + 1],
                  (record->n - index - 1) * sizeof record->changes[0]);
    record->n--;
}
