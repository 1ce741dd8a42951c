{{/* Names and labels, written once. */}}
{{- define "modelsync.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "modelsync.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "modelsync.webSelector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: web
{{- end -}}

{{- define "modelsync.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "modelsync.serviceAccount" -}}
{{- if .Values.serviceAccount.name -}}
{{- .Values.serviceAccount.name -}}
{{- else if .Values.serviceAccount.create -}}
{{- include "modelsync.fullname" . -}}
{{- else -}}
{{- fail "serviceAccount.name: name an existing ServiceAccount, or set serviceAccount.create to true" -}}
{{- end -}}
{{- end -}}

{{/* The name by which the API server knows the operator. */}}
{{- define "modelsync.operatorUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "modelsync.serviceAccount" . }}
{{- end -}}

{{/* For a policy: the namespaces that are watched. */}}
{{- define "modelsync.watchedSelector" -}}
{{- if .Values.watch.namespaces -}}
namespaceSelector:
  matchExpressions:
    - {key: kubernetes.io/metadata.name, operator: In, values: {{ toJson .Values.watch.namespaces }}}
{{- else -}}
namespaceSelector: {}
{{- end -}}
{{- end -}}

{{- define "modelsync.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "modelsync.workerImage" -}}
{{- .Values.config.worker.image | default (include "modelsync.image" .) -}}
{{- end -}}

{{/* The operator's document: the value `config`, where workers have the operator's image unless it names another. */}}
{{- define "modelsync.config" -}}
apiVersion: config.modelsync.dev/v1alpha1
kind: OperatorConfiguration
{{ $config := deepCopy .Values.config -}}
{{- $_ := set $config.worker "image" (include "modelsync.workerImage" .) -}}
{{- $_ := set $config.worker "imagePullPolicy" ($config.worker.imagePullPolicy | default .Values.image.pullPolicy) -}}
{{- if and (include "modelsync.keepsHistory" .) (not $config.history.reader) -}}
{{- $reader := printf "system:serviceaccount:%s:%s-web" .Release.Namespace (include "modelsync.fullname" .) -}}
{{- $_ := set $config.history "reader" $reader -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* Changes with what of the document the operator reads at its start only, and with nothing else. */}}
{{- define "modelsync.restartChecksum" -}}
{{- $config := fromYaml (include "modelsync.config" .) -}}
{{- $read := dict -}}
{{- range $path := fromYamlArray (.Files.Get "files/restart-settings.yaml") -}}
{{- $value := $config -}}
{{- range $name := splitList "." $path -}}
{{- $value = kindIs "map" $value | ternary (get ($value | default dict) $name) "" -}}
{{- end -}}
{{- $_ := set $read $path $value -}}
{{- end -}}
{{- toJson $read | sha256sum -}}
{{- end -}}

{{/* Whether the operator keeps speeds of the past for the page. */}}
{{- define "modelsync.keepsHistory" -}}
{{- if and .Values.web.enabled .Values.web.history }}true{{ end -}}
{{- end -}}

{{/* Rules that are needed wherever ModelSyncs are watched. */}}
{{- define "modelsync.watchedRules" -}}
- apiGroups: [modelsync.dev]
  resources: [modelsyncs]
  verbs: [get, list, watch]
- apiGroups: [modelsync.dev]
  resources: [modelsyncs/status]
  verbs: [patch]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [list, create, patch]
{{- end -}}

{{/* Rules that are needed in the operator's own namespace only. */}}
{{- define "modelsync.ownRules" -}}
- apiGroups: [modelsync.dev]
  resources: [syncqueues]
  verbs: [get, list, watch]
- apiGroups: [modelsync.dev]
  resources: [syncqueues/status]
  verbs: [patch]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, create, update]
{{- end -}}

{{- /* The uids and gids that a ModelSync may name, with commas between. Large numbers come as floats. */}}
{{- define "modelsync.workerIds" -}}
{{- $ids := list }}
{{- range .Values.config.worker.ids }}{{ $ids = append $ids (kindIs "string" . | ternary . (toString (int64 .))) }}{{ end }}
{{- join "," $ids }}
{{- end }}

{{- /* The same and those of config.worker.securityContext, as a list of first and last in CEL. */}}
{{- define "modelsync.workerIdRanges" -}}
{{- $ranges := list }}
{{- range splitList "," (include "modelsync.workerIds" .) }}
{{- $ends := splitList "-" . }}
{{- $ranges = append $ranges (printf "[%s, %s]" (first $ends) (last $ends)) }}
{{- end }}
{{- $default := .Values.config.worker.securityContext }}
{{- range concat (list $default.runAsUser $default.runAsGroup $default.fsGroup) ($default.supplementalGroups | default list) }}
{{- if . }}
{{- $ranges = append $ranges (printf "[%d, %d]" (int64 .) (int64 .)) }}
{{- end }}
{{- end }}
{{- printf "[%s]" (join ", " (uniq $ranges)) }}
{{- end }}
