package sqlite

import (
	"errors"
	"fmt"

	"golang.org/x/sys/windows"
)

// processStart tells when a process was started, in a form that only serves to
// be compared; "" when there is no such process, or only its remains.
func processStart(pid int) (string, error) {
	const stillActive = 259
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if errors.Is(err, windows.ERROR_INVALID_PARAMETER) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = windows.CloseHandle(process) }() // it was only read
	var code uint32
	if err := windows.GetExitCodeProcess(process, &code); err != nil {
		return "", err
	}
	if code != stillActive {
		return "", nil
	}
	var created, exited, kernel, user windows.Filetime
	if err := windows.GetProcessTimes(process, &created, &exited, &kernel, &user); err != nil {
		return "", err
	}
	return fmt.Sprint(created.Nanoseconds()), nil
}
