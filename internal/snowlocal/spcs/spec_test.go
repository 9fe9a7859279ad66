package spcs

import (
	"errors"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/benchfleet/benchfleet/internal/snowlocal/engine"
)

const least = `{"spec":{"containers":[{"name":"worker","image":"/db/s/repo/image:1"}]}}`

func TestSpecification(t *testing.T) {
	is := is.New(t)
	s, err := parseSpec(`
spec:
  containers:
  - name: worker
    image: org-acct.registry.snowflakecomputing.com/db/s/repo/image
    command: ["/app"]
    env: { A: "b", BELL: "x" }
    readinessProbe: { port: 8080, path: /health }
    volumeMounts: [ { name: data, mountPath: /data } ]
    resources: { requests: { cpu: 500m, memory: 1.5Gi }, limits: { cpu: 2, memory: 2G } }
    secrets: [ { snowflakeSecret: { objectName: d.s.x }, envVarName: X, secretKeyRef: password } ]
  volumes: [ { name: data, source: memory, size: 10Mi } ]
  endpoints: [ { name: web, port: 80, public: true } ]
  logExporters: { eventTableConfig: { logLevel: INFO } }
capabilities: { securityContext: { executeAsCaller: false } }
serviceRoles: [ { name: r, endpoints: [web] } ]
`)
	is.NoErr(err)
	c := s.Spec.Containers[0]
	is.Equal(c.repository, "DB.S.REPO")
	is.Equal(c.image, "db/s/repo/image:latest")
	is.Equal(c.cpu, 0.5)
	is.Equal(c.cpuLimit, 2.0)
	is.Equal(c.memory, int64(3*gib/2))
	is.Equal(c.memoryLimit, int64(2e9))
	is.Equal(c.Secrets[0].object, "d.s.x")
	is.Equal(s.Spec.Volumes[0].bytes, int64(10<<20))

	s, err = parseSpec(strings.Replace(least, `}]}}`, `,"env":{"A":"bell\u0007 \u0024\u0024 \u00e4"}}]}}`, 1))
	is.NoErr(err)
	is.Equal(s.Spec.Containers[0].Env["A"], "bell\a $$ ä")
	cpu, memory := s.requests()
	is.Equal(cpu, defaultCPU)
	is.Equal(memory, int64(defaultMemory))
}

func TestSpecificationsRefused(t *testing.T) {
	with := func(more string) string { return strings.Replace(least, `}]}}`, `,`+more+`}]}}`, 1) }
	for _, tc := range []struct{ text, says string }{
		{"", "'spec' is missing"},
		{"spec: 1", "'spec' is missing"},
		{"a: [", "Invalid spec"},
		{`{"spec":{"containers":[]}}`, "'containers' is missing"},
		{`{"spec":{"containers":[{"name":"a","image":"/d/s/r/i:1"},{"name":"a","image":"/d/s/r/i:1"}]}}`, "duplicate"},
		{with(`"entrypoint":"x"`), "unknown option 'entrypoint' for 'containers'"},
		{`{"spec":{"containers":[{"name":"a","image":"/d/s/r/i:1"}],"serviceRoles":[]}}`, "unknown option 'serviceRoles' for 'spec'"},
		{strings.Replace(least, `"worker"`, `"Worker"`, 1), "invalid container name"},
		{strings.Replace(least, `/db/s/repo/image:1`, `repo/image:1`, 1), "is not /database"},
		{strings.Replace(least, `/db/s/`, `/DB/s/`, 1), "lower case"},
		{with(`"env":{"A":1}`), "must not be a number"},
		{with(`"env":{"SNOWFLAKE_HOST":"x"}`), "reserved"},
		{with(`"resources":{"requests":{"memory":"512"}}`), "unit"},
		{with(`"resources":{"requests":{"memory":"1Ki"}}`), "unit"},
		{with(`"resources":{"requests":{"cpu":"two"}}`), "invalid cpu"},
		{with(`"resources":{"requests":{"cpu":2},"limits":{"cpu":1}}`), "more cpu than its limit"},
		{with(`"resources":{"requests":{"memory":"2Gi"},"limits":{"memory":"1Gi"}}`), "more memory than its limit"},
		{with(`"readinessProbe":{"port":0,"path":"/"}`), "invalid probe"},
		{with(`"volumeMounts":[{"name":"none","mountPath":"/x"}]`), "names no volume"},
		{with(`"secrets":[{"snowflakeSecret":"s"}]`), "envVarName"},
		{with(`"secrets":[{"snowflakeSecret":"s","envVarName":"A"}]`), "secretKeyRef"},
		{strings.Replace(least, `{"spec":{`, `{"spec":{"endpoints":[{"name":"e","port":1,"public":true,"protocol":"TCP"}],`, 1), "cannot be public"},
		{strings.Replace(least, `{"spec":{`, `{"spec":{"volumes":[{"name":"v","source":"stage"}],`, 1), "not supported"},
	} {
		t.Run(tc.says, func(t *testing.T) {
			_, err := parseSpec(tc.text)
			var own *engine.Error
			if !errors.As(err, &own) || own.Number != 395018 || !strings.Contains(own.Message, tc.says) {
				t.Errorf("%s: %v, not %q", tc.text, err, tc.says)
			}
		})
	}
}

// FuzzParseSpec never panics, and refuses with its number or accepts.
func FuzzParseSpec(f *testing.F) {
	f.Add(least)
	f.Add("spec:\n  containers:\n  - {name: a, image: /d/s/r/i:1}")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSpec(text)
		var own *engine.Error
		switch {
		case err == nil && len(s.Spec.Containers) == 0:
			t.Error("accepted without a container")
		case err != nil && (!errors.As(err, &own) || own.Number != 395018):
			t.Errorf("refused without its number: %v", err)
		}
	})
}
