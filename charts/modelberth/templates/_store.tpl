{{/* The store's address as operator and registry reach it. */}}
{{- define "modelberth.storeEndpoint" -}}
{{- if .Values.minio.enabled -}}
{{- if .Values.s3.endpoint -}}
{{- fail "s3.endpoint: leave it empty with minio.enabled=true, or set minio.enabled=false to use your own store" -}}
{{- end -}}
http://modelberth-minio.{{ .Release.Namespace }}.svc:9000
{{- else -}}
{{- required "s3.endpoint: set the store's URL, such as https://minio.example.org:9000, or minio.enabled=true to try Modelberth out" .Values.s3.endpoint -}}
{{- end -}}
{{- end }}

{{/* The Secret with the keys of the ordinary user by which operator and registry use the store. */}}
{{- define "modelberth.storeSecret" -}}
{{- if or .Values.minio.enabled .Values.s3.accessKey -}}
modelberth-store
{{- else -}}
{{- required "s3.existingSecret.name: name the Secret with the store's keys, or set s3.accessKey and s3.secretKey" .Values.s3.existingSecret.name -}}
{{- end -}}
{{- end }}

{{/* What operator and registry are told about the store; the keys come as files, never as environment. */}}
{{- define "modelberth.storeEnv" -}}
- {name: MODELBERTH_STORE_ENDPOINT, value: {{ include "modelberth.storeEndpoint" . | quote }}}
- {name: MODELBERTH_STORE_BUCKET, value: {{ .Values.s3.bucket | quote }}}
- {name: MODELBERTH_STORE_REGION, value: {{ .Values.s3.region | quote }}}
- {name: MODELBERTH_STORE_ACCESS_KEY_FILE, value: /var/run/secrets/modelberth-store/accessKey}
- {name: MODELBERTH_STORE_SECRET_KEY_FILE, value: /var/run/secrets/modelberth-store/secretKey}
{{- with .Values.s3.internalEndpoint }}
- {name: MODELBERTH_STORE_INTERNAL_ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- with .Values.s3.externalEndpoint }}
- {name: MODELBERTH_STORE_EXTERNAL_ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- if .Values.s3.caBundle }}
- {name: MODELBERTH_STORE_CA_FILE, value: /var/run/modelberth/store-ca/ca.crt}
{{- end }}
{{- end }}

{{- define "modelberth.storeMounts" -}}
- {name: store, mountPath: /var/run/secrets/modelberth-store, readOnly: true}
{{- if .Values.s3.caBundle }}
- {name: store-ca, mountPath: /var/run/modelberth/store-ca, readOnly: true}
{{- end }}
{{- end }}

{{- define "modelberth.storeVolumes" -}}
- name: store
  secret:
    secretName: {{ include "modelberth.storeSecret" . }}
    defaultMode: 0440
    items:
      {{- if or .Values.minio.enabled .Values.s3.accessKey }}
      - {key: accessKey, path: accessKey}
      - {key: secretKey, path: secretKey}
      {{- else }}
      - {key: {{ .Values.s3.existingSecret.accessKeyKey }}, path: accessKey}
      - {key: {{ .Values.s3.existingSecret.secretKeyKey }}, path: secretKey}
      {{- end }}
{{- if .Values.s3.caBundle }}
- name: store-ca
  configMap: {name: modelberth-store-ca}
{{- end }}
{{- end }}
