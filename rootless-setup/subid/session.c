#include "rootless-setup/subid/session.h"

#include <errno.h>

#include "lib/base/err.h"
#include "lib/cli/cli.h"
#include "lib/cli/options.h"
#include "lib/subid/nsswitch.h"
#include "rootless-setup/words.h"

int subid_session_words(const struct cli_program *program, int argc, char **argv, void *config,
                        size_t *ret_n)
{
    struct err err = {0};
    int r = words_parse(program, argc, argv, config, ret_n, &err);
    if (r == CLI_PARSED_EXIT)
        return CLI_OK;
    return r < 0 ? cli_fail(&err, CLI_USAGE) : -1;
}

int subid_session_no_words(const struct cli_program *program, int argc, char **argv, void *config)
{
    size_t n = 0;
    int status = subid_session_words(program, argc, argv, config, &n);
    if (status >= 0 || n == 0)
        return status;
    cli_error("no word is taken beside the options (%s --help)", program->name);
    return CLI_USAGE;
}

int subid_session_open(struct subid_session *session, const struct subid_options *options,
                       struct err *err)
{
    *session = (struct subid_session){.options = options, .place.etc_fd = -EBADF};
    int r = subid_place_open(&session->place, options->root, err);
    return r < 0 ? r : subid_accounts_read(&session->accounts, &session->place, err);
}

int subid_session_read(struct subid_session *session, struct err *err)
{
    return subid_begin(&session->transaction, &session->place, false, 0, err);
}

int subid_session_write(struct subid_session *session, struct err *err)
{
    const struct subid_place *place = &session->place;
    char source[SUBID_SOURCE_MAX];
    int r = subid_source_read(place->etc_fd, source, err);
    if (r < 0)
        return place->live ? r : err_wrap(err, r, "in %s", place->root);
    if (source[0])
        return err_set(
            err, EOPNOTSUPP,
            "the ranges %s%s come from \"%s\" (the subid: line of %s/etc/nsswitch.conf), "
            "%s/etc/subuid and subgid are not read: give and take ranges there",
            place->live ? "of this host" : "below ", place->root, source, place->root, place->root);
    return subid_begin(&session->transaction, place, !session->options->dry_run,
                       session->options->wait_s * 1000, err);
}

int subid_session_commit(struct subid_session *session, struct err *err)
{
    return session->options->dry_run ? 0 : subid_commit(&session->transaction, err);
}

void subid_session_close(struct subid_session *session)
{
    subid_warn(&session->transaction);
    subid_end(&session->transaction);
    subid_accounts_free(&session->accounts);
    subid_place_close(&session->place);
}
