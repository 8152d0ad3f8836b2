# shellcheck shell=bash
# The node of a development cluster (`hack/dev-cluster up --node`), for hack/dev-cluster: kube-scheduler, a kubelet and a
# containerd of its own, on which Pods really run.
#
# The node is a machine of its own as far as namespaces can make it: the process `node` is the init of a PID, network and mount
# namespace, and kubelet and containerd join them. So nothing of this machine is changed: no sysctl, no iptables rule, no mount;
# a containerd or Docker that is here already is not touched; and when `node` ends, all that ran on it is gone. Only the cgroups
# below the node's own, and one end of a virtual cable, are outside.
#
# The network: the cable joins this machine (10.83.x.y) and the node (10.83.x.y + 1). Pods sit on a bridge in the node and have
# 10.84.0.0/24. The API server listens on loopback only; `api-gate` forwards to it from this end of the cable, and a rule in the
# node turns the address that every Pod knows, that of the Service `kubernetes`, into that one. There is no kube-proxy and no
# DNS: no other Service is reached by its address. The API server reaches the kubelet (logs, exec, port-forward) by the cable.
#
# Needs: $dir, the settings, common.sh, pki.sh, processes.sh.

dir=${dir:-}
# shellcheck disable=SC2034 # for hack/dev-cluster
node_components=(kube-scheduler node api-gate containerd kubelet)
NODE_NAME=convoke-node
pause_image=docker.io/library/convoke-pause:1

# --- addresses and names --------------------------------------------------------------------------------------------

# The API server's port is unique on this machine, so what is made from it is too.
_node_number() { echo $((APISERVER_PORT - 20000)); }
_cable_address() { # 1 (this machine) or 2 (the node)
  local number
  number=$(_node_number)
  echo "10.83.$((number >> 6)).$((((number & 63) << 2) + $1))"
}
_cable_name() { echo "cvk$APISERVER_PORT"; }
_node_cgroup() { echo "/convoke-node-$APISERVER_PORT"; }
_node_socket() { echo "$dir/node/containerd.sock"; }

# in_node COMMAND...: runs it in the node's namespaces
in_node() { nsenter -t "$(pid_of node)" --mount --net --pid --wd="$dir" -- "$@"; }

# node_launcher COMPONENT: sets the array `launcher`, the command that starts COMPONENT in its namespaces
# shellcheck disable=SC2034 # for those who start it
node_launcher() {
  launcher=()
  case $1 in
  node) launcher=(unshare --fork --kill-child --pid --net --mount --mount-proc -- bash "$hack/control-plane/node-init" "$dir") ;;
  containerd | kubelet) launcher=(nsenter -t "$(pid_of node)" --mount --net --pid --wd="$dir" --) ;;
  esac
}

# --- arguments ------------------------------------------------------------------------------------------------------

# shellcheck disable=SC2034 # for those who start it
node_arguments_of() {
  case $1 in
  kube-scheduler)
    arguments=(
      --kubeconfig="$dir/pki/kube-scheduler.kubeconfig" --leader-elect=false
      --bind-address=127.0.0.1 --secure-port="$SCHEDULER_PORT"
      --tls-cert-file="$dir/pki/kube-apiserver.crt" --tls-private-key-file="$dir/pki/kube-apiserver.key"
    )
    ;;
  node) arguments=(-- sleep infinity) ;;
  api-gate)
    arguments=("TCP-LISTEN:443,bind=$(_cable_address 1),reuseaddr,fork,backlog=128" "TCP:127.0.0.1:$APISERVER_PORT")
    ;;
  containerd) arguments=(--config "$dir/node/containerd.toml") ;;
  kubelet)
    arguments=(
      --config="$dir/node/kubelet.yaml" --kubeconfig="$dir/pki/kubelet.kubeconfig" --root-dir="$dir/node/kubelet"
      --hostname-override="$NODE_NAME" --node-ip="$(_cable_address 2)"
    )
    ;;
  esac
}

# What the API server needs besides for a node.
node_apiserver_arguments() {
  printf '%s\n' --enable-admission-plugins=NodeRestriction \
    --kubelet-preferred-address-types=InternalIP --kubelet-certificate-authority="$dir/pki/ca.crt" \
    --kubelet-client-certificate="$dir/pki/admin.crt" --kubelet-client-key="$dir/pki/admin.key"
}

# The controllers that make Pods and look after them and their nodes.
node_controllers() {
  printf '%s\n' deployment-controller replicaset-controller statefulset-controller daemonset-controller disruption-controller \
    endpoints-controller endpointslice-controller node-lifecycle-controller taint-eviction-controller \
    pod-garbage-collector-controller
}

node_port_of() {
  case $1 in
  kube-scheduler) echo "$SCHEDULER_PORT" ;;
  api-gate) echo 443 ;;
  kubelet) echo 10250 ;;
  *) echo - ;;
  esac
}

