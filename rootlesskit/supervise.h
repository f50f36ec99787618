/* Starts the command in the child and stays with it until the last process of the family is gone.
 */
#pragma once

struct rk_config;
struct statedir;

/**
 * @param link  the child's end of the pair; its end of file means that the parent is dead: then all
 *              processes are killed and the state directory is removed
 * @return the exit status for the child itself
 */
int supervise_run(const struct rk_config *config, struct statedir *state, int link);
