//go:build unix

package bench

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// BenchmarkControllerMemory tells the memory of a controller that nobody asks anything,
// 5 s after it has shown its pages and the document of its API: what of it is private,
// and what is resident. The difference is pages of the program, which every process of
// it shares; how many of them the kernel maps depends on how it came to cache the file,
// and is the whole file at worst.
func BenchmarkControllerMemory(b *testing.B) {
	if runtime.GOOS != "linux" {
		b.Skip("needs /proc")
	}
	binary, dir := shipped(b), b.TempDir()
	must(b, exec.Command(binary, "schema", "apply", "--dir", dir).Run())
	var most footprint
	for range b.N {
		most = most.max(idleController(b, binary, dir))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(most.resident)/megabyte, "resident-MB")
	b.ReportMetric(float64(most.private)/megabyte, "private-MB")
	b.Log("promised: ≤ 60 MB")
}

func idleController(b *testing.B, binary, dir string) footprint {
	b.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	address := free.Addr().String()
	must(b, free.Close())
	var said bytes.Buffer
	c := exec.Command(binary, "controller", "--dir", dir, "--listen", address)
	c.Stderr = &said
	must(b, c.Start())
	var waiting sync.WaitGroup
	waiting.Go(func() { _ = c.Wait() }) // it is killed
	defer waiting.Wait()
	defer c.Process.Kill()
	for begun := time.Now(); ask("http://"+address+"/api/v1/version") != nil; {
		if time.Since(begun) > 20*time.Second {
			_ = c.Process.Signal(syscall.SIGQUIT)
			b.Fatal("the controller does not answer: ", said.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
	for _, path := range []string{"/runs", "/templates", "/templates/new", "/api/openapi.json"} {
		must(b, ask("http://"+address+path))
	}
	time.Sleep(5 * time.Second)
	return readFootprint(c.Process.Pid)
}

func ask(url string) error {
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
