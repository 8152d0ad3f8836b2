# shellcheck shell=bash
# The processes of a development cluster, for hack/dev-cluster: their ports, arguments, start, health and end.
#
# A process belongs to the cluster in $dir if its argv[0] is $dir/bin/<component>: that holds across restarts of the machine
# and the reuse of process ids, and finds a process even if its .pid file is lost.
#
# Needs: $dir (absolute, without symbolic links), the settings (see dev-cluster), common.sh.

dir=${dir:-}
components=(etcd kube-apiserver kube-controller-manager) # and those of a node: node.sh
start_timeout=120 # seconds; it takes three, but not on a machine that compiles at the same time

# The exit code that says: a port was taken by somebody else between the choice and the start.
code_port_taken=75

# --- ports ----------------------------------------------------------------------------------------------------------

# _listening PORT: does anybody listen there, on any address
_listening() {
  local hex
  printf -v hex ':%04X' "$1"
  awk -v port="$hex" '$4 == "0A" && substr($2, length($2) - 4) == port { found = 1 } END { exit !found }' \
    /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# choose_ports: sets the five ports to free ones. They are below the range from which the system takes the local ports of
# outgoing connections, or one of those could take the port of a component that is stopped for a while.
# shellcheck disable=SC2034 # for node.sh
choose_ports() {
  local low=20000 high=32767 chosen=() port
  while ((${#chosen[@]} < 5)); do
    port=$((low + (RANDOM * 32768 + RANDOM) % (high - low)))
    if [[ " ${chosen[*]} " != *" $port "* ]] && ! _listening "$port"; then chosen+=("$port"); fi
  done
  ETCD_PORT=${chosen[0]} ETCD_PEER_PORT=${chosen[1]}
  APISERVER_PORT=${chosen[2]} CONTROLLER_MANAGER_PORT=${chosen[3]} SCHEDULER_PORT=${chosen[4]}
}

port_of() {
  case $1 in
  etcd) echo "$ETCD_PORT" ;;
  kube-apiserver) echo "$APISERVER_PORT" ;;
  kube-controller-manager) echo "$CONTROLLER_MANAGER_PORT" ;;
  *) node_port_of "$1" ;;
  esac
}

# --- who is running -------------------------------------------------------------------------------------------------

# _is_process PID COMPONENT: is that process this component of this cluster
_is_process() {
  local argv0=''
  { IFS= read -r -d '' argv0 <"/proc/$1/cmdline"; } 2>/dev/null || return 1
  [[ $argv0 == "$dir/bin/$2" ]]
}

# pid_of COMPONENT: prints its process id, if it runs
pid_of() {
  local pid=''
  { read -r pid <"$dir/$1.pid"; } 2>/dev/null || return 1
  [[ -n $pid ]] && _is_process "$pid" "$1" && echo "$pid"
}

is_running() { pid_of "$1" >/dev/null; }

_nothing_runs() {
  local component
  for component in "$@"; do
    if is_running "$component"; then return 1; fi
  done
}

# adopt COMPONENT: writes the .pid file of a process of this cluster that lost it; false if there is none
adopt() {
  local process
  for process in /proc/[0-9]*; do
    if _is_process "${process#/proc/}" "$1"; then
      echo "${process#/proc/}" >"$dir/$1.pid"
      return 0
    fi
  done
  return 1
}

adopt_lost() {
  local component
  for component in "${components[@]}"; do
    if ! is_running "$component"; then adopt "$component" || true; fi
  done
}

# --- health ---------------------------------------------------------------------------------------------------------

_get() { curl -q -sf --noproxy '*' --max-time 5 "$@" 2>/dev/null; }

# apiserver_get PATH: as the administrator
apiserver_get() {
  _get --cacert "$dir/pki/ca.crt" --cert "$dir/pki/admin.crt" --key "$dir/pki/admin.key" \
    "https://127.0.0.1:$APISERVER_PORT$1"
}

