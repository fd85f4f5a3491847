{{/* Labels of every object. */}}
{{- define "weir.labels" -}}
app.kubernetes.io/part-of: weir
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "weir.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{/* The process's own certificate of who it is, and the mesh's roots. */}}
{{- define "weir.identityVolumes" -}}
- name: token
  projected:
    sources:
      - serviceAccountToken:
          audience: istio-ca
          expirationSeconds: 43200
          path: istio-token
- name: roots
  configMap:
    # The controller makes it in every namespace; a pod waits for it.
    name: istio-ca-root-cert
{{- end -}}

{{- define "weir.identityMounts" -}}
- name: token
  mountPath: /var/run/secrets/tokens
  readOnly: true
- name: roots
  mountPath: /var/run/secrets/istio
  readOnly: true
{{- end -}}