node_is_healthy() {
  case $1 in
  kube-scheduler) _get --cacert "$dir/pki/ca.crt" "https://127.0.0.1:$SCHEDULER_PORT/healthz" >/dev/null ;;
  node) in_node ip -brief link show dev eth0 >/dev/null 2>&1 ;;
  api-gate) _get --cacert "$dir/pki/ca.crt" --resolve "kubernetes:443:$(_cable_address 1)" https://kubernetes/readyz >/dev/null ;;
  containerd) node_ctr version >/dev/null 2>&1 ;;
  kubelet) # that the node is Ready is remembered for a while
    in_node curl -q -sf --max-time 5 http://127.0.0.1:10248/healthz >/dev/null 2>&1 &&
      [[ $("$dir/bin/kubectl" --kubeconfig="$dir/kubeconfig" get node "$NODE_NAME" \
        -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null) == True ]]
    ;;
  esac
}

# --- files ----------------------------------------------------------------------------------------------------------

_containerd_config() {
  cat <<CONFIG
version = 2
root = "$dir/node/containerd"
state = "/run/convoke-containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.devmapper"]

[grpc]
address = "$(_node_socket)"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "$pause_image"
# Where the capability to lower it is missing, containers keep containerd's own.
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "$dir/node/cni"
CONFIG
}

_cni_config() {
  cat <<CONFIG
{
  "cniVersion": "1.0.0",
  "name": "convoke",
  "plugins": [
    {
      "type": "bridge", "bridge": "pods", "isGateway": true, "hairpinMode": true,
      "ipam": {
        "type": "host-local", "dataDir": "/run/convoke-cni", "ranges": [[{"subnet": "10.84.0.0/24"}]],
        "routes": [{"dst": "0.0.0.0/0"}]
      }
    }
  ]
}
CONFIG
}

# Images come by `load` only, so none is thrown away; nor is a Pod, however full the disk of this machine is.
# KubeletInUserNamespace: what a container on this machine may not set (OOM scores, sysctls) is not asked for.
_kubelet_config() {
  cat <<CONFIG
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
featureGates: {KubeletInUserNamespace: true}
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $dir/pki/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: $dir/pki/kubelet-server.crt
tlsPrivateKeyFile: $dir/pki/kubelet-server.key
containerRuntimeEndpoint: unix://$(_node_socket)
cgroupDriver: cgroupfs
cgroupRoot: $(_node_cgroup)
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
makeIPTablesUtilChains: false
resolvConf: $dir/node/resolv.conf
volumePluginDir: $dir/node/volume-plugins
podLogsDir: $dir/node/pod-logs
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {memory.available: 50Mi, nodefs.available: 0%, nodefs.inodesFree: 0%, imagefs.available: 0%}
maxPods: 50
CONFIG
}

# make_node_files: configuration and credentials of what runs on the node
make_node_files() {
  local pki=$dir/pki name
  mkdir -p -- "$dir"/node/{cni,containerd,kubelet,pod-logs,var-log,volume-plugins}
  _containerd_config >"$dir/node/containerd.toml"
  _cni_config >"$dir/node/cni/10-convoke.conflist"
  _kubelet_config >"$dir/node/kubelet.yaml"
  echo 'options timeout:1' >"$dir/node/resolv.conf"
  if [[ ! -e $pki/node-complete ]]; then
    signed_certificate client "$pki/kube-scheduler" "/CN=system:kube-scheduler"
    signed_certificate client "$pki/kubelet" "/O=system:nodes/CN=system:node:$NODE_NAME"
    touch -- "$pki/node-complete"
  fi
  sed "/^IP\./d; s/^DNS\.1 = .*/DNS.1 = $NODE_NAME\nIP.1 = $(_cable_address 2)/; /^DNS\.[2-9]/d" "$pki/openssl.cnf" >"$pki/node.cnf"
  openssl_config=$pki/node.cnf signed_certificate server "$pki/kubelet-server" "/O=system:nodes/CN=system:node:$NODE_NAME"
  for name in kube-scheduler kubelet; do write_kubeconfig "$pki/$name.kubeconfig" "$name" "$pki/$name"; done
  sed -i "s|https://127.0.0.1:$APISERVER_PORT|https://$(cluster_ip)|" "$pki/kubelet.kubeconfig"
}

# cluster_ip: that of the Service `kubernetes`, the first of the range
cluster_ip() { echo 10.0.0.1; }

# --- start and end --------------------------------------------------------------------------------------------------

need_node_tools() {
  ((EUID == 0)) || die "a node needs root: it makes namespaces, cgroups and mounts"
  # Another package than Debian's may have brought the first two, which would not go together.
  need_tool ctr containerd
  need_tool runc
  need_tool sysctl procps
  need_apt containernetworking-plugins iptables iproute2 tini socat util-linux gcc libc6-dev
}

link_node_programs() {
  local built
  built=$("$hack/control-plane/build" kube-scheduler kubelet)
  link_program kube-scheduler "$built"
  link_program kubelet "$built"
  _link_system_program containerd containerd
  _link_system_program tini node
  _link_system_program socat api-gate
}

