#include "rootless-setup/subject_option.h"

int subject_context(const char *user, struct check_context *ret, struct err *err)
{
    *ret = (struct check_context){.engine = ENGINE_ANY};
    facts_read(&ret->facts);
    distro_read(&ret->files, &ret->distro);
    return subject_find(subject_default(user), &ret->subject, err);
}
