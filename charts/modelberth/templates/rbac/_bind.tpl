{{/*
Bind a ClusterRole to an account of the release: in the whole cluster, or in the watched namespaces only.
Takes (root, role, service account).
*/}}
{{- define "modelberth.bindWatched" -}}
{{- $root := index . 0 }}{{ $role := index . 1 }}{{ $account := index . 2 }}
{{- if $root.Values.operator.watchNamespaces }}
{{- range $namespace := $root.Values.operator.watchNamespaces }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $role }}-watched
  namespace: {{ $namespace }}
  labels: {{- include "modelberth.labels" $root | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ $role }}}
subjects: [{kind: ServiceAccount, name: {{ $account }}, namespace: {{ $root.Release.Namespace }}}]
{{- end }}
{{- else }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $role }}
  labels: {{- include "modelberth.labels" $root | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ $role }}}
subjects: [{kind: ServiceAccount, name: {{ $account }}, namespace: {{ $root.Release.Namespace }}}]
{{- end }}
{{- end }}
