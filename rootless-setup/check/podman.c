/* What podman keeps between its runs: a process that holds the user namespace, and a note of the
 * boot that its state belongs to. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "rootless-setup/check/maps.h"
#include "rootless-setup/check/probe.h"
#include "rootless-setup/check/quote.h"

/* Ids that a map made now would have: the user's own and his ranges. @return 0 when unknown */
static uint64_t granted(const struct check_subject *subject, enum subid_kind kind)
{
    static struct subid_range ranges[SUBID_RANGES_MAX];
    int n = maps_ranges(subject, kind, ranges);
    uint64_t total = 1;
    for (int i = 0; i < n; i++)
        total += ranges[i].count;
    return n < 0 ? 0 : total;
}

/* The pid in podman's file, when that process is still one of the user's. @return 0 if not */
static pid_t pause_process(const struct check_subject *subject)
{
    char path[4300], text[32], proc[64];
    struct stat st;
    uint64_t pid;
    if (str_format(path, sizeof path, "%s/libpod/tmp/pause.pid", subject->runtime_dir) < 0 ||
        file_read_into(AT_FDCWD, path, text, sizeof text, NULL) < 0)
        return 0;
    struct cursor c = cursor_of(text);
    if (!cursor_u64(&c, 10, INT32_MAX, &pid) || pid == 0)
        return 0;
    (void)snprintf(proc, sizeof proc, "/proc/%d", (int)pid);
    return stat(proc, &st) == 0 && st.st_uid == subject->uid ? (pid_t)pid : 0;
}

/* @return true when it was said that something is wrong */
static bool check_pause(const struct check_context *context, struct check_result *result)
{
    static const struct {
        enum subid_kind kind;
        const char *noun;
    } sides[] = {{SUBID_UID, "uids"}, {SUBID_GID, "gids"}};
    pid_t pid = pause_process(&context->subject);
    for (size_t i = 0; pid > 0 && i < sizeof sides / sizeof sides[0]; i++) {
        uint64_t has = maps_count(pid, sides[i].kind);
        uint64_t wanted = granted(&context->subject, sides[i].kind);
        /* One that has all ids is no namespace of podman's; the number came to somebody else. */
        if (has == 0 || has >= UINT32_MAX || wanted == 0 || has == wanted)
            continue;
        check_say(result, CHECK_WARNING,
                  "podman's pause process %d has %llu %s, the files give %llu", (int)pid,
                  (unsigned long long)has, sides[i].noun, (unsigned long long)wanted);
        check_cause(result, "/etc/subuid or /etc/subgid was changed since podman made its user "
                            "namespace, which it keeps: new containers still get the old ids");
        check_remedy(result, REMEDY_USER, "podman system migrate");
        return true;
    }
    return false;
}

/* A directory that outlived the boot. @return true when it was said that something is wrong */
static bool check_boot(const char *dir, struct check_result *result)
{
    char path[4300], then[64], now[64], word[4300];
    if (str_format(path, sizeof path, "%s/libpod/tmp/alive", dir) < 0 ||
        file_read_into(AT_FDCWD, path, then, sizeof then, NULL) <= 0 ||
        file_read_into(AT_FDCWD, "/proc/sys/kernel/random/boot_id", now, sizeof now, NULL) <= 0)
        return false;
    then[strcspn(then, "\n")] = '\0';
    now[strcspn(now, "\n")] = '\0';
    if (then[0] == '\0' || strcmp(then, now) == 0)
        return false;
    check_say(result, CHECK_WARNING, "%s was written in another boot", path);
    check_cause(result,
                "podman's runtime directory lies where a boot does not empty it, and podman "
                "refuses it: \"current system boot ID differs from cached boot ID\"");
    check_remedy(result, REMEDY_USER, "rm -r %s/libpod %s/containers",
                 quote_word(dir, word, sizeof word), quote_word(dir, word, sizeof word));
    return true;
}

/* Where podman goes without XDG_RUNTIME_DIR. @return true when something is wrong with it */
static bool check_fallback(const struct check_context *context, struct check_result *result)
{
    char dir[64];
    struct stat st;
    (void)snprintf(dir, sizeof dir, "/tmp/storage-run-%u", context->subject.uid);
    if (lstat(dir, &st) < 0)
        return false;
    if (st.st_uid != context->subject.uid || !S_ISDIR(st.st_mode)) {
        check_say(result, CHECK_WARNING, "%s is not %s's directory, but uid %u's", dir,
                  context->subject.name, st.st_uid);
        check_cause(result, "podman keeps its state there when XDG_RUNTIME_DIR is not set, and "
                            "refuses a directory of somebody else's");
        check_remedy(result, REMEDY_ROOT, "rm -r %s", dir);
        return true;
    }
    return check_boot(dir, result);
}

void probe_podman(const struct check_context *context, struct check_result *result)
{
    if (check_pause(context, result) ||
        (context->subject.runtime_dir[0] && check_boot(context->subject.runtime_dir, result)) ||
        check_fallback(context, result))
        return;
    check_say(result, CHECK_OK, "%s",
              pause_process(&context->subject) > 0
                  ? "its pause process has the ids that the files give"
                  : "nothing is left of a former run that stands in its way");
}
