#!/bin/bash
# The module under AddressSanitizer and UBSan, loaded by programs that know nothing of them; with
# words in its configuration line that nobody would write.
# shellcheck disable=SC2119 # no option is a service, too
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

command -v gcc >/dev/null || skip_all "no gcc"
asan=$(gcc -print-file-name=libasan.so)
ubsan=$(gcc -print-file-name=libubsan.so)
if [ ! -e "$asan" ] || [ ! -e "$ubsan" ]; then skip_all "gcc has no sanitizers here"; fi

module=$work/pam_rootless.so
cd "$SOURCE_ROOT"
ok "the module is built with them" gcc -g -O1 -fPIC -shared -fsanitize=address,undefined -fno-omit-frame-pointer \
    -D_GNU_SOURCE -I. -DROOTLESS_BINDIR='"/nowhere"' -fvisibility=hidden -o "$module" \
    pam/*.c lib/base/{birth,clock,cursor,cursor_word,err,fd,fdflag,file,keyring,parse,proc,str,text}.c \
    lib/subid/{accounts,change,content,db,edits,holder,line,lock,logindefs,mark,nsswitch,place,provision,record,recover,render,replay,space,stage,subid,transact}.c \
    -Wl,--version-script=pam/pam_rootless.map -lpam
cd /

sanitized() {
    run env LD_PRELOAD="$asan $ubsan" \
        ASAN_OPTIONS="log_path=$work/report:detect_leaks=1:detect_stack_use_after_return=1" \
        UBSAN_OPTIONS="log_path=$work/report:print_stacktrace=1:halt_on_error=1" "$@"
}
silent() { # NAME
    is "$1: nothing is reported" "$(cat "$work"/report.* 2>/dev/null | head -n 40)" ""
    rm -f "$work"/report.*
}

service debug engine=docker
make_user alice none
sanitized "$host_program" rltest "$user" open env fork-close
is "a first session" "$rc" 0
like "with its variables" "$out" "XDG_RUNTIME_DIR=/run/user/$uid"
silent "a first session"
ok "and its ranges" grep -q "^$user:" /etc/subuid
sanitized "$host_program" rltest "$user" open \
    sh="cd /run/user/$uid && mkdir -p a/b/c/d && touch a/b/f && ln -s / a/l" open close close exit
silent "a full directory"
clean "which is removed"
sanitized "$host_program" rltest "$user" thread ignore open close
silent "threads"
sanitized pamtester rltest "$user" open_session close_session
is "pamtester" "$rc" 0
silent "pamtester"
echo garbage >"/run/rootless-toolkit/pam/$uid"
sanitized "$host_program" rltest "$user" open exit
sanitized "$host_program" rltest "$user" close
silent "a damaged state, a session after a crash"
sanitized "$host_program" rltest no-such-user open close
sanitized "$host_program" rltest root open close
silent "users who are not served"

# ---- words ----

# Sixty lines of up to eight words out of pieces of real options, numbers at their bounds, noise.
random_words() {
    python3 - "$1" <<'END'
import random, sys
random.seed(int(sys.argv[1]))
names = ["debug", "quiet", "required_ready", "linger", "no_subid", "no_runtime_dir", "no_cgroup",
         "no_environment", "min_uid", "max_uid", "wait", "skip_services", "engine", "", "x" * 5000]
values = ["", "0", "1", "-1", "60", "61", "999", "4294967294", "4294967295", "4294967296", "9" * 40,
          "docker", "rltest", "a,b,,c", "," * 3000, "%s%n%s", "=", "é", "a\\b", "$HOME", "0x10"]
print(" ".join(random.choice(names) + random.choice(["", "=", "=="]) + random.choice(values)
               for _ in range(random.randint(0, 8))))
END
}
refused=0
for seed in $(seq 60); do
    # Words cannot be longer than libpam's line; the rest is cut there.
    service "$(random_words "$seed" | cut -c 1-900)"
    sanitized "$host_program" rltest "$user" open close
    [ "$rc" -eq 0 ] || fail "words of seed $seed" "$(tail -n 1 /etc/pam.d/rltest)"
    [ -z "$out" ] || refused=$((refused + 1))
done
silent "odd words in the configuration"
note "$refused of 60 refused the session, by required_ready"
done_testing