is_healthy() {
  case $1 in
  etcd) _get "http://127.0.0.1:$ETCD_PORT/readyz" >/dev/null ;;
  kube-apiserver) apiserver_get /readyz >/dev/null ;;
  kube-controller-manager)
    _get --cacert "$dir/pki/ca.crt" "https://127.0.0.1:$CONTROLLER_MANAGER_PORT/healthz" >/dev/null
    ;;
  *) node_is_healthy "$1" ;;
  esac
}

# state_of COMPONENT: healthy, not ready, paused, dead (it ended by itself or was killed), stopped
state_of() {
  local pid state
  if ! pid=$(pid_of "$1"); then
    if [[ -e $dir/$1.pid ]]; then echo dead; else echo stopped; fi
    return
  fi
  state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$pid/status" 2>/dev/null)
  if [[ $state == T ]]; then
    echo paused
  elif is_healthy "$1"; then
    echo healthy
  else
    echo "not ready"
  fi
}

memory_mib_of() { awk '/^VmRSS:/ { printf "%d MiB", $2 / 1024 }' "/proc/$1/status" 2>/dev/null || true; }

# --- start ----------------------------------------------------------------------------------------------------------

# arguments_of COMPONENT: sets the array `arguments`
arguments_of() {
  case $1 in
  etcd) _etcd_arguments ;;
  kube-apiserver) _apiserver_arguments ;;
  kube-controller-manager) _controller_manager_arguments ;;
  *) node_arguments_of "$1" ;;
  esac
}

# Data that survives a power cut is not needed, so etcd does not wait for the disk. It compacts nothing by itself: the API
# server does, every five minutes.
_etcd_arguments() {
  local client=http://127.0.0.1:$ETCD_PORT peer=http://127.0.0.1:$ETCD_PEER_PORT
  arguments=(
    --name=dev --data-dir="$dir/etcd"
    --listen-client-urls="$client" --advertise-client-urls="$client"
    --listen-peer-urls="$peer" --initial-advertise-peer-urls="$peer" --initial-cluster="dev=$peer"
    --unsafe-no-fsync --quota-backend-bytes=$((4 << 30)) --watch-progress-notify-interval=5s
    --logger=zap --log-level=warn
  )
}

# --shutdown-send-retry-after: else an orderly end waits a minute for clients that watch; with it, two seconds.
_apiserver_arguments() {
  local pki=$dir/pki
  # shellcheck disable=SC2054 # a list of modes in one argument
  arguments=(
    --etcd-servers="http://127.0.0.1:$ETCD_PORT"
    --bind-address=127.0.0.1 --advertise-address=127.0.0.1 --secure-port="$APISERVER_PORT"
    --endpoint-reconciler-type=none --service-cluster-ip-range=10.0.0.0/24 --allow-privileged=true
    --tls-cert-file="$pki/kube-apiserver.crt" --tls-private-key-file="$pki/kube-apiserver.key"
    --client-ca-file="$pki/ca.crt" --cert-dir="$pki" --authorization-mode=Node,RBAC
    --shutdown-send-retry-after=true
    --service-account-issuer=https://kubernetes.default.svc.cluster.local
    --service-account-key-file="$pki/service-account.pub"
    --service-account-signing-key-file="$pki/service-account.key"
  )
  if [[ $AUDIT == on ]]; then
    arguments+=(
      --audit-policy-file="$dir/audit-policy.yaml" --audit-log-path="$dir/audit.log"
      --audit-log-maxsize=1000 --audit-log-maxbackup=2
    )
  fi
  if [[ $NODE == on ]]; then
    local more
    mapfile -t more < <(node_apiserver_arguments)
    arguments+=("${more[@]}")
  fi
  arguments+=("${APISERVER_ARGS[@]}")
}

