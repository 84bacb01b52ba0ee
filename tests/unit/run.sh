#!/bin/bash
# run.sh [NAME...]: builds the KUnit suites of tests/unit for the kernel debug and
# runs those of NAME_test.c, or all, in a host. TAP on standard output.

set -u
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
exec "$here/../../lab" run svm debug --name unit --modules none -- /tests/unit.sh "$@"
