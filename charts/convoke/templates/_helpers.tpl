{{/*
Names. All that is in a namespace is called after the full name; what is not, after that and the release's namespace, so that
two releases can live in one cluster.
*/}}
{{- define "convoke.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "convoke.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- $name := include "convoke.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "convoke.clusterName" -}}
{{- printf "%s-%s" (include "convoke.fullname" .) .Release.Namespace | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "convoke.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "convoke.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name is missing: with serviceAccount.create=false it names the ServiceAccount that is there" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/*
convoke.metadata: the metadata of every object. Takes a dict: root, name, component; and if need be namespace, labels,
annotations.
*/}}
{{- define "convoke.metadata" -}}
name: {{ .name }}
{{- with .namespace }}
namespace: {{ . }}
{{- end }}
labels:
  {{- $labels := dict "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") "app.kubernetes.io/version" .root.Chart.AppVersion "app.kubernetes.io/managed-by" .root.Release.Service "app.kubernetes.io/part-of" "convoke" }}
  {{- mustMergeOverwrite (dict) (default dict .labels) .root.Values.commonLabels $labels (include "convoke.selector" . | fromYaml) | toYaml | nindent 2 }}
{{- with mustMergeOverwrite (dict) .root.Values.commonAnnotations (default dict .annotations) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* convoke.selector: what tells the Pods of a component from all others. Takes a dict: root, component. */}}
{{- define "convoke.selector" -}}
app.kubernetes.io/name: {{ include "convoke.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* convoke.podLabels: takes a dict: root, component, labels. The version is not among them: it would roll every Pod. */}}
{{- define "convoke.podLabels" -}}
{{- mustMergeOverwrite (dict) (default dict .labels) .root.Values.commonLabels (include "convoke.selector" . | fromYaml) | toYaml }}
{{- end }}

{{/* convoke.image: takes a dict: root, image. */}}
{{- define "convoke.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ default .root.Chart.AppVersion .image.tag }}
{{- end }}
{{- end }}

{{/*
convoke.fileObject: one object of a file with several, which is the one place where it is written down. Takes a dict: root,
file, kind, name.
*/}}
{{- define "convoke.fileObject" -}}
{{- $found := dict }}
{{- range regexSplit "(?m)^---[ \t]*$" (.root.Files.Get .file) -1 }}
{{- $object := fromYaml . }}
{{- if and (eq (default "" $object.kind) $.kind) (eq (dig "metadata" "name" "" $object) $.name) }}
{{- $found = $object }}
{{- end }}
{{- end }}
{{- if not $found }}
{{- fail (printf "the chart is broken: %s has no %s %s" .file .kind .name) }}
{{- end }}
{{- toYaml $found }}
{{- end }}

{{/* convoke.config: the operator's configuration file. */}}
{{- define "convoke.config" -}}
{{- $standard := dict "serve" (dict "address" ":8080") "leaderElection" (dict "name" (include "convoke.fullname" .) "namespace" .Release.Namespace) }}
{{- $scope := dict }}
{{- with .Values.scope.namespaces }}
{{- $scope = dict "namespace" (join "," .) }}
{{- end }}
{{- $events := dict }}
{{- if .Values.cloudEvents.enabled }}
{{- $events = dict "cloudEvents" (include "convoke.eventsConfig" . | fromYaml) }}
{{- end }}
{{- mustMergeOverwrite (dict) $standard $events (deepCopy .Values.config) $scope | toYaml }}
{{- end }}

{{/* convoke.eventsConfig: what receiving CloudEvents adds to the configuration. */}}
{{- define "convoke.eventsConfig" -}}
address: ":8081"
{{- with .Values.cloudEvents.tokenSecret.name }}
tokenFile: /etc/convoke-events/tokens/{{ $.Values.cloudEvents.tokenSecret.key }}
{{- else }}
{{- if not (dig "cloudEvents" "allowAnonymous" false .Values.config) }}
{{- fail "cloudEvents.tokenSecret.name is missing: it names the Secret with the tokens that senders need; or set config.cloudEvents.allowAnonymous" }}
{{- end }}
{{- end }}
{{- if .Values.cloudEvents.tlsSecret }}
tlsCertFile: /etc/convoke-events/tls/tls.crt
tlsKeyFile: /etc/convoke-events/tls/tls.key
{{- end }}
{{- end }}

{{/* convoke.eventsPort: where the operator receives CloudEvents, from its configuration. */}}
{{- define "convoke.eventsPort" -}}
{{- regexFind "[0-9]+$" (include "convoke.config" . | fromYaml).cloudEvents.address }}
{{- end }}

{{/* convoke.port: where the operator serves, from its configuration. */}}
{{- define "convoke.port" -}}
{{- regexFind "[0-9]+$" (include "convoke.config" . | fromYaml).serve.address }}
{{- end }}

{{/* convoke.homeNamespace: where the runners are if they do not say, and the sample of `helm test`. */}}
{{- define "convoke.homeNamespace" -}}
{{- if .Values.scope.namespaces }}{{ first .Values.scope.namespaces }}{{ else }}{{ .Release.Namespace }}{{ end }}
{{- end }}

{{/*
convoke.restartConfig: the part of the configuration that the operator reads only when it starts. What is named here is
reloaded while it runs.
*/}}
{{- define "convoke.restartConfig" -}}
{{- $config := omit (include "convoke.config" . | fromYaml) "events" "task" "assignment" "fairness" "run" "workflow" "agent" }}
{{- mustMergeOverwrite (dict) $config (dict "log" (omit (default dict $config.log) "level")) | toYaml }}
{{- end }}

{{/* Of a runner; each takes a dict: root, runner. */}}
{{- define "convoke.runnerName" -}}
{{- printf "%s-runner-%s" (include "convoke.fullname" .root) .runner.name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "convoke.runnerNamespace" -}}
{{- include "convoke.homed" (dict "root" .root "of" "runners" "agent" .runner) }}
{{- end }}

{{/* The operator's image, if the runners have none of their own. */}}
{{- define "convoke.runnerImage" -}}
{{- $image := mustMergeOverwrite (dict) .root.Values.runnerImage (default dict .runner.image) }}
{{- if not $image.repository }}
{{- $image = mustMergeOverwrite (dict) .root.Values.image (dict "pullPolicy" $image.pullPolicy) }}
{{- end }}
{{- toYaml (dict "name" (include "convoke.image" (dict "root" .root "image" $image)) "pullPolicy" $image.pullPolicy) }}
{{- end }}

{{- define "convoke.runnerConfig" -}}
{{- $config := deepCopy (default dict .runner.config) }}
{{- $agent := dict "name" .runner.name "namespace" (include "convoke.runnerNamespace" .) }}
{{- mustMergeOverwrite (dict "workDirectory" "/work") $config (dict "agent" $agent) | toYaml }}
{{- end }}

{{/*
convoke.agentIdentity: a Role that makes its holder one agent, and the bindings. Takes a dict: root, name (of the objects),
namespace, agent, subjects, component, labels, annotations.
*/}}
{{- define "convoke.agentIdentity" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  {{- include "convoke.metadata" . | nindent 2 }}
rules:
  - apiGroups: [convoke.dev]
    resources: [agents]
    resourceNames: [{{ .agent }}]
    verbs: [report]
  {{- /*
  What any agent may do is written in files/agent-rbac.yaml. Here the agent is known, and so is its heartbeat: no other Lease,
  such as the operator's own, is within its reach.
  */}}
  {{- range (include "convoke.fileObject" (dict "root" .root "file" "files/agent-rbac.yaml" "kind" "ClusterRole" "name" "convoke-agent") | fromYaml).rules }}
  {{- if has "leases" .resources }}
  {{- $create := mustMergeOverwrite (deepCopy .) (dict "verbs" (list "create")) }}
  {{- $heartbeat := mustMergeOverwrite (deepCopy .) (dict "verbs" (without .verbs "create") "resourceNames" (list (printf "convoke-agent-%s" $.agent))) }}
  {{- toYaml (list $create $heartbeat) | nindent 2 }}
  {{- else }}
  {{- toYaml (list .) | nindent 2 }}
  {{- end }}
  {{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  {{- include "convoke.metadata" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ .name }}
subjects:
  {{- toYaml .subjects | nindent 2 }}
{{- end }}

{{/* convoke.homed: the namespace of an agent of the values, which the operator must see. Takes a dict: root, of, agent. */}}
{{- define "convoke.homed" -}}
{{- $namespace := default (include "convoke.homeNamespace" .root) .agent.namespace }}
{{- if and .root.Values.scope.namespaces (not (has $namespace .root.Values.scope.namespaces)) }}
{{- fail (printf "%s: the namespace %s of %s is none of scope.namespaces (%s), so the operator would not see it" .of $namespace .agent.name (join ", " .root.Values.scope.namespaces)) }}
{{- end }}
{{- $namespace }}
{{- end }}

{{/*
convoke.grace: seconds from SIGTERM to SIGKILL, which must leave room to drain. Takes a dict: grace, drain (a duration), and how
both are named: graceName, drainName.
*/}}
{{- define "convoke.grace" -}}
{{- $begin := toDate "2006-01-02" "2000-01-01" }}
{{- $drain := sub (int64 (mustDateModify .drain $begin | unixEpoch)) (int64 ($begin | unixEpoch)) }}
{{- if ge $drain (int64 .grace) }}
{{- fail (printf "%s (%s) must be shorter than %s (%d s), or Kubernetes kills the Pod in the middle: set %s to %d or more" .drainName .drain .graceName (int64 .grace) .graceName (add $drain 30)) }}
{{- end }}
{{- .grace }}
{{- end }}