# Only the controllers that Convoke needs: without a node nothing ever runs. Without
# --use-service-account-credentials RBAC denies the controllers what they do, and namespaces are never deleted.
_controller_manager_arguments() {
  local pki=$dir/pki controllers=(
    garbage-collector-controller namespace-controller job-controller ttl-after-finished-controller
    serviceaccount-controller serviceaccount-token-controller root-ca-certificate-publisher-controller
    clusterrole-aggregation-controller validatingadmissionpolicy-status-controller
  ) more
  if [[ $NODE == on ]]; then
    mapfile -t more < <(node_controllers)
    controllers+=("${more[@]}")
  fi
  arguments=(
    --kubeconfig="$pki/kube-controller-manager.kubeconfig"
    --bind-address=127.0.0.1 --secure-port="$CONTROLLER_MANAGER_PORT"
    --tls-cert-file="$pki/kube-apiserver.crt" --tls-private-key-file="$pki/kube-apiserver.key"
    --controllers="$(IFS=,; echo "${controllers[*]}")"
    --use-service-account-credentials=true --leader-elect=false
    --service-account-private-key-file="$pki/service-account.key" --root-ca-file="$pki/ca.crt"
    --kube-api-qps=100 --kube-api-burst=200
    "${CONTROLLER_MANAGER_ARGS[@]}"
  )
}

# _close_inherited: closes every file but the standard three, so that a process that stays holds no lock and no pipe of
# whoever called us
_close_inherited() {
  local fd
  for fd in "/proc/$BASHPID/fd"/*; do
    fd=${fd##*/}
    if ((fd > 2)); then eval "exec $fd>&-"; fi
  done
}

# spawn COMPONENT: starts it, detached from the terminal, with an environment of its own; does not wait for its health
spawn() {
  local component=$1 log=$dir/$1.log arguments=() launcher=() pid
  arguments_of "$component"
  node_launcher "$component"
  echo "--- $(date '+%F %T') start" >>"$log"
  stat -c %s -- "$log" >"$dir/$component.log-start"
  (
    cd -- "$dir" || exit
    _close_inherited
    if ((${#launcher[@]})); then umask 022; fi # containers must be able to read what is made for them
    exec env -i HOME="$HOME" PATH="$PATH" setsid "${launcher[@]}" "$dir/bin/$component" "${arguments[@]}" </dev/null >>"$log" 2>&1
  ) &
  pid=$!
  echo "$pid" >"$dir/$component.pid"
  POLL_SECONDS=0.005 wait_until 10 _has_begun "$pid" "$component" || true
}

# A launcher forks: then it is not the process itself that has this process id.
_has_begun() { _is_process "$1" "$2" || { ((${#launcher[@]})) && adopt "$2"; } || ! kill -0 "$1" 2>/dev/null; }

_log_since_start() { tail -c +"$(($(cat "$dir/$1.log-start" 2>/dev/null || echo 0) + 1))" -- "$dir/$1.log"; }

_healthy_or_ended() { ! is_running "$1" || is_healthy "$1"; }

# wait_healthy COMPONENT: until it answers; if it ends before that, shows why. Returns $code_port_taken if its port was taken.
wait_healthy() {
  if ! wait_until "$start_timeout" _healthy_or_ended "$1"; then
    error "$1 is not ready after $start_timeout seconds"
    show_log_tail "$dir/$1.log"
    return 1
  fi
  if is_running "$1"; then return 0; fi
  if _log_since_start "$1" | grep -q 'address already in use'; then
    warn "the port of $1, $(port_of "$1"), is in use by another program"
    return "$code_port_taken"
  fi
  error "$1 ended while it started"
  show_log_tail "$dir/$1.log"
  return 1
}

# --- end ------------------------------------------------------------------------------------------------------------

# signal_component SIGNAL COMPONENT: false if it does not run
signal_component() {
  local pid
  pid=$(pid_of "$2") && kill -s "$1" "$pid" 2>/dev/null
}

# stop_components SECONDS COMPONENT...: asks them all to end, and ends those by force that have not after SECONDS
stop_components() {
  local patience=$1 component
  shift
  for component in "$@"; do
    if signal_component TERM "$component"; then signal_component CONT "$component" || true; fi
  done
  if ! wait_until "$patience" _nothing_runs "$@"; then kill_components "$@"; fi
  for component in "$@"; do rm -f -- "$dir/$component.pid"; done
}

# kill_components COMPONENT...: by SIGKILL; the .pid files stay, as they do after a crash
kill_components() {
  local component
  for component in "$@"; do signal_component KILL "$component" || true; done
  wait_until 10 _nothing_runs "$@" || die "could not end: $*"
}
