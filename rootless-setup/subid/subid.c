#include "rootless-setup/subid/subid.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"

#define SCHEMA_VERSION 1 /* of docs/subid-schema.json and subid-audit-schema.json */

int subid_parse_range(const char *what, const char *text, struct subid_range *ret, struct err *err)
{
    struct cursor c = cursor_of(text);
    uint64_t first = 0, last = 0;
    if (!cursor_u64(&c, 10, UINT32_MAX - 1, &first) || !cursor_char(&c, '-') ||
        !cursor_u64(&c, 10, UINT32_MAX - 1, &last) || !cursor_done(&c) || last < first)
        return err_set(err, EINVAL,
                       "%s: \"%s\" is no range of ids, write FIRST-LAST like 100000-165535", what,
                       text);
    *ret = (struct subid_range){.start = (uint32_t)first, .count = (uint32_t)(last - first + 1)};
    return 0;
}

static bool overlap(struct subid_range a, struct subid_range b)
{
    return a.start < (uint64_t)b.start + b.count && b.start < (uint64_t)a.start + a.count;
}

int subid_parse_ranges(const struct cli_list *list, struct subid_range **ret, struct err *err)
{
    cleanup_free struct subid_range *ranges = calloc(list->n + 1, sizeof *ranges);
    if (!ranges)
        return err_set(err, ENOMEM, "no memory for %zu ranges", list->n);
    for (size_t i = 0; i < list->n; i++) {
        int r = subid_parse_range("--range", list->items[i], &ranges[i], err);
        if (r < 0)
            return r;
        for (size_t k = 0; k < i; k++)
            if (overlap(ranges[i], ranges[k]))
                return err_set(err, EINVAL, "--range: %s and %s overlap", list->items[k],
                               list->items[i]);
    }
    *ret = ranges;
    ranges = NULL;
    return 0;
}

json_t *subid_text_json(const char *text, size_t len)
{
    json_t *value = json_stringn(text, len);
    cleanup_free char *plain = value ? NULL : strndup(text, len);
    if (!plain)
        return value;
    for (char *p = plain; *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    return json_string(plain);
}

json_t *subid_range_json(struct subid_range range)
{
    return json_pack("{s:I, s:I}", "start", (json_int_t)range.start, "count",
                     (json_int_t)range.count);
}

int subid_print_json(json_t *value)
{
    json_t *whole = json_pack("{s:i, s:s}", "schema", SCHEMA_VERSION, "version", ROOTLESS_VERSION);
    int r = value && whole ? json_object_update(whole, value) : -1;
    json_decref(value);
    if (r < 0) {
        json_decref(whole);
        cli_error("no memory for the JSON text");
        return CLI_FAILED;
    }
    r = json_dumpf(whole, stdout, JSON_INDENT(2));
    (void)putchar('\n');
    json_decref(whole);
    return r == 0 ? CLI_OK : CLI_FAILED;
}

void subid_warn(const struct subid_transaction *transaction)
{
    if (transaction->recovered.code != 0)
        cli_warning("%s", transaction->recovered.msg);
    if (transaction->unrecorded.code != 0)
        cli_warning("%s", transaction->unrecorded.msg);
}

void subid_print_diff(const struct subid_transaction *transaction)
{
    subid_db_diff(&transaction->db[SUBID_UID], transaction->place, stdout);
    subid_db_diff(&transaction->db[SUBID_GID], transaction->place, stdout);
}
