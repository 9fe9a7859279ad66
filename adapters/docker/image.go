package docker

import (
	"context"
	"fmt"

	"github.com/benchfleet/benchfleet/core"
)

// userOf is who the worker will be: as the options say, else as the image says,
// else nobody in particular.
func (l *Launcher) userOf(ctx context.Context) (user, error) {
	image, err := l.client.ImageInspect(ctx, l.options.Image)
	switch {
	case notFound(err):
		return user{}, fmt.Errorf("%w: docker: image %s is not on the daemon; build it (task image): %w", core.ErrNotFound, l.options.Image, err)
	case err != nil:
		return user{}, failed(ctx, "look at image "+l.options.Image, err)
	}
	text := l.options.User
	if text == "" && image.Config != nil {
		text = image.Config.User
	}
	if text == "" {
		text = defaultUser
	}
	u, err := parseUser(text)
	if err != nil && l.options.User == "" {
		return u, fmt.Errorf("image %s: %w; name one in the options", l.options.Image, err)
	}
	return u, err
}
