package spcs_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"
)

// The ingress says who comes, whatever a request says of itself, and lets in those
// alone who own the service or have a service role of it.
func TestVisitors(t *testing.T) {
	is := is.New(t)
	x := start(t, nil)
	db := x.open(t, nil)
	exec1(t, db, "USE ROLE ACCOUNTADMIN")
	text := strings.TrimSuffix(withEndpoint(spec("serve:8080;term:0", serving)), "}") + `,"serviceRoles":[{"name":"page_user","endpoints":["web"]}]}`
	exec1(t, db, "CREATE SERVICE web IN COMPUTE POOL pool FROM SPECIFICATION $$"+text+"$$")
	until(t, db, "SHOW SERVICES LIKE 'WEB' IN SCHEMA DB.SERVICES", "status", "RUNNING")
	at := rows(t, db, "SHOW ENDPOINTS IN SERVICE web")[0]["ingress_url"]
	is.Equal(get(t, at, "/", 200), "WEB for BENCH")
	ask := func(authorization string) (int, string) {
		t.Helper()
		request, err := http.NewRequest(http.MethodGet, "http://"+at+"/", nil)
		is.NoErr(err)
		if authorization != "" {
			request.Header.Set("Authorization", authorization)
		}
		request.Header.Set("Sf-Context-Current-User", "EVE")
		client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
		answer, err := client.Do(request)
		is.NoErr(err)
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		is.NoErr(err)
		return answer.StatusCode, string(body)
	}
	const runs = `Snowflake Token="runs-token"`
	_, said := ask("")
	is.Equal(said, "WEB for BENCH")
	for _, wrong := range []string{`Snowflake Token="other"`, `Snowflake Token=""`, "Bearer runs-token", "Snowflake runs-token"} {
		status, _ := ask(wrong)
		is.Equal(status, http.StatusUnauthorized)
	}
	status, said := ask(runs)
	is.Equal(status, http.StatusForbidden)
	is.True(strings.Contains(said, "RUNS has no service role"))

	is.Equal(number(t, db, "GRANT SERVICE ROLE web!other TO ROLE runner"), 2003)
	is.Equal(number(t, db, "GRANT SERVICE ROLE web!page_user TO ROLE none"), 2003)
	is.Equal(number(t, db, "GRANT SERVICE ROLE none!page_user TO ROLE runner"), 2003)
	is.Equal(number(t, db, "GRANT SERVICE ROLE web!page_user FROM ROLE runner"), 1003)
	exec1(t, db, "GRANT SERVICE ROLE DB.SERVICES.web!page_user TO ROLE runner")
	_, said = ask(runs)
	is.Equal(said, "WEB for RUNS")
	exec1(t, db, "REVOKE SERVICE ROLE web!page_user FROM ROLE runner")
	status, _ = ask(runs)
	is.Equal(status, http.StatusForbidden)
	exec1(t, db, "DROP SERVICE web")
}
