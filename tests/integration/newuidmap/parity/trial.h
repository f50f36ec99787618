/*
 * One trial: everything that decides what newuidmap or newgidmap does, drawn at random.
 *
 * A trial follows from the seed and its number alone, so one that failed can be run again alone.
 * Nothing here knows what the outcome should be (model.h) or starts a process (run.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define TRIAL_WORDS_MAX 1060
#define TRIAL_TEXT_MAX 16384
#define TRIAL_FILE_MAX 32768
/** A group that is nobody's primary one. */
#define TRIAL_AUX_GID 47110

struct trial_user {
    const char *name;   /**< NULL: no passwd entry */
    const char *second; /**< another name of the same uid, or NULL */
    uid_t uid;
    gid_t gid;
};

enum trial_target {
    TARGET_CHILD,  /**< in a new user namespace */
    TARGET_SAME,   /**< in the caller's own */
    TARGET_NESTED, /**< in a new one within a new one */
    TARGET_GONE,
};

/** How the command line names the target. */
enum trial_spelling {
    SPELLED_PLAIN,
    SPELLED_PLUS,
    SPELLED_BLANK,
    SPELLED_ZEROS,
    SPELLED_FD,
    SPELLED_FD_OF_FILE,
    SPELLED_FD_CLOSED,
    SPELLED_FD_BARE,
    SPELLED_JUNK,
    SPELLED_NEGATIVE,
    SPELLED_ZERO,
    SPELLED_WIDE, /**< the pid + 2^32 */
    SPELLED_ABSENT,
};

enum trial_file_state { FILE_PLAIN, FILE_ABSENT, FILE_LINK, FILE_SECRET };

/** What login.defs says, and what login.defs(5) makes of it. */
struct trial_login_defs {
    const char *text;
    bool aux;     /**< ranges also while another group is the current one */
    bool aux_new; /**< the same as shadow 4.20 reads it */
};

struct trial {
    uint64_t state; /**< of the generator */
    unsigned number;
    bool gid; /**< newgidmap */
    const struct trial_user *user, *target_user;
    gid_t caller_gid, target_gid;
    bool mixed_ids; /**< the caller's effective uid is somebody else's */
    enum trial_target target;
    enum trial_spelling spelling;
    bool dumpable, mapped, denied;
    const struct trial_login_defs *login_defs;
    const char *nsswitch; /**< NULL: absent */
    enum trial_file_state file_state;
    char file[TRIAL_FILE_MAX]; /**< of /etc/subuid or /etc/subgid, whichever is read */
    size_t file_len;
    size_t n_words;
    const char *words[TRIAL_WORDS_MAX];
    char text[TRIAL_TEXT_MAX]; /**< the words' */
    size_t text_len;
};

/** Those who call, and whose the targets are. */
extern const struct trial_user trial_users[];
extern const size_t trial_n_users;

void trial_draw(struct trial *trial, uint64_t seed, unsigned number);
/** Prints it all, for a person who is to reproduce it. */
void trial_print(const struct trial *trial);
