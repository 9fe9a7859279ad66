package cli

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"runtime"

	"github.com/benchfleet/benchfleet/controller"
	"github.com/spf13/cobra"
)

// serviceToken is what Snowflake puts into every container of its services.
const serviceToken = "/snowflake/session/token"

// inService reports whether this process runs in a service of Snowpark Container
// Services, whose ingress alone leads to it.
func (a *app) inService() bool {
	_, named := a.lookup("SNOWFLAKE_SERVICE_NAME")
	_, err := os.Stat(serviceToken)
	return named && err == nil
}

// gate is who may come in, and the address to listen on.
func (a *app) gate(f controllerFlags) (*controller.Gate, string, error) {
	service := a.inService()
	listen := f.listen
	switch {
	case listen == "" && service:
		listen = net.JoinHostPort("", controllerPort)
	case listen == "":
		listen = net.JoinHostPort("127.0.0.1", controllerPort)
	}
	address, err := net.ResolveTCPAddr("tcp", listen)
	if err != nil {
		return nil, "", usage("--listen is %q: %w; allowed: HOST:PORT", listen, err)
	}
	g := &controller.Gate{Operators: f.operators}
	loopback := address.IP != nil && address.IP.IsLoopback()
	switch {
	case f.tokenFile != "":
		g.Tokens, err = readTokens(f.tokenFile)
	case service && !loopback:
		g.Ingress = true
	case !loopback:
		err = usage("--listen is %q, where others than this host may come: that needs --token-file; see: benchfleet token --help", listen)
	default:
		host, _, _ := net.SplitHostPort(listen)
		g.Hosts = append(append(controller.LoopbackHosts(), host), f.hosts...)
	}
	if err == nil && !g.Ingress && len(f.operators) > 0 {
		err = usage("--operator names users of Snowflake, who come in only in Snowpark Container Services")
	}
	return g, address.String(), err
}

// readTokens reads a token file that nobody else could have written.
func readTokens(path string) (*controller.Tokens, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, usage("--token-file: %w; make one with: benchfleet token NAME --token-file %s", err, path)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return nil, usage("--token-file %s can be written by others: chmod 600 it", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usage("--token-file: %w", err)
	}
	tokens, err := controller.ParseTokens(text)
	if err != nil {
		return nil, usage("--token-file %s: %w", path, err)
	}
	return tokens, nil
}

func (a *app) tokenCommand() *cobra.Command {
	var file, role string
	cmd := &cobra.Command{
		Use:   "token NAME",
		Short: "Make a token that lets somebody into a controller",
		Long: `Makes a token and adds its hash to a token file, for benchfleet controller
--token-file. The token itself is printed once and kept nowhere. To take it back,
remove its line and start the controller again.`,
		Example: `  benchfleet token ada --token-file tokens
  benchfleet token wallboard --role viewer --token-file tokens`,
		Args: exactly("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			if file == "" {
				return usage("--token-file is missing: it names the file that the token's hash is added to")
			}
			token, line, err := controller.NewToken(controller.Role(role), args[0])
			if err != nil {
				return err
			}
			if err := appendLine(file, line); err != nil {
				return err
			}
			if a.json() {
				return writeJSON(a.out, map[string]string{"name": args[0], "role": role, "token": token})
			}
			return a.print("%s\n", token)
		},
	}
	cmd.Flags().StringVar(&file, "token-file", "", "`FILE` that the hash is added to")
	cmd.Flags().StringVar(&role, "role", string(controller.Operator), "`ROLE`: operator, who may do everything, or viewer, who may read")
	return cmd
}

func appendLine(path, line string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, fs.FileMode(0o600))
	if err != nil {
		return usage("--token-file: %w", err)
	}
	_, err = file.WriteString(line)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("--token-file: %w", err)
	}
	return nil
}
