#!/bin/bash
# --subid-slice: two instances of one user share no id, with each other or with him.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
use_programs
make_kit_user slice none
usermod -aG games "$user"
sed -i '/^subid:/d' /etc/nsswitch.conf
printf "$user:%s\n" 300000000:65536 400000000:1400000 >/etc/subuid
echo "$user:500000000:1465536" >/etc/subgid
install -d -m 755 -o "$uid" -g "$gid" "$work/st" "$work/data"
a=$work/st/a b="$work/st/b c" # a path may hold blanks
book=$home/.local/share/rootlesskit/slices

# sliced STATE-DIR OPTION... -- COMMAND...
sliced() { as_user rootlesskit --subid-slice=auto --state-dir "$@"; }
refused() { # NAME ERE OPTION...
    run as_user rootlesskit "${@:3}"
    is "$1: status" "$rc" 1
    is "$1: one line" "$(printf '%s\n' "$err" | grep -c .)" 1
    like "$1: says what" "$err" "$2"
}
lines() { tr -s ' ' | sed 's/^ //'; }

# What is mapped, and remembered.
refused "no slice" '"1:0" is neither auto nor OFFSET:COUNT' --subid-slice=1:0 --state-dir="$a" true
refused "no state directory" "--subid-slice needs --state-dir" --subid-slice=auto true
refused "with pasta" "cannot be used with pasta" --subid-slice=auto --state-dir="$work/st/p" --net=pasta true
refused "a path with a newline" "newline" --subid-slice=auto --state-dir="$work/st/"$'x\ny' true
run sliced "$a" cat /proc/self/uid_map /proc/self/gid_map
is "auto: the first 65536 ids, and not the user's" "$(lines <<<"$out")" "0 300000000 65536
0 500000000 65536"
run as_user rootlesskit --subid-slice=65530:12 --state-dir="$b" true
like "overlap with another's: named" "$err" "65530:12: the slice 0:65536 belongs to the state directory $a "
run as_user rootlesskit --subid-slice=65536:65536 --state-dir="$b" cat /proc/self/uid_map
is "the numbers that are asked for" "$(lines <<<"$out")" "0 400000000 65536"
is "remembered: one line a directory" "$(cat "$book")" "0 65536 $a
65536 65536 $b"
is "remembered: for the user only" "$(stat -c %a "$book" "$(dirname "$book")" | xargs)" "600 700"
run sliced "$b" cat /proc/self/uid_map
is "auto: the remembered one" "$(lines <<<"$out")" "0 400000000 65536"
refused "other numbers for a known directory" "65536:65536 is remembered for $b; .*remove its line from $book" \
    --subid-slice=0:10 --state-dir="$b" true
refused "beyond the user's ids" "1465530:7 is not within your subordinate uids: /etc/subuid has 1465536" \
    --subid-slice=1465530:7 --state-dir="$work/st/far" true
run as_user env XDG_DATA_HOME="$home/other" rootlesskit --subid-slice=65530:12 --state-dir="$work/st/d" cat /proc/self/uid_map
is "a slice over the edge of two ranges" "$(lines <<<"$out")" "0 300065530 6
6 400000000 6"
is "remembered below XDG_DATA_HOME" "$(cat "$home/other/rootlesskit/slices")" "65530 12 $work/st/d"
sed -i 's/^65536 65536/65536 x/' "$book"
refused "a damaged line" "$book, line 2: " --subid-slice=auto --state-dir="$work/st/e" true
is "stays for its owner to mend" "$(cat "$book")" "0 65536 $a
65536 x $b"
sed -i 's/^65536 x/65536 65536/' "$book"
sed -i 's/:400000000:1400000/:400000000:65535/' /etc/subuid
refused "ids that are no more" "slice 65536:65536 is not within your subordinate uids: /etc/subuid has 131071" \
    --subid-slice=auto --state-dir="$b" true
refused "nothing free" "0 of your 131071 subordinate ids are in no slice" --subid-slice=auto --state-dir="$work/st/e" true
sed -i 's/:400000000:65535/:400000000:1400000/' /etc/subuid
chmod 777 "$(dirname "$book")"
refused "a book that others can replace" "must be yours, and nobody else may write there" \
    --subid-slice=auto --state-dir="$a" true
chmod 700 "$(dirname "$book")"
is "no slice was lost by all that" "$(cat "$book")" "0 65536 $a
65536 65536 $b"

# Twenty at once.
jobs=()
env_user+=(XDG_DATA_HOME="$home/many")
for i in $(seq 20); do
    sliced "$work/st/many$i" cut -c 11-22 /proc/self/uid_map >"$work/many$i" 2>&1 &
    jobs+=($!)
