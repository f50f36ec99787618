#!/bin/bash
# As breakages.sh, for what a login brings: the runtime directory, the bus, lingering, left-over state.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source-path=SCRIPTDIR source=breakage.sh
. "$(dirname "$0")/breakage.sh"
command -v sudo >/dev/null || skip_all "no sudo"

# shellcheck disable=SC2016,SC2034 # evaluated on the broken machine; read there
table() {
    breakage "XDG_RUNTIME_DIR unset" runtime-dir failed "is not set" "export XDG_RUNTIME_DIR=/run/user/47101" 'runtime='
    breakage "XDG_RUNTIME_DIR relative" runtime-dir failed "not an absolute path" "export XDG_RUNTIME_DIR" 'runtime=run'
    breakage "XDG_RUNTIME_DIR gone" runtime-dir failed "ENOENT" "export XDG_RUNTIME_DIR" 'runtime=$work/none'
    breakage "XDG_RUNTIME_DIR a file" runtime-dir failed "names a file" "export XDG_RUNTIME_DIR" 'runtime=/etc/passwd'
    breakage "XDG_RUNTIME_DIR kept by su" runtime-dir failed "kept by su or sudo from the session of uid 47102" "export XDG_RUNTIME_DIR" 'runtime=$work/run-bob'
    breakage "XDG_RUNTIME_DIR not writable" runtime-dir failed "mode 0500" "chmod 0700" 'chmod 500 "$runtime"'
    breakage "XDG_RUNTIME_DIR writable for all" runtime-dir failed "others may write there" "chmod 0700" 'chmod 777 "$runtime"'
    breakage "XDG_RUNTIME_DIR readable for all" runtime-dir warning "0700" "chmod 0700" 'chmod 755 "$runtime"'
    breakage "XDG_RUNTIME_DIR on a read-only mount" runtime-dir failed "full or read-only" "df " 'mount --bind "$runtime" "$runtime"; mount -o remount,bind,ro "$runtime"'
    machine=under_systemd breakage "a cleaner of old files" cleaner warning "removed after 10d" "echo 'x /" \
        'echo "q ${work%/*} 1777 root root 10d" >/etc/tmpfiles.d/rltest.conf'
    machine=under_systemd breakage "a cleaner that spares the directory alone" cleaner warning "rltest.conf, line 2" "rootless-47101.conf" \
        'printf "X %s\\nd %s - - - 1w\\n" "$runtime" "${work%/*}" >/etc/tmpfiles.d/rltest.conf'
    untried="no systemd runs here" machine=under_systemd breakage "no bus under systemd" bus warning "no D-Bus session" "loginctl enable-linger 47101" \
        'let_go; rm "$runtime/bus"'
    untried="no systemd runs here" machine=under_systemd breakage "a bus that is dead" bus warning "nobody answers" "systemctl --user restart dbus.socket" 'let_go'
    untried="no systemd runs here" machine=under_systemd breakage "a bus that refuses" bus warning "refuses this one" "" \
        'let_go; rm "$runtime/bus"; bus "REJECTED EXTERNAL\r\n"'
    untried="no systemd runs here" machine=under_systemd breakage "no linger" linger hint "end with the last login" "loginctl enable-linger 47101" \
        'rm /var/lib/systemd/linger/rltest-alice'
    breakage "state of a killed engine" state warning "nobody holds" "rm -r" 'install -d -o $alice "$runtime/containerd-rootless"'
}

table
breakages_done
