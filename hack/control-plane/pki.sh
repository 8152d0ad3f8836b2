# shellcheck shell=bash
# The certificates and kubeconfigs of a development cluster, for hack/dev-cluster. All are made by a CA of the cluster's own
# and live in its folder ($dir); whoever can read that folder is the cluster's administrator.
#
# Needs: $dir, APISERVER_PORT, common.sh.

dir=${dir:-}

_openssl_config() {
  cat <<'CONFIG'
[req]
distinguished_name = name
string_mask = utf8only
[name]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, digitalSignature, keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = @server_names
[server_names]
IP.1 = 127.0.0.1
IP.2 = ::1
IP.3 = 10.0.0.1
DNS.1 = localhost
DNS.2 = kubernetes
DNS.3 = kubernetes.default
DNS.4 = kubernetes.default.svc
DNS.5 = kubernetes.default.svc.cluster.local
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
CONFIG
}

# _new_certificate KIND NAME SUBJECT [OPENSSL_ARG...]: NAME.key and NAME.crt of that kind (ca, server, client). NAME is a
# path without its ending.
_new_certificate() {
  local kind=$1 name=$2 subject=$3 output
  shift 3
  if ! output=$(openssl req -x509 -utf8 -config "${openssl_config:-$dir/pki/openssl.cnf}" -extensions "$kind" -days 3650 \
    -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -subj "$subject" "$@" \
    -keyout "$name.key" -out "$name.crt" 2>&1); then
    error "openssl made no certificate for $subject: $output"
    return 1
  fi
}

# signed_certificate KIND NAME SUBJECT: as above, signed by the cluster's CA
signed_certificate() { _new_certificate "$@" -CA "$dir/pki/ca.crt" -CAkey "$dir/pki/ca.key"; }

# subject_part NAME: NAME, safe inside an openssl subject
subject_part() {
  local text=${1//\\/\\\\}
  text=${text//\//\\/}
  printf '%s' "${text//+/\\+}"
}

# make_pki: every key and certificate of a cluster, unless they are there
make_pki() {
  local pki=$dir/pki
  if [[ -e $pki/complete ]]; then return 0; fi
  rm -rf -- "$pki"
  mkdir -p -- "$pki"
  _openssl_config >"$pki/openssl.cnf"
  _new_certificate ca "$pki/ca" "/CN=convoke-dev-ca"
  signed_certificate server "$pki/kube-apiserver" "/CN=kube-apiserver"
  signed_certificate client "$pki/admin" "/O=system:masters/CN=convoke-dev-admin"
  signed_certificate client "$pki/kube-controller-manager" "/CN=system:kube-controller-manager"
  openssl ecparam -genkey -name prime256v1 -noout -out "$pki/service-account.key"
  openssl ec -in "$pki/service-account.key" -pubout -out "$pki/service-account.pub" 2>/dev/null
  touch "$pki/complete"
}

_inline() { base64 -w0 <"$1"; }

# write_kubeconfig FILE USER CERTIFICATE_NAME: a kubeconfig that stands alone
write_kubeconfig() {
  cat >"$1.new" <<KUBECONFIG
apiVersion: v1
kind: Config
current-context: convoke-dev
clusters:
  - name: convoke-dev
    cluster:
      server: https://127.0.0.1:$APISERVER_PORT
      certificate-authority-data: $(_inline "$dir/pki/ca.crt")
contexts:
  - name: convoke-dev
    context: {cluster: convoke-dev, user: "$2"}
users:
  - name: "$2"
    user:
      client-certificate-data: $(_inline "$3.crt")
      client-key-data: $(_inline "$3.key")
KUBECONFIG
  mv -f -- "$1.new" "$1"
}

# write_cluster_kubeconfigs: those of the administrator and of the controller manager
write_cluster_kubeconfigs() {
  write_kubeconfig "$dir/kubeconfig" admin "$dir/pki/admin"
  write_kubeconfig "$dir/pki/kube-controller-manager.kubeconfig" kube-controller-manager "$dir/pki/kube-controller-manager"
}

# make_user NAME GROUP...: DIR/users/NAME.kubeconfig with a client certificate for NAME in those groups, unless it is there
make_user() {
  local name=$1 users=$dir/users subject='' identity group
  shift
  mkdir -p -- "$users"
  for group in "$@"; do subject+="/O=$(subject_part "$group")"; done
  subject+="/CN=$(subject_part "$name")"
  identity="$subject on port $APISERVER_PORT"
  if [[ -e $users/$name.kubeconfig && $(cat "$users/$name.identity" 2>/dev/null) == "$identity" ]]; then return 0; fi
  signed_certificate client "$users/$name" "$subject" || return 1
  write_kubeconfig "$users/$name.kubeconfig" "$name" "$users/$name"
  printf '%s\n' "$identity" >"$users/$name.identity"
}