# _link_system_program PROGRAM NAME. DIR/bin itself may be in PATH.
_link_system_program() {
  local program
  program=$(PATH=:$PATH: && PATH=${PATH//":$dir/bin:"/:} && type -P "$1") || die "there is no $1"
  ln -sfn -- "$program" "$dir/bin/$2"
}

# plug_in_cable: between this machine and the node, with the rule that makes the API server reachable in it
plug_in_cable() {
  local cable here there chain
  cable=$(_cable_name) here=$(_cable_address 1) there=$(_cable_address 2)
  if in_node ip link show dev eth0 >/dev/null 2>&1; then return 0; fi
  ip link add "$cable" type veth peer name eth0 netns "$(pid_of node)"
  ip address add "$here/30" dev "$cable"
  ip link set "$cable" up
  in_node ip link set lo up
  in_node ip address add "$there/30" dev eth0
  in_node ip link set eth0 up
  in_node ip route add default via "$here"
  in_node sysctl -q net.ipv4.ip_forward=1
  for chain in PREROUTING OUTPUT; do
    in_node iptables -t nat -A "$chain" -d "$(cluster_ip)" -p tcp --dport 443 -j DNAT --to-destination "$here:443"
  done
  # Pods are unknown on this machine: they leave the node under its address.
  in_node iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE
}

# _cgroup_hierarchies: one (cgroup v2), or one for each controller (v1)
_cgroup_hierarchies() {
  local path
  if [[ -e /sys/fs/cgroup/cgroup.controllers ]]; then
    echo /sys/fs/cgroup
  else
    for path in /sys/fs/cgroup/*/cgroup.procs; do echo "${path%/*}"; done
  fi
}

make_node_cgroup() {
  local hierarchy
  while IFS= read -r hierarchy; do mkdir -p -- "$hierarchy$(_node_cgroup)"; done < <(_cgroup_hierarchies)
}

_remove_node_cgroup() {
  local hierarchy path left=0
  while IFS= read -r hierarchy; do
    path=$hierarchy$(_node_cgroup)
    if [[ -d $path ]]; then find "$path" -depth -type d -exec rmdir {} \; 2>/dev/null || true; fi
    if [[ -d $path ]]; then left=1; fi
  done < <(_cgroup_hierarchies)
  return "$left"
}

# remove_node_traces: what the node has outside of its namespaces; the kernel ends its last processes in its own time
remove_node_traces() {
  ip link delete "$(_cable_name)" 2>/dev/null || true
  wait_until 20 _remove_node_cgroup || warn "cgroups of the node are left over: below /sys/fs/cgroup, named $(_node_cgroup)"
}

# node_ctr ARGUMENT...: containerd's own client, as Kubernetes' images are kept
node_ctr() { ctr --address "$(_node_socket)" --namespace k8s.io "$@"; }

# has_node_image IMAGE
has_node_image() { [[ -n $(node_ctr images list -q "name==$1") ]]; }

# make_pause_image FILE: an archive, as `docker save` makes them, with a program that holds the namespaces of a Pod: it waits, and
# ends when it is told to
make_pause_image() {
  local work layer config
  work=$(mktemp -d)
  cat >"$work/pause.c" <<'PROGRAM'
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void end(int signal) { (void)signal; _exit(0); }
static void reap(int signal) { (void)signal; while (waitpid(-1, NULL, WNOHANG) > 0) {} }

int main(void) {
  signal(SIGTERM, end);
  signal(SIGINT, end);
  signal(SIGCHLD, reap);
  for (;;) pause();
}
PROGRAM
  gcc -static -Os -s -o "$work/pause" "$work/pause.c"
  tar -C "$work" --owner=0 --group=0 --mode=755 -cf "$work/layer.tar" pause
  layer=$(sha256sum <"$work/layer.tar" | cut -d' ' -f1)
  config="{\"architecture\": \"$(dpkg --print-architecture)\", \"os\": \"linux\", \"config\": {\"Entrypoint\": [\"/pause\"]},
    \"rootfs\": {\"type\": \"layers\", \"diff_ids\": [\"sha256:$layer\"]}}"
  printf '%s' "$config" >"$work/config.json"
  printf '[{"Config": "config.json", "RepoTags": ["%s"], "Layers": ["layer.tar"]}]' "$pause_image" >"$work/manifest.json"
  tar -C "$work" -cf "$1" manifest.json config.json layer.tar
  rm -rf -- "$work"
}

load_pause_image() {
  if has_node_image "$pause_image"; then return 0; fi
  make_pause_image "$dir/node/pause.tar"
  node_ctr images import "$dir/node/pause.tar" >/dev/null
}

# load_image IMAGE: from a file that `docker save` wrote, or from the Docker engine of this machine
load_image() {
  if [[ -f $1 ]]; then
    node_ctr images import "$1"
  else
    docker image inspect "$1" >/dev/null 2>&1 || die "neither a file nor an image of the Docker engine here: $1"
    docker save "$1" | node_ctr images import -
  fi
}
