package live

import (
	"io"
	"os"
)

// fromFirstColumn returns out such that every frame begins in the first column.
// The renderer leaves the cursor there, but a terminal that echoes ^C moves it.
func fromFirstColumn(out io.Writer) io.Writer {
	if f, ok := out.(*os.File); ok {
		return fileColumn{f} // it can still be asked for its size
	}
	return column{out}
}

type column struct{ io.Writer }

func (c column) Write(p []byte) (int, error) { return writeColumn(c.Writer, p) }

type fileColumn struct{ *os.File }

func (c fileColumn) Write(p []byte) (int, error) { return writeColumn(c.File, p) }

func writeColumn(out io.Writer, p []byte) (int, error) {
	n, err := out.Write(append([]byte{'\r'}, p...))
	return max(0, n-1), err
}