done
wait "${jobs[@]}" || true
is "twenty at once: all start, each with its own ids" "$(cat "$work"/many* | sort -nu | wc -l)" 20
is "twenty at once: all remembered, none overlaps" "$(sort -n "$home/many/rootlesskit/slices" |
    awk '$1 != (NR - 1) * 65536 || $2 != 65536 { print "odd:", $0 } END { print NR }')" 20
unset 'env_user[-1]'

# Files: as the manual has it, a directory is prepared by a plain instance.
as_user mkdir "$work/data/a" "$work/data/b"
ok "a directory for the first slice" as_user rootlesskit chown 1:1 "$work/data/a"
ok "a directory for the second" as_user rootlesskit chown "$((1 + 65536)):$((1 + 65536))" "$work/data/b"
is "they belong to the slices' roots" "$(stat -c %u:%g "$work/data/a" "$work/data/b" | xargs)" \
    "300000000:500000000 400000000:500065536"
# shellcheck disable=SC2016
ok "root of a slice writes into its own" sliced "$a" sh -c 'umask 077; echo secret >'"$work/data/a/file"
fails "root of the other cannot read it" sliced "$b" cat "$work/data/a/file"
fails "nor write beside it" sliced "$b" touch "$work/data/a/other"
fails "nor can the user" as_user cat "$work/data/a/file"
run sliced "$a" cat "$work/data/a/file"
is "the same slice can, after a restart" "$out" secret
as_user sh -c 'umask 077; echo mine >'"$home/mine"
fails "a slice cannot read the user's own files" sliced "$a" cat "$home/mine"
run sliced "$a" sh -c 'id -G; grep Groups: /proc/self/status'
is "nor has it his groups" "$(xargs <<<"$out")" "0 Groups:"
cat >"$work/key.py" <<'END'
import ctypes, os, platform, sys
libc = ctypes.CDLL(None)
add_key, keyctl = {"x86_64": (248, 250), "aarch64": (217, 219)}[platform.machine()]
session, join, search = -3, 1, 10
if len(sys.argv) == 1:
    sys.exit(libc.syscall(keyctl, search, session, b"user", b"rltest", 0) < 0)
if libc.syscall(keyctl, join, None) < 0 or libc.syscall(add_key, b"user", b"rltest", b"x", 1, session) < 0:
    sys.exit("no keyring here")
os.execvp(sys.argv[1], sys.argv[1:])
END
keyed() { as_user python3 "$work/key.py" "$@"; }
if keyed python3 "$work/key.py" 2>/dev/null; then
    fails "nor his session keyring" keyed rootlesskit --subid-slice=auto --state-dir="$a" python3 "$work/key.py"
else
    skip "nor his session keyring" "no keyrings here"
fi

# Processes, with a network each.
start() { # STATE-DIR OPTION...: in the background; kit and child
    start_as_user rootlesskit --subid-slice=auto --state-dir "$@" >"$work/kit.log" 2>&1
    kit=$pid
    wait_for 10 test -e "$1/api.sock" || note "$(cat "$work/kit.log")"
    child=$(cat "$1/child_pid")
}
host=$(free_port)
mkdir "$work/www"
echo hello >"$work/www/index.html"
(cd "$work/www" && exec busybox httpd -f -p "127.0.0.1:$host") &
web=$!
published=$(free_port)
# shellcheck disable=SC2016
start "$a" --net=gateway --copy-up=/etc --port-driver=builtin -p "127.0.0.1:$published:80/tcp" \
    sh -c 'cd "$1"; echo "$ROOTLESSKIT_PARENT_EUID" >parent; busybox httpd -f -p 80 -h "$1" & sleep 1000' sh "$work/data/a"
kit_a=$kit child_a=$child
start "$b" --net=gateway --port-driver=builtin sleep 1000
kit_b=$kit child_b=$child
start_as_user sleep 1000
own=$pid
is "both run as others than the user" \
    "$(awk '/^[UG]id:/ { print $2, $3, $4, $5 }' "/proc/$child_a/status" "/proc/$child_b/status" | tr '\n' ',')" \
    "300000000 300000000 300000000 300000000,500000000 500000000 500000000 500000000,400000000 400000000 400000000 400000000,500065536 500065536 500065536 500065536,"
for kind in uid gid; do
    is "their ${kind}s are disjoint, and none is the user's" "$(cat "/proc/$child_a/${kind}_map" "/proc/$child_b/${kind}_map" |
        awk -v own="$uid" '{ for (i in from) if ($2 < from[i] + n[i] && from[i] < $2 + $3) print "overlap"
            if (own >= $2 && own < $2 + $3) print "own"; from[NR] = $2; n[NR] = $3 } END { print NR }')" 2
