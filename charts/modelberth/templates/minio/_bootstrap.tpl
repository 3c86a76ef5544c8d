{{/* The pod that sets MinIO up. */}}
{{- define "modelberth.minioBootstrapPod" -}}
metadata:
  labels:
    {{- include "modelberth.selectorLabels" . | nindent 4 }}
    app.kubernetes.io/component: minio-bootstrap
spec:
  restartPolicy: OnFailure
  automountServiceAccountToken: false
  enableServiceLinks: false
  securityContext: {{- include "modelberth.podSecurityContext" . | nindent 4 }}
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- include "modelberth.scheduling" .Values.minio | nindent 2 }}
  containers:
    - name: bootstrap
      image: {{ include "modelberth.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [store-bootstrap]
      securityContext: {{- include "modelberth.containerSecurityContext" . | nindent 8 }}
      env:
        {{- include "modelberth.storeEnv" . | nindent 8 }}
        - {name: MODELBERTH_STORE_ROOT_ACCESS_KEY_FILE, value: /var/run/secrets/minio/rootUser}
        - {name: MODELBERTH_STORE_ROOT_SECRET_KEY_FILE, value: /var/run/secrets/minio/rootPassword}
      resources:
        requests: {cpu: 10m, memory: 64Mi}
        limits: {memory: 256Mi}
      volumeMounts:
        - {name: root, mountPath: /var/run/secrets/minio, readOnly: true}
        {{- include "modelberth.storeMounts" . | nindent 8 }}
  volumes:
    - name: root
      secret: {secretName: {{ .Values.minio.existingSecret | default "modelberth-minio" }}, defaultMode: 0440}
    {{- include "modelberth.storeVolumes" . | nindent 4 }}
{{- end }}
