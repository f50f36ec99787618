/* Subordinate ids: enough of them, nobody else's, the same number of both kinds. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/subid/line.h"
#include "lib/subid/nsswitch.h"
#include "lib/subid/source.h"
#include "rootless-setup/check/probe.h"
#include "rootless-setup/check/quote.h"

/* Images use ids up to nobody's 65534, and the user himself takes the place of id 0. */
#define ENOUGH 65536
#define FILE_MAX (64U << 20)

/* One of the two files, as far as it concerns the user. */
struct side {
    enum subid_kind kind;
    struct subid_range ranges[SUBID_RANGES_MAX];
    int n;             /* -errno: unreadable */
    const char *where; /* the file, or the plug-in in its place */
    uint64_t total;
    bool shared; /* with somebody else, or unequal: only new ranges help */
};

/* Where ranges come from: this system's source, or the files of one that does not run. */
struct origin {
    const struct check_context *context;
    const struct subid_source *source;
    const struct subid_place *place;
    bool files;
};

static const char *noun(const struct side *side)
{
    return side->kind == SUBID_UID ? "uids" : "gids";
}

static void found(struct check_result *result, enum check_status status)
{
    result->status = check_worse(result->status, status);
}

static const struct subid_range *range_with(const struct side *side, uint64_t start, uint64_t count)
{
    for (int i = 0; i < side->n; i++)
        if (start < (uint64_t)side->ranges[i].start + side->ranges[i].count &&
            side->ranges[i].start < start + count)
            return &side->ranges[i];
    return NULL;
}

static void check_amount(struct side *side, const struct check_subject *subject,
                         struct check_result *result)
{
    for (int i = 0; i < side->n; i++)
        side->total += side->ranges[i].count;
    if (side->n == 0 || side->n == -ENOENT)
        check_cause(result, "%s has no subordinate %s in %s", subject->name, noun(side),
                    side->where);
    else if (side->total < ENOUGH)
        check_cause(result,
                    "%s has %llu subordinate %s in %s; images need 65536, and files with a higher "
                    "id fail to unpack with \"invalid argument\"",
                    subject->name, (unsigned long long)side->total, noun(side), side->where);
    else
        return;
    found(result, CHECK_FAILED);
}

static void check_self_overlap(struct side *side, struct check_result *result)
{
    for (int i = 0; i < side->n; i++)
        for (int j = 0; j < i; j++) {
            const struct subid_range *a = &side->ranges[i], *b = &side->ranges[j];
            if (a->start >= b->start + b->count || b->start >= a->start + a->count)
                continue;
            check_cause(result,
                        "the user's own ranges %u:%u and %u:%u in %s overlap, which the "
                        "kernel refuses as a map",
                        b->start, b->count, a->start, a->count, side->where);
            found(result, CHECK_FAILED);
            side->shared = true;
            return;
        }
}

static bool is_subject(const struct subid_line *line, const struct check_subject *subject)
{
    uid_t uid;
    if (subid_owner_uid(line->owner, line->owner_len, &uid) && uid == subject->uid)
        return true;
    return strlen(subject->name) == line->owner_len &&
           memcmp(subject->name, line->owner, line->owner_len) == 0;
}

/* The first line of another owner that shares an id with the user. */
static void check_other_owners(struct side *side, const struct subid_place *place,
                               const struct check_subject *subject, struct check_result *result)
{
    cleanup_free char *text = NULL;
    if (side->n <= 0 ||
        file_read(place->etc_fd, subid_name(side->kind), FILE_MAX, &text, NULL, NULL) < 0)
        return;
    struct cursor c = cursor_of(text), whole;
    while (cursor_line(&c, &whole)) {
        struct subid_line line;
        if (!subid_line_parse(whole.p, (size_t)(whole.end - whole.p), &line) ||
            is_subject(&line, subject))
            continue;
        const struct subid_range *own = range_with(side, line.start, line.count);
        if (!own)
            continue;
        check_cause(result,
                    "range %u:%u in %s overlaps %.*s's %u:%u: each of the two can read and change "
                    "the other's container files",
                    own->start, own->count, side->where, (int)line.owner_len, line.owner,
                    line.start, line.count);
        found(result, CHECK_FAILED);
        side->shared = true;
        return;
    }
}

/* @return true for a conflict with somebody else */
static bool check_account(struct side *side, const char *name, uint32_t id, bool own,
                          struct check_result *result)
{
    const struct subid_range *range = range_with(side, id, 1);
    if (!range)
        return false;
    side->shared = true;
    if (own) {
        check_cause(
            result,
            "range %u:%u in %s contains the user's own id %u: rootlesskit of this suite maps "
            "around it, podman, buildah and RootlessKit refuse to start",
            range->start, range->count, side->where, id);
        found(result, CHECK_WARNING);
        return false;
    }
    check_cause(result, "range %u:%u in %s contains %s's id %u: containers could act as %s",
                range->start, range->count, side->where, name, id, name);
    found(result, CHECK_FAILED);
    return true;
}