done
inside() { # CHILD COMMAND...: as root of an instance, from within
    nsenter -t "$1" -U -m -n -S 0 -G 0 -- "${@:2}"
}
trace() { # PID: may the first slice's root?
    inside "$child_a" python3 -c 'import ctypes, sys
sys.exit(ctypes.CDLL(None).ptrace(0x4206, int(sys.argv[1]), None, None) != 0) # PTRACE_SEIZE' "$1"
}
ok "root of a slice may trace what is in it" trace "$child_a"
for victim in "the other's command:$child_b" "the user's process:$own" "his rootlesskit:$kit_a"; do
    run inside "$child_a" kill -KILL "${victim##*:}"
    isnt "a slice cannot end ${victim%:*}" "$rc" 0
    fails "nor trace ${victim%:*}" trace "${victim##*:}"
done
ok "they are all alive" kill -0 "$child_b" "$own" "$kit_a"
plane=$(pgrep -P "$kit_a" | grep -vx "$child_a" | while read -r p; do
    [ "$(readlink "/proc/$p/ns/user")" != "$(readlink "/proc/$child_a/ns/user")" ] || echo "$p"
done)
like "the network process runs as the user in the slice's namespace" "$plane" '^[0-9]+$'
run as_user nsenter -t "$child_a" -U -n --preserve-credentials ip -br addr show tap0
like "the user can enter his instances" "$out" "10.0.2.100/24"
fails "but the root of one cannot trace its network process" trace "$plane"

run curl -s --max-time 5 "http://127.0.0.1:$published/parent"
is "a published port, from the host" "$out" "$uid"
run inside "$child_a" curl -s --max-time 5 "http://10.0.2.2:$host/"
is "the host, through the gateway" "$out" hello
like "names of its own network" "$(inside "$child_a" cat /etc/resolv.conf)" "nameserver 10.0.2.3"
ok "the copied-up /etc is its root's" inside "$child_a" sh -c 'echo x >/etc/rltest && rm /etc/rltest'
api() { inside "$1" rootlessctl --socket "$2/api.sock" "${@:3}"; }
like "the API from inside: list" "$(api "$child_a" "$a" list-ports)" "127.0.0.1 +$published"
second=$(free_port)
ok "the API from inside: add a port" api "$child_a" "$a" add-ports "127.0.0.1:$second:80/tcp"
run curl -s --max-time 5 "http://127.0.0.1:$second/parent"
is "which then is served" "$out" "$uid"
ok "the API serves the user" as_user rootlessctl --socket "$a/api.sock" list-ports
fails "but not the other slice" api "$child_b" "$a" list-ports
make_user stranger none
fails "nor another user" as_user rootlessctl --socket "$a/api.sock" list-ports
use_user slice
env_user=("TMPDIR=$home/tmp")
is "the state directory can be passed through, not read" "$(stat -c %a "$a")" 711
fails "its lock is the user's" inside "$child_a" cat "$a/lock"

# Ends.
kill -TERM "$kit_b"
wait "$kit_b" || true
is "SIGTERM: the state directory is gone" "$(ls -d "$b" 2>&1)" "ls: cannot access '$b': No such file or directory"
kill -KILL "$kit_a"
wait "$kit_a" || true
gone() { ! pgrep -u 300000000 && ! kill -0 "$plane"; }
ok "SIGKILL of the parent ends all of the slice" wait_for 5 gone
run sliced "$a" cat /proc/self/uid_map
is "SIGKILL: the next start takes the directory over" "$rc $(lines <<<"$out")" "0 0 300000000 65536"
is "and removes it at its end" "$(ls -d "$a" 2>&1)" "ls: cannot access '$a': No such file or directory"
kill "$own" "$web"

# Where the way to the state directory is closed.
run as_user rootlesskit --net=gateway --disable-host-loopback --subid-slice=auto --state-dir="$runtime/kit" cat /etc/resolv.conf
is "behind a closed directory: works" "$rc" 0
like "behind a closed directory: the names too" "$out" "nameserver 10.0.2.3"
like "behind a closed directory: but warns of the API" "$err" "warning: --subid-slice: .*cannot reach the API in $runtime/kit"
run sliced "$runtime/kit" --net=gateway --disable-host-loopback --detach-netns cat /proc/self/uid_map
is "with --detach-netns" "$rc" 0
ok "with every namespace" sliced "$a" --net=gateway --disable-host-loopback --pidns --cgroupns --utsns --ipcns true
if command -v slirp4netns >/dev/null; then
    run sliced "$a" --net=slirp4netns --disable-host-loopback ip -br addr show tap0
    like "with slirp4netns" "$out" "10.0.2.100/24"
else
    skip "with slirp4netns" "it is not installed"
fi
is "nothing is left" "$(family)$(ls "$work/st" "$runtime")" "$work/run-slice:"$'\n\n'"$work/st:"
done_testing
