{{- define "sightline.name" -}}
{{- printf "%s" .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "sightline.labels" -}}
app.kubernetes.io/name: sightline
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* Of one component: dict "root" $ "component" NAME */}}
{{- define "sightline.selector" -}}
app.kubernetes.io/name: sightline
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "sightline.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "sightline.bootstrap" -}}
{{- if .Values.strimzi.enabled -}}
{{ .Values.strimzi.clusterName }}-kafka-bootstrap.{{ .Release.Namespace }}.svc:9093
{{- else -}}
{{ required "kafka.bootstrap: where your Kafka is, or strimzi.enabled" .Values.kafka.bootstrap }}
{{- end -}}
{{- end -}}

{{- define "sightline.caSecret" -}}
{{- if .Values.strimzi.enabled -}}
{{ .Values.strimzi.clusterName }}-cluster-ca-cert
{{- else -}}
{{ required "kafka.caSecret: a secret with ca.crt" .Values.kafka.caSecret }}
{{- end -}}
{{- end -}}

{{/* The login of a role: dict "root" $ "role" ROLE */}}
{{- define "sightline.user" -}}
{{- if .root.Values.strimzi.enabled -}}
{{ include "sightline.name" .root }}-{{ .role }}
{{- else -}}
{{ required (printf "kafka.users.%s.name" .role) (dig .role "name" "" .root.Values.kafka.users) }}
{{- end -}}
{{- end -}}

{{- define "sightline.userSecret" -}}
{{- if .root.Values.strimzi.enabled -}}
{{ include "sightline.name" .root }}-{{ .role }}
{{- else -}}
{{ required (printf "kafka.users.%s.secret" .role) (dig .role "secret" "" .root.Values.kafka.users) }}
{{- end -}}
{{- end -}}

{{/* A pod of Sightline: dict "root" $ "component" "role" "args" "resources" "port" "env" "volumes" "mounts" */}}
{{- define "sightline.pod" -}}
metadata:
  labels:
    {{- include "sightline.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
  annotations:
    checksum/settings: {{ include (print .root.Template.BasePath "/settings.yaml") .root | sha256sum }}
spec:
  serviceAccountName: {{ include "sightline.name" .root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: 30
  {{- with .root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    seccompProfile: {type: RuntimeDefault}
  {{- with .root.Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "sightline.selector" . | nindent 10 }}
  containers:
    - name: sightline
      image: {{ include "sightline.image" .root | quote }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: {{ .args | toJson }}
      env:
        - {name: SIGHTLINE_BROKER, value: {{ include "sightline.bootstrap" .root | quote }}}
        - {name: SIGHTLINE_SECURITY_PROTOCOL, value: SASL_SSL}
        - {name: SIGHTLINE_SSL_CA_FILE, value: /run/kafka/ca/ca.crt}
        - {name: SIGHTLINE_SASL_USERNAME, value: {{ include "sightline.user" . | quote }}}
        - {name: SIGHTLINE_SASL_PASSWORD_FILE, value: /run/kafka/login/password}
        - {name: SIGHTLINE_SENSORS, value: /etc/sightline/sensors.toml}
        - {name: SIGHTLINE_TOPIC_PREFIX, value: {{ .root.Values.topicPrefix | quote }}}
        - {name: SIGHTLINE_METRICS_HOST, value: 0.0.0.0}
        - {name: SIGHTLINE_METRICS_PORT, value: "9464"}
        {{- with .env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      envFrom:
        - configMapRef: {name: {{ include "sightline.name" .root }}-settings}
      ports:
        - {name: {{ .portName }}, containerPort: {{ .port }}, protocol: TCP}
      # The loop comes round, or the container begins anew.
      livenessProbe:
        httpGet: {path: /livez, port: {{ .portName }}}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 3
      # Its partitions are known, and what was known of them has been read back.
      readinessProbe:
        httpGet: {path: /readyz, port: {{ .portName }}}
        periodSeconds: 5
        timeoutSeconds: 5
      startupProbe:
        httpGet: {path: /livez, port: {{ .portName }}}
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 60
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      resources:
        {{- toYaml .resources | nindent 8 }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        - {name: sensors, mountPath: /etc/sightline, readOnly: true}
        - {name: kafka-ca, mountPath: /run/kafka/ca, readOnly: true}
        - {name: kafka-login, mountPath: /run/kafka/login, readOnly: true}
        {{- with .mounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: {medium: Memory, sizeLimit: 256Mi}
    - name: sensors
      configMap:
        name: {{ .root.Values.sensorsConfigMap | default (printf "%s-sensors" (include "sightline.name" .root)) }}
    - name: kafka-ca
      secret:
        secretName: {{ include "sightline.caSecret" .root }}
        items: [{key: ca.crt, path: ca.crt}]
    - name: kafka-login
      secret:
        secretName: {{ include "sightline.userSecret" . }}
        defaultMode: 0440
        items: [{key: password, path: password}]
    {{- with .volumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
