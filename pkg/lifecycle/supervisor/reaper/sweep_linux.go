package reaper

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batch bounds the descriptors that a sweep holds at a time.
const batch = 128

// Adopts tells whether the kernel gives orphans to this process: it is PID 1 or
// a subreaper.
func Adopts() bool {
	if os.Getpid() == 1 {
		return true
	}
	var sub int32
	err := unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&sub)), 0, 0, 0) //nolint:gosec // the kernel writes an int there
	return err == nil && sub != 0
}

// usable tells whether owners can be told from their pidfds.
func usable() error {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	defer func() { _ = unix.Close(fd) }()
	// In the /proc of another pid namespace this process has another number.
	if pid, ok := pidOf(strconv.Itoa(fd)); !ok || pid != os.Getpid() {
		return fmt.Errorf("/proc has %d for the pidfd of process %d", pid, os.Getpid())
	}
	return nil
}

// sweep reaps every ended child that has no owner and returns how many.
func sweep() (int, error) {
	if !anyEnded() {
		return 0, nil
	}
	zombies, err := zombies(os.Getpid())
	if err != nil {
		return 0, err
	}
	reaped := 0
	for len(zombies) > 0 {
		n := min(len(zombies), batch)
		some, err := reap(zombies[:n])
		if reaped += some; err != nil {
			return reaped, err
		}
		zombies = zombies[n:]
	}
	return reaped, nil
}

// anyEnded peeks: some child has ended and is not collected. It says nothing
// about who else has.
func anyEnded() bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == nil && info.Signo != 0
}

// zombies lists the children of a process that have ended and are not collected.
func zombies(parent int) ([]int, error) {
	names, err := entries("/proc")
	if err != nil {
		return nil, err
	}
	var list []int
	for _, name := range names {
		if name[0] < '1' || name[0] > '9' {
			continue
		}
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue // collected meanwhile
		}
		if pid, ppid, state := parseStat(stat); ppid == parent && state == 'Z' {
			list = append(list, pid)
		}
	}
	return list, nil
}

// parseStat reads three fields of /proc/PID/stat. The name of the program, in
// parentheses, may hold anything. A text of another form gives zeros.
func parseStat(stat []byte) (pid, ppid int, state byte) {
	begin, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	if begin < 0 || end < begin {
		return 0, 0, 0
	}
	fields := bytes.Fields(stat[end+1:])
	if len(fields) < 2 || len(fields[0]) != 1 {
		return 0, 0, 0
	}
	pid, err1 := strconv.Atoi(string(bytes.TrimSpace(stat[:begin])))
	ppid, err2 := strconv.Atoi(string(fields[1]))
	if err1 != nil || err2 != nil {
		return 0, 0, 0
	}
	return pid, ppid, fields[0][0]
}

// reap collects those of the processes that nobody owns. The order is the point:
// a pidfd of this function pins the process; an owner's was there before that
// and stays until the status is collected. So a process that is pinned first,
// and has no other pidfd afterwards, has no owner or is collected already.
func reap(pids []int) (int, error) {
	mine := make(map[string]bool, len(pids))
	pinned := make(map[int]int, len(pids)) // by pid
	defer func() {
		for _, fd := range pinned {
			_ = unix.Close(fd)
		}
	}()
	for _, pid := range pids {
		if fd, err := unix.PidfdOpen(pid, 0); err == nil {
			pinned[pid] = fd
			mine[strconv.Itoa(fd)] = true
		}
	}
	owned, err := owners(mine)
	if err != nil {
		return 0, err
	}
	reaped := 0
	for pid, fd := range pinned {
		if owned[pid] {
			continue
		}
		var info unix.Siginfo
		if err := unix.Waitid(unix.P_PIDFD, fd, &info, unix.WEXITED|unix.WNOHANG, nil); err == nil && info.Signo != 0 {
			reaped++
		}
	}
	return reaped, nil
}

// owners lists the processes that a pidfd of this program refers to, other than
// its own.
func owners(except map[string]bool) (map[int]bool, error) {
	names, err := entries("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	list := map[int]bool{}
	for _, name := range names {
		link, err := os.Readlink("/proc/self/fd/" + name)
		// "anon_inode:[pidfd]", or a name of the pidfs of newer kernels.
		if err != nil || except[name] || !strings.Contains(link, "pidfd") {
			continue
		}
		if pid, ok := pidOf(name); ok {
			list[pid] = true
		}
	}
	return list, nil
}

// pidOf returns the process that a pidfd refers to; 0 or less if it is collected.
func pidOf(fd string) (int, bool) {
	info, err := os.ReadFile("/proc/self/fdinfo/" + fd)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(info)) {
		if value, ok := strings.CutPrefix(line, "Pid:"); ok {
			pid, err := strconv.Atoi(strings.TrimSpace(value))
			return pid, err == nil
		}
	}
	return 0, false
}

// entries lists the names in a folder, unsorted: a sweep has no time for more.
func entries(folder string) ([]string, error) {
	dir, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	defer func() { _ = dir.Close() }()
	return dir.Readdirnames(-1)
}
