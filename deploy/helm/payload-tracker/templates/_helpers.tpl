{{- define "payload-tracker.fullname" -}}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) -}}
{{- /* Room for the suffixes of pods, jobs and the headless service within the 63 characters of a DNS label. */ -}}
{{- $name | trunc 45 | trimSuffix "-" -}}
{{- end }}

{{- define "payload-tracker.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "payload-tracker.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "payload-tracker.selectorLabels" . }}
{{- end }}

{{- define "payload-tracker.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{- define "payload-tracker.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "payload-tracker.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- define "payload-tracker.peerSecretName" -}}
{{ .Values.peerSecret.existingSecret | default (printf "%s-peers" (include "payload-tracker.fullname" .)) }}
{{- end }}

{{- define "payload-tracker.headless" -}}
{{ include "payload-tracker.fullname" . }}-instances
{{- end }}

{{- /* Not empty while no instance may run, because a job does what wants all of them stopped. */ -}}
{{- define "payload-tracker.isStopped" -}}
{{- if or .Values.reset.enabled .Values.repartition.toApplication }}true{{ end -}}
{{- end -}}

{{- /* A setting of `config`, with a default: (dict "root" $ "key" "application.id" "default" "payload-tracker"). */ -}}
{{- define "payload-tracker.setting" -}}
{{- $value := get .root.Values.config .key -}}
{{- if kindIs "slice" $value }}{{ join "," $value }}{{ else if eq (toString $value) "" }}{{ .default }}
{{- else if kindIs "float64" $value }}{{ $value | int64 }}{{ else }}{{ $value }}{{ end -}}
{{- end }}

{{- define "payload-tracker.applicationID" -}}
{{ include "payload-tracker.setting" (dict "root" . "key" "application.id" "default" "payload-tracker") }}
{{- end }}

{{- define "payload-tracker.securityProtocol" -}}
{{ include "payload-tracker.setting" (dict "root" . "key" "kafka.security.protocol" "default" "plaintext") | lower }}
{{- end }}

{{- /* A quantity of memory as whole MiB. */ -}}
{{- define "payload-tracker.mebibytes" -}}
{{- $text := toString . -}}
{{- $number := regexFind "^[0-9]+(\\.[0-9]+)?" $text -}}
{{- $unit := trimPrefix $number $text -}}
{{- $bytes := dict "" 1.0 "k" 1000.0 "M" 1000000.0 "G" 1000000000.0 "T" 1000000000000.0 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 -}}
{{- divf (mulf (float64 $number) (get $bytes $unit)) 1048576.0 | floor | int64 -}}
{{- end }}

{{- /*
The memory of the local stores, as settings: what the limit leaves after a tenth for what nobody counts, 320 MiB for the
program and its HTTP endpoint, and 192 MiB for each stream thread (64 MiB each of fetched records, of payloads that wait for
a commit, and of a changelog that is restored). Where kafka.queued.max.messages.kbytes lets threads, and the standby thread,
fetch more than 64 MiB, that is taken off, too. Half goes to the block cache, a quarter each to write buffers and payloads.
*/ -}}
{{- define "payload-tracker.memory" -}}
{{- $limit := include "payload-tracker.mebibytes" .Values.resources.limits.memory | int64 -}}
{{- $threads := include "payload-tracker.setting" (dict "root" . "key" "stream.threads" "default" "1") | int64 -}}
{{- $fetched := div (include "payload-tracker.setting" (dict "root" . "key" "kafka.queued.max.messages.kbytes" "default" "65536") | int64) 1024 -}}
{{- $fixed := add 320 (mul 192 $threads) (mul (max 0 (sub $fetched 64)) (add1 $threads)) -}}
{{- $rest := sub (div (mul $limit 9) 10) $fixed -}}
{{- if lt $rest 64 -}}
{{- fail (printf "resources.limits.memory is %v, which leaves nothing for the local stores: with %d stream threads it must be at least %dMi" .Values.resources.limits.memory $threads (add1 (div (mul (add $fixed 64) 10) 9))) -}}
{{- end -}}
store.block-cache: {{ div $rest 2 }}MiB
store.write-buffers: {{ div $rest 4 }}MiB
store.cache: {{ div $rest 4 }}MiB
{{- end }}

{{- define "payload-tracker.tls" -}}
{{- $directory := "/etc/payload-tracker/tls" -}}
{{- with .Values.tls }}
{{- if .ca }}
kafka.ssl.ca.location: {{ $directory }}/{{ .ca }}
{{- end }}
{{- if .certificate }}
kafka.ssl.certificate.location: {{ $directory }}/{{ .certificate }}
{{- end }}
{{- if .key }}
kafka.ssl.key.location: {{ $directory }}/{{ .key }}
{{- end }}
{{- end }}
{{- end }}

{{- define "payload-tracker.httpTLS" -}}
{{- $directory := "/etc/payload-tracker/http-tls" -}}
{{- with .Values.httpTLS }}
http.tls.certificate-file: {{ $directory }}/{{ .certificate }}
http.tls.key-file: {{ $directory }}/{{ .key }}
{{- if .ca }}
http.tls.ca-file: {{ $directory }}/{{ .ca }}
{{- end }}
{{- end }}
{{- end }}

{{- define "payload-tracker.scheme" -}}
{{ ternary "http" "https" (empty .Values.httpTLS.secret) }}
{{- end }}

{{- /* The Service by the name that its certificate has, for those in the namespace. */ -}}
{{- define "payload-tracker.host" -}}
{{ include "payload-tracker.fullname" . }}.{{ .Release.Namespace }}.svc
{{- end }}

{{- /* Every setting that is the same for all instances and no secret, as a flat YAML map. */ -}}
{{- define "payload-tracker.settings" -}}
{{- $settings := dict "state.dir" "/var/lib/payload-tracker" "http.host" "0.0.0.0" "http.port" 8080 -}}
{{- if .Values.tls.secret -}}
{{- $settings = merge $settings (include "payload-tracker.tls" . | fromYaml) -}}
{{- end -}}
{{- if .Values.tokens.secret -}}
{{- $_ := set $settings "http.tokens-file" (printf "/etc/payload-tracker/tokens/%s" .Values.tokens.key) -}}
{{- end -}}
{{- if .Values.jwt.configMap -}}
{{- $_ := set $settings "http.jwt.jwks-file" (printf "/etc/payload-tracker/jwt/%s" .Values.jwt.key) -}}
{{- end -}}
{{- if .Values.httpTLS.secret -}}
{{- $settings = merge $settings (include "payload-tracker.httpTLS" . | fromYaml) -}}
{{- end -}}
{{- range $key, $value := .Values.config -}}
{{- $_ := set $settings $key (include "payload-tracker.setting" (dict "root" $ "key" $key "default" "")) -}}
{{- end -}}
{{- merge $settings (include "payload-tracker.memory" . | fromYaml) | toYaml -}}
{{- end }}

{{- /* `kafka.sasl.password` is PAYLOAD_TRACKER_KAFKA_SASL_PASSWORD. */ -}}
{{- define "payload-tracker.variable" -}}
PAYLOAD_TRACKER_{{ . | upper | replace "." "_" | replace "-" "_" }}
{{- end }}

{{- define "payload-tracker.secretVariables" -}}
{{- range $key, $reference := .Values.secrets }}
- name: {{ include "payload-tracker.variable" $key }}
  valueFrom:
    secretKeyRef:
      name: {{ $reference.secret }}
      key: {{ $reference.key }}
{{- end }}
{{- end }}

{{- define "payload-tracker.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- /* What every pod has, whatever it runs. */ -}}
{{- define "payload-tracker.pod" -}}
automountServiceAccountToken: false
# Variables for every Service of the namespace would start with PAYLOAD_TRACKER_ like settings.
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
securityContext: {{ toYaml .Values.podSecurityContext | nindent 2 }}
{{- end }}

{{- define "payload-tracker.tlsVolume" -}}
{{- with .Values.tls.secret }}
- name: tls
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- end }}

{{- define "payload-tracker.tlsMount" -}}
{{- if .Values.tls.secret }}
- name: tls
  mountPath: /etc/payload-tracker/tls
  readOnly: true
{{- end }}
{{- end }}

{{- /* The pod of a job that runs one command of the program against Kafka and needs no volume. */ -}}
{{- define "payload-tracker.job" -}}
{{- $root := .root -}}
backoffLimit: {{ .backoffLimit }}
activeDeadlineSeconds: {{ .deadline }}
template:
  metadata:
    labels:
      {{- include "payload-tracker.labels" $root | nindent 6 }}
      app.kubernetes.io/component: job
  spec:
    {{- include "payload-tracker.pod" $root | nindent 4 }}
    restartPolicy: Never
    containers:
      - name: {{ .name }}
        image: {{ include "payload-tracker.image" $root }}
        imagePullPolicy: {{ $root.Values.image.pullPolicy }}
        args: {{ toJson .args }}
        env:
          - name: SWIFT_BACKTRACE
            value: enable=no
          {{- range $key, $value := include "payload-tracker.settings" $root | fromYaml }}
          {{- if ne $key "state.dir" }}
          - name: {{ include "payload-tracker.variable" $key }}
            value: {{ $value | quote }}
          {{- end }}
          {{- end }}
          - name: PAYLOAD_TRACKER_STATE_DIR
            value: /tmp/payload-tracker
          {{- include "payload-tracker.secretVariables" $root | nindent 10 }}
        resources:
          requests: {cpu: 100m, memory: 128Mi}
          limits: {memory: 512Mi}
        securityContext: {{ include "payload-tracker.containerSecurityContext" $root | nindent 10 }}
        volumeMounts:
          - name: scratch
            mountPath: /tmp
          {{- include "payload-tracker.tlsMount" $root | nindent 10 }}
    volumes:
      - name: scratch
        emptyDir: {sizeLimit: 16Mi}
      {{- include "payload-tracker.tlsVolume" $root | nindent 6 }}
{{- end }}

{{- define "payload-tracker.kafkaPorts" -}}
{{- $servers := get .Values.config "kafka.bootstrap.servers" -}}
{{- $ports := list -}}
{{- range (kindIs "slice" $servers | ternary $servers (splitList "," (toString $servers))) -}}
{{- $ports = append $ports (regexFind "[0-9]+$" (trim .) | default "9092" | int) -}}
{{- end -}}
{{- concat $ports .Values.networkPolicy.kafkaPorts | uniq | toJson -}}
{{- end }}

{{- define "payload-tracker.kafkaEgress" -}}
- ports:
    {{- range include "payload-tracker.kafkaPorts" . | fromJsonArray }}
    - port: {{ . | int }}
    {{- end }}
  {{- with .Values.networkPolicy.kafka }}
  to: {{ toYaml . | nindent 4 }}
  {{- end }}
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end }}
