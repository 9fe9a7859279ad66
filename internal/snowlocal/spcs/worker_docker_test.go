package spcs_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	sf "github.com/snowflakedb/gosnowflake/v2"
)

// envScript tells this test binary, in a container, what to do: steps like
// "say:hello;login:SELECT 1;term:3;exit:7".
const envScript = "SPCS_TEST_SCRIPT"

// workerMain plays a script, where there is one.
func workerMain() {
	script := os.Getenv(envScript)
	if script == "" {
		return
	}
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	for step := range strings.SplitSeq(script, ";") {
		what, rest, _ := strings.Cut(step, ":")
		switch what {
		case "say":
			fmt.Println(rest)
		case "fill": // lines of 100 bytes
			n, _ := strconv.Atoi(rest)
			for i := range n {
				fmt.Printf("%099d\n", i)
			}
		case "env":
			list := os.Environ()
			sort.Strings(list)
			fmt.Println(strings.Join(list, "\n"))
		case "file":
			text, err := os.ReadFile(rest)
			fmt.Printf("%s: %d bytes, %v\n", rest, len(text), err)
		case "wait": // until another token is there
			before, _ := os.ReadFile("/snowflake/session/token")
			for now := before; string(now) == string(before); now, _ = os.ReadFile("/snowflake/session/token") {
				time.Sleep(50 * time.Millisecond)
			}
		case "login":
			text, err := login(rest)
			fmt.Printf("login: %s %v\n", text, err)
		case "serve":
			go func() {
				_ = http.ListenAndServe(":"+rest, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == "/exit" {
						os.Exit(9)
					}
					fmt.Fprintf(w, "%s for %s", os.Getenv("SNOWFLAKE_SERVICE_NAME"), r.Header.Get("Sf-Context-Current-User"))
				}))
			}()
		case "term": // exits with a code when it is told to end
			fmt.Println("waiting for SIGTERM")
			<-terminated
			fmt.Println("got SIGTERM")
			code, _ := strconv.Atoi(rest)
			os.Exit(code)
		case "stay":
			fmt.Println("staying")
			select {}
		case "sleep":
			ms, _ := strconv.Atoi(rest)
			time.Sleep(time.Duration(ms) * time.Millisecond)
		case "exit":
			code, _ := strconv.Atoi(rest)
			os.Exit(code)
		}
	}
	os.Exit(0)
}

// login logs in as a worker does, by what the platform says alone, and asks.
func login(query string) (string, error) {
	port, err := strconv.Atoi(os.Getenv("SNOWFLAKE_PORT"))
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	db := sql.OpenDB(sf.NewConnector(sf.SnowflakeDriver{}, sf.Config{
		Account: os.Getenv("SNOWFLAKE_ACCOUNT"), Host: os.Getenv("SNOWFLAKE_HOST"), Port: port, Protocol: "http",
		Authenticator: sf.AuthTypeOAuth, TokenFilePath: "/snowflake/session/token",
		Database: os.Getenv("SNOWFLAKE_DATABASE"), Schema: os.Getenv("SNOWFLAKE_SCHEMA"),
		MaxRetryCount: 1,
		//lint:ignore SA1019 of this version of the driver there is no other way
		LoginTimeout: 15 * time.Second,
	}))
	defer db.Close()
	var value string
	err = db.QueryRowContext(ctx, query).Scan(&value)
	return value, err
}
