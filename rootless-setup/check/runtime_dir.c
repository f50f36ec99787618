/* XDG_RUNTIME_DIR: sockets, locks and state of every rootless engine live there. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/probe.h"
#include "rootless-setup/check/quote.h"

static void say_foreign(const struct check_context *context, const char *dir, uid_t owner,
                        struct check_result *result)
{
    check_say(result, CHECK_FAILED, "%s belongs to uid %u, not to %s (uid %u)", dir, owner,
              context->subject.name, context->subject.uid);
    check_cause(result, "the variable was kept by su or sudo from the session of uid %u", owner);
    remedy_session(&context->subject, &context->facts, result);
}

/* An unnamed file proves that the directory takes files, and leaves nothing. */
static int try_write(const char *dir)
{
    cleanup_close int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return 0;
    if (errno == EOPNOTSUPP || errno == EISDIR)
        return access(dir, W_OK | X_OK) < 0 ? -errno : 0;
    return -errno;
}

static void check_mode(const struct check_context *context, const char *dir, mode_t mode,
                       struct check_result *result)
{
    char quoted[4200];
    const char *word = quote_word(dir, quoted, sizeof quoted);
    int r = try_write(dir);
    if (r < 0) {
        check_say_errno(result, CHECK_FAILED, -r, "making a file in %s", dir);
        if (r == -EACCES) {
            check_cause(result, "%s has mode %04o, which keeps its owner from it", dir,
                        mode & 07777);
            check_remedy(result, REMEDY_USER, "chmod 0700 %s", word);
        } else {
            check_cause(result, "its file system is full or read-only");
            check_remedy(result, REMEDY_NOTE, "see how it is mounted and how full it is: df %s",
                         word);
        }
    } else if (mode & 0022) {
        check_say(result, CHECK_FAILED, "%s has mode %04o", dir, mode & 07777);
        check_cause(result, "others may write there and could put a socket in the engine's place");
        check_remedy(result, REMEDY_USER, "chmod 0700 %s", word);
    } else if (mode & 0055) {
        check_say(result, CHECK_WARNING, "%s has mode %04o", dir, mode & 07777);
        check_cause(result, "the XDG specification asks for 0700: others can see and reach the "
                            "engine's files");
        check_remedy(result, REMEDY_USER, "chmod 0700 %s", word);
    } else {
        check_say(result, CHECK_OK, "%s%s is mine, mode %04o, and takes files", dir,
                  context->subject.runtime_guessed ? " (assumed)" : "", mode & 07777);
    }
}

void probe_runtime_dir(const struct check_context *context, struct check_result *result)
{
    const char *dir = context->subject.runtime_dir;
    struct stat st;
    if (dir[0] == '\0') {
        check_say(result, CHECK_FAILED, "XDG_RUNTIME_DIR is not set");
        check_cause(result, "this shell is no login session (su, sudo, cron), or nothing on this "
                            "system sets the variable at login");
        remedy_session(&context->subject, &context->facts, result);
    } else if (dir[0] != '/') {
        check_say(result, CHECK_FAILED, "XDG_RUNTIME_DIR is \"%s\", not an absolute path", dir);
        check_cause(result, "programs ignore or misread a relative path there");
        remedy_session(&context->subject, &context->facts, result);
    } else if (stat(dir, &st) < 0) {
        check_say_errno(result, CHECK_FAILED, errno, "looking at %s", dir);
        check_cause(result,
                    context->subject.runtime_guessed
                        ? "the user has no session that made it"
                        : "the directory was removed when the user's last session ended, or "
                          "was never made");
        remedy_session(&context->subject, &context->facts, result);
    } else if (!S_ISDIR(st.st_mode)) {
        check_say_errno(result, CHECK_FAILED, ENOTDIR, "looking at %s", dir);
        check_cause(result, "XDG_RUNTIME_DIR names a file");
        remedy_session(&context->subject, &context->facts, result);
    } else if (st.st_uid != context->subject.uid) {
        say_foreign(context, dir, st.st_uid, result);
    } else {
        check_mode(context, dir, st.st_mode, result);
    }
}
