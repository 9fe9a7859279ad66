package docker

import (
	"context"
	"fmt"
	"strconv"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

const (
	defaultLimit = 64 << 10 // bytes that Logs returns when none are named
	maxLimit     = 16 << 20 // bytes that Logs returns at most
	shortLine    = 16       // bytes; of shorter lines Logs may return fewer than would fit
)

// Logs implements ports.Launcher: stdout and stderr as they came. It returns at
// most 16 MiB, and the end of a line that alone is longer than the limit; Docker
// keeps two files of 16 MB each. Errors: NotFound for a launch that is unknown
// here, or is just being released.
func (l *Launcher) Logs(ctx context.Context, from core.Handle, limit int) ([]byte, error) {
	h, err := decode(from)
	if err != nil {
		return nil, err
	}
	if limit < 0 {
		return nil, fmt.Errorf("%w: docker: limit of logs is %d bytes; allowed: 0 (64 KiB) or more", core.ErrInvalid, limit)
	}
	if limit == 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	ctx, cancel := bound(ctx)
	defer cancel()
	stream, err := l.client.ContainerLogs(ctx, h.Container, container.LogsOptions{
		ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(limit/shortLine + 1),
	})
	switch {
	case notFound(err):
		if other := l.missing(ctx, h); other != nil {
			return nil, other
		}
	case conflict(err):
		return nil, fmt.Errorf("%w: docker: container %.12s is being removed: %w", core.ErrNotFound, h.Container, err)
	}
	if err != nil {
		return nil, failed(ctx, "read the log of a container", err)
	}
	defer stream.Close() //nolint:errcheck // only read
	kept := tail{limit: limit + 1}
	if _, err := stdcopy.StdCopy(&kept, &kept, stream); err != nil {
		return nil, failed(ctx, "read the log of a container", err)
	}
	return ports.NewestLines(kept.data, limit), nil
}

// tail keeps the end of what is written: limit bytes at least, twice as many at
// most.
type tail struct {
	limit int
	data  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	if len(t.data)+len(p) > 2*t.limit {
		keep := min(len(t.data), max(0, t.limit-len(p)))
		t.data = append(t.data[:0], t.data[len(t.data)-keep:]...)
	}
	t.data = append(t.data, p[max(0, len(p)-2*t.limit):]...)
	return len(p), nil
}