/* Local accounts only: asking a directory service for everybody can take minutes. */
static void check_accounts(struct side *side, const struct check_context *context,
                           struct check_result *result)
{
    const struct check_subject *subject = &context->subject;
    bool uids = side->kind == SUBID_UID;
    uint32_t own = uids ? subject->uid : subject->gid;
    if (side->n <= 0)
        return;
    (void)check_account(side, subject->name, own, true, result);
    int fd =
        files_open(&context->files, uids ? "/etc/passwd" : "/etc/group", O_RDONLY | O_NONBLOCK);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    bool conflict = false;
    while (file && !conflict) {
        const struct passwd *user = uids ? fgetpwent(file) : NULL;
        const struct group *group = uids ? NULL : fgetgrent(file);
        if (!user && !group)
            break;
        uint32_t id = user ? user->pw_uid : group->gr_gid;
        if (id != own)
            conflict =
                check_account(side, user ? user->pw_name : group->gr_name, id, false, result);
    }
    if (file)
        (void)fclose(file);
    else
        fd_close(fd);
}

static void inspect(struct side *side, const struct origin *origin, struct check_result *result)
{
    struct err err = {0};
    const struct check_subject *subject = &origin->context->subject;
    side->where =
        origin->source ? subid_source_where(origin->source, side->kind) : subid_path(side->kind);
    side->n = origin->source ? subid_source_grants(origin->source, side->kind, subject->name,
                                                   subject->uid, side->ranges, &err)
                             : subid_ranges(origin->place->etc_fd, side->kind, subject->name,
                                            subject->uid, side->ranges, SUBID_RANGES_MAX, &err);
    if (side->n < 0 && side->n != -ENOENT) {
        check_cause(result, "%s", err.msg);
        found(result, CHECK_FAILED);
        return;
    }
    check_amount(side, subject, result);
    check_self_overlap(side, result);
    if (origin->files)
        check_other_owners(side, origin->place, subject, result);
    check_accounts(side, origin->context, result);
}

static void add_remedies(const struct check_context *context, bool shared,
                         struct check_result *result)
{
    char self[512], name[1024];
    const char *program = quote_self(&context->facts, self, sizeof self);
    const char *user = quote_word(context->subject.name, name, sizeof name);
    char root[4200] = "", word[4096];
    if (context->files.root)
        (void)str_format(root, sizeof root, "--root %s ",
                         quote_word(context->files.root, word, sizeof word));
    if (shared) {
        check_remedy(result, REMEDY_ROOT, "%s subid del %s%s", program, root, user);
        check_remedy(result, REMEDY_NOTE,
                     "files that containers of %s made under the old ids stay owned by them: stop "
                     "the engine first, and remove or chown its data",
                     context->subject.name);
    }
    check_remedy(result, REMEDY_ROOT, "%s subid add %s%s", program, root, user);
}

/* Nothing here can change what a plug-in answers. */
static void add_source_remedy(const struct subid_source *source, struct check_result *result)
{
    check_remedy(result, REMEDY_NOTE,
                 "the ranges are those of %s: they are changed where that one has them, "
                 "/etc/subuid and /etc/subgid are not read",
                 source->where);
}

static void judge(const struct origin *origin, struct check_result *result)
{
    static struct side uids = {.kind = SUBID_UID}, gids = {.kind = SUBID_GID};
    inspect(&uids, origin, result);
    inspect(&gids, origin, result);
    if (result->status < CHECK_WARNING && uids.total != gids.total) {
        check_cause(result, "the number of uids and gids differs: ids of files above the smaller "
                            "one cannot be kept");
        found(result, CHECK_WARNING);
        uids.shared = true; /* only new ranges are of one size */
    }
    enum check_status status = check_worse(result->status, CHECK_OK);
    check_say(result, status, "%llu uids and %llu gids in %s", (unsigned long long)uids.total,
              (unsigned long long)gids.total,
              origin->files ? "/etc/subuid and /etc/subgid" : origin->source->where);
    if (status >= CHECK_WARNING && origin->files)
        add_remedies(origin->context, uids.shared || gids.shared, result);
    else if (status >= CHECK_WARNING)
        add_source_remedy(origin->source, result);
}

/* A plug-in of a system that does not run is not loaded: it is that system's code. */
static void judge_image(const struct check_context *context, const struct subid_place *place,
                        struct check_result *result)
{
    struct err err = {0};
    char plugin[SUBID_SOURCE_MAX];
    const struct origin origin = {.context = context, .place = place, .files = true};
    if (subid_source_read(place->etc_fd, plugin, &err) < 0) {
        check_say(result, CHECK_FAILED, "%s", err.msg);
        check_cause(result, "no program of that system finds subordinate ids");
    } else if (plugin[0]) {
        check_say(result, CHECK_HINT, "nsswitch.conf there has them from \"%s\"", plugin);
        check_cause(result, "what that answers is only known where it runs");
    } else {
        judge(&origin, result);
    }
}

void probe_subid(const struct check_context *context, struct check_result *result)
{
    struct subid_place place;
    struct subid_source source = {0};
    struct err err = {0};
    int r = subid_place_open(&place, context->files.root, &err);
    if (r == 0 && !place.live) {
        judge_image(context, &place, result);
        subid_place_close(&place);
        return;
    }
    if (r == 0)
        r = subid_source_open(&source, &place, &err);
    if (r == 0) {
        const struct origin origin = {context, &source, &place, subid_source_is_files(&source)};
        judge(&origin, result);
    } else {
        check_cause(result, "%s", err.msg);
        check_say(result, CHECK_FAILED, "no source of subordinate ids");
        check_remedy(result, REMEDY_NOTE,
                     "install what the subid: line of /etc/nsswitch.conf names, or write "
                     "\"subid: files\" there");
    }
    subid_source_close(&source);
    subid_place_close(&place);
}
