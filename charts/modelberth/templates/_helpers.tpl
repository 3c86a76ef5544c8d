{{/*
Names and labels. There is one Modelberth in a cluster (its definitions and policies are cluster-wide), so names do not
depend on the release's name: clients find the registry without being told.
*/}}
{{- define "modelberth.fullname" -}}modelberth{{- end }}

{{- define "modelberth.labels" -}}
{{ include "modelberth.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: modelberth
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "modelberth.selectorLabels" -}}
app.kubernetes.io/name: modelberth
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The operator's account, and the user name by which the API server knows it. */}}
{{- define "modelberth.operatorServiceAccount" -}}modelberth-operator{{- end }}
{{- define "modelberth.operatorUser" -}}
system:serviceaccount:{{ .Release.Namespace }}:{{ include "modelberth.operatorServiceAccount" . }}
{{- end }}

{{/* An image reference: a digest takes precedence over a tag. Takes (image values, default tag). */}}
{{- define "modelberth.imageReference" -}}
{{- $image := index . 0 -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default (index . 1) }}
{{- end -}}
{{- end }}

{{- define "modelberth.image" -}}
{{ include "modelberth.imageReference" (list .Values.image .Chart.AppVersion) }}
{{- end }}

{{/* The restricted Pod Security Standard, of pods and of containers. */}}
{{- define "modelberth.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "modelberth.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Where a pod may run: takes the values of a part. */}}
{{- define "modelberth.scheduling" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .topologySpreadConstraints }}
topologySpreadConstraints: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}
