package docker

import (
	"archive/tar"
	"bytes"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/benchfleet/benchfleet/core"
	"github.com/benchfleet/benchfleet/ports"
)

const (
	secretDir  = "/benchfleet-secrets" // of its own: nothing of the image is touched
	fileSuffix = "_FILE"
)

// validSecretName is what may be both a variable and a file.
var validSecretName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,199}$`)

func secretPath(name string) string { return path.Join(secretDir, name) }

func validSecrets(secrets []ports.EnvVar) error {
	seen, size := map[string]bool{}, 0
	for _, v := range secrets {
		if !validSecretName.MatchString(v.Name) {
			return fmt.Errorf("%w: docker: name of a secret is %q; allowed: letters, digits and _, no digit first, up to 200", core.ErrInvalid, v.Name)
		}
		if seen[v.Name] {
			return fmt.Errorf("%w: docker: secret %s is given twice", core.ErrInvalid, v.Name)
		}
		seen[v.Name] = true
		size += len(v.Value)
	}
	if size > maxSecret {
		return fmt.Errorf("%w: docker: the secrets have %d bytes together; allowed: %d", core.ErrInvalid, size, maxSecret)
	}
	return nil
}

// secretTar is an archive for the root of a container: the folder and a file
// for each secret, all of which only the user can read.
func secretTar(secrets []ports.EnvVar, u user) ([]byte, error) {
	var buffer bytes.Buffer
	archive := tar.NewWriter(&buffer)
	err := archive.WriteHeader(&tar.Header{
		Typeflag: tar.TypeDir, Name: strings.TrimPrefix(secretDir, "/") + "/", Mode: 0o500, Uid: u.uid, Gid: u.gid,
	})
	for _, v := range secrets {
		if err != nil {
			break
		}
		if err = archive.WriteHeader(&tar.Header{
			Typeflag: tar.TypeReg, Name: strings.TrimPrefix(secretPath(v.Name), "/"), Mode: 0o400, Uid: u.uid, Gid: u.gid, Size: int64(len(v.Value)),
		}); err == nil {
			_, err = archive.Write([]byte(v.Value))
		}
	}
	if err == nil {
		err = archive.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: docker: archive of the secrets: %w", core.ErrInternal, err)
	}
	return buffer.Bytes(), nil
}

// user is who a worker is in its container.
type user struct {
	text     string
	uid, gid int
}

// parseUser reads "uid" or "uid:gid". A name would need the image's passwd file.
func parseUser(text string) (user, error) {
	u := user{text: text}
	uid, gid, grouped := strings.Cut(text, ":")
	var err error
	if u.uid, err = number(uid); err == nil && grouped {
		u.gid, err = number(gid)
	}
	if err != nil {
		return u, fmt.Errorf("%w: docker: user is %q; want uid or uid:gid in numbers, up to 2147483647", core.ErrInvalid, text)
	}
	return u, nil
}

func number(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	return int(n), err
}
