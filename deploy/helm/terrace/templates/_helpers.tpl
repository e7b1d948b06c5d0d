{{- define "terrace.labels" -}}
app.kubernetes.io/name: terrace
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "terrace.selector" -}}
app.kubernetes.io/name: terrace
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "terrace.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .root.Values.imageTag | default .root.Chart.AppVersion }}
{{- end }}
{{- end }}

{{- define "terrace.operatorEnvironment" -}}
- {name: TERRACE_LEASE, value: "{{ .Release.Namespace }}/{{ include "terrace.operator" . }}"}
- {name: TERRACE_AGENT_IMAGE, value: "{{ include "terrace.image" (dict "root" . "image" .Values.agent.image) }}"}
{{- end }}

{{/* What the agent's pod may have, all its containers together. */}}
{{- define "terrace.capabilities" -}}
{{- $found := list -}}
{{- if .Values.movePages.enabled }}{{ $found = concat $found (list "SYS_PTRACE" "DAC_OVERRIDE") }}{{ end -}}
{{- if or .Values.numaBalancing.enabled (and .Values.movePages.enabled .Values.movePages.idlePages) -}}
{{- $found = append $found "SYS_ADMIN" -}}
{{- end -}}
{{ toJson $found }}
{{- end }}

{{- define "terrace.operator" -}}{{ .Release.Name }}-operator{{- end }}
{{- define "terrace.agent" -}}{{ .Release.Name }}-agent{{- end }}
{{- define "terrace.test" -}}{{ .Release.Name }}-test{{- end }}
