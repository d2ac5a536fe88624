#!/usr/bin/env bash
# The full kill sweep: every system call of a run that changes something is met by
# SIGKILL or by an error. Needs strace, and permission to trace (in a container:
# --cap-add SYS_PTRACE).
#
#   tests/sweep.sh                every kill
#   tests/sweep.sh all            every kill and every error; an hour or so
#   tests/sweep.sh eio,enospc     these errors: eio, enospc, erofs, eintr, each also
#                                 with -sticky behind it
#   tests/sweep.sh all/11         every eleventh call only
set -euo pipefail
cd "$(dirname "$0")/.."
command -v strace >/dev/null || { echo "strace is not installed (apt-get install strace)" >&2; exit 1; }
LINQSYNC_SWEEP=${1:-kill} exec cargo test --locked --test suite kill_sweep -- --nocapture
