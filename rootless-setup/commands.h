/*
 * The subcommands of rootless-setup. Each lives in cmd_<name>.c with an option table of its own;
 * main.c finds it by name and lists it in --help.
 */
#pragma once

/** @param argv  argv[0] is the subcommand's name. @return exit status (lib/cli/cli.h) */
int cmd_check(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_fix(int argc, char **argv);
int cmd_install(int argc, char **argv);
int cmd_launch(int argc, char **argv);
int cmd_launch_inside(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_shell(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_subid(int argc, char **argv);
int cmd_undo(int argc, char **argv);
int cmd_uninstall(int argc, char **argv);
