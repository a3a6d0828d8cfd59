#!/usr/bin/env bash
# What the steps of `.ci/run` are made of: checks and tests whose outcomes add up.
# Sourced in the root of the clone; expects `log`, a file for what is printed.

passed=0
failed=0

step() {
    printf '\n== %s\n' "$*"
}

# Whether everything that can be tried must be: on the machine that decides, with the shared data beside the clone.
strict() {
    [[ ${CI:-} == 1 && -d ../shared ]]
}

fail() {
    printf 'FAILED: %s\n' "$*"
    failed=$((failed + 1))
}

# Says that something is not tried, and why; where everything must be, that is a failure.
skip() {
    if strict; then
        fail "not tried: $*"
    else
        printf 'SKIPPED: %s\n' "$*"
    fi
}

# Runs a check; its failure is counted, and does not end the run.
check() {
    step "$@"
    if ! "$@"; then
        fail "$*"
    fi
}

# Runs tests with their output shown and kept, and adds up lines that say "N passed" and "N failed". Tests of which none
# was run have failed, unless they say SKIPPED where not everything must be tried.
count() {
    step "$@"
    local status=0 before=$failed
    "$@" 2>&1 | tee "$log" || status=$?
    local good bad
    good="$(sum passed)"
    bad="$(sum failed)"
    passed=$((passed + good))
    failed=$((failed + bad))
    if [[ $status -ne 0 && $failed -eq $before ]]; then
        fail "$*"
    elif [[ $((good + bad)) -eq 0 ]] && { strict || ! grep -q '^SKIPPED: ' "$log"; }; then
        fail "$*: no test was run"
    fi
}

# Runs a script on what lies beside the clone, if it does.
count_with() {
    local needed="$1"
    shift
    if [[ -e $needed ]]; then
        count "$@"
    else
        skip "$*: there is no $needed"
    fi
}

sum() {
    { grep -E '^(test result: .*|[0-9]+ passed, [0-9]+ failed$)' "$log" || true; } |
        { grep -oE "[0-9]+ $1" || true; } | awk '{ total += $1 } END { print total + 0 }'
}
