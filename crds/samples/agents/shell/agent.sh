#!/usr/bin/env bash
# A whole Convoke agent with kubectl and jq: it counts down, one Task at a time.
#
# Put your own work into `work`, and its name into capability. Usage: agent.sh NAME [NAMESPACE], one process of each NAME.
# It does what $KUBECONFIG, or in a Pod the ServiceAccount, lets it do.
set -euo pipefail

name=$1 namespace=${2:-default} capability=countdown
scratch=$(mktemp -d)
mkfifo "$scratch/events"
trap 'kill $(jobs -p); rm -rf "$scratch"' EXIT

# work PARAMETERS: prints lines "PERCENT MESSAGE" as it goes on, and last the outputs, a JSON object of at most 64 KiB on one
# line. If it fails, what it wrote to standard error is the Task's error; it is tried again unless its status is 1.
work() {
  local from i
  from=$(jq -e '.from | numbers' <<<"$1") || { echo 'parameters.from must be a number' >&2; return 1; }
  for ((i = from; i > 0; i--)); do
    echo "$((100 * (from - i) / from)) $i seconds to go"
    sleep 1
  done
  jq -nc --argjson from "$from" '{countedFrom: $from}'
}

# report TASK ASSIGNMENT REPORT: fails if the Task is not ours any more. The API server itself compares the assignment.
report() {
  local patch complaint
  patch=$(jq -nc --arg id "$2" --argjson report "$3" '[{op: "test", path: "/status/assignment/id", value: $id},
    {op: "add", path: "/status/report", value: ($report + {assignmentID: $id})}]')
  until complaint=$(kubectl -n "$namespace" --request-timeout=10s patch ctk "$1" --subresource=status --type=json -p "$patch" 2>&1); do
    case $complaint in *'(Forbidden)'* | *'(NotFound)'* | *' is invalid'*) echo "gave up $1: $complaint" >&2; return 1 ;; esac
    sleep 1 # the API server is away, or busy
  done
}

# carry_out TASK ASSIGNMENT PARAMETERS
carry_out() {
  local line outputs='{}' status=0
  report "$1" "$2" '{"state": "Running"}' || return 0
  while IFS= read -r line; do
    if [[ $line == '{'* ]]; then
      outputs=$line
    elif ! report "$1" "$2" "$(progress "$line")"; then
      kill $!
      return 0
    fi
  done < <(work "$3" 2>"$scratch/errors")
  wait $! || status=$?
  if ((status == 0)); then
    report "$1" "$2" "$(jq -c '{state: "Succeeded", progress: 100, outputs: .}' <<<"$outputs")" || true
  else
    report "$1" "$2" "$(failure "ExitCode$status" "$(<"$scratch/errors")" $((status != 1)))" || true
  fi
}

progress() {
  jq -Rc 'split(" ") | {state: "Running", progress: (.[0] | tonumber), message: (.[1:] | join(" "))}' <<<"$1"
}

failure() { # CODE TEXT RETRYABLE
  jq -nc --arg code "$1" --arg text "$2" --argjson retryable "$3" \
    '{state: "Failed", error: {code: $code, message: $text[:1000], retryable: ($retryable == 1)}}'
}

# The heartbeat. Without it for spec.heartbeat.timeout (90s), the Tasks are given to others.
keep_alive() {
  while kill -0 $$; do
    jq -nc --arg name "$name" '{apiVersion: "coordination.k8s.io/v1", kind: "Lease",
      metadata: {name: "convoke-agent-\($name)", labels: {"convoke.dev/agent": $name}},
      spec: {holderIdentity: $name, renewTime: (now | strftime("%Y-%m-%dT%H:%M:%S.000000Z"))}}' |
      kubectl -n "$namespace" --request-timeout=10s apply --server-side --force-conflicts --field-manager="$name" -f - \
        >/dev/null || true
    sleep 10
  done
}

# Every change of a Task that is assigned to us, first of all those that are there; the API server ends it after a while.
watch_tasks() {
  exec kubectl -n "$namespace" get ctk --watch --output-watch-events -o json --field-selector "status.agentName=$name"
}

# Four lines for each event on stdin that is about a Task to work on.
task_lines() {
  exec jq -r --unbuffered 'select(.type != "DELETED") | .object | select(.status.phase | IN("Assigned", "Running")) |
    .metadata.name, .status.assignment.id, (.status.report.state // "none"), (.spec.parameters // {} | tojson)'
}

take_tasks() {
  local task assignment state parameters
  local -A seen
  while read -r task && read -r assignment && read -r state && IFS= read -r parameters; do
    if [[ -n ${seen[$assignment]:-} ]]; then continue; fi
    seen[$assignment]=yes
    case $state in
      none) carry_out "$task" "$assignment" "$parameters" ;;
      Running) report "$task" "$assignment" "$(failure Restarted 'the agent was restarted in the middle' 1)" || true ;;
    esac
  done
}

jq -nc --arg name "$name" --arg capability "$capability" '{apiVersion: "convoke.dev/v1alpha1", kind: "Agent",
  metadata: {name: $name}, spec: {type: "shell", capabilities: [$capability], capacity: 1}}' |
  kubectl -n "$namespace" create -f - || true # it is there already, as after a restart, or because people manage it
keep_alive &
while :; do
  watch_tasks >"$scratch/events" &
  take_tasks < <(task_lines <"$scratch/events")
  sleep 1
done
