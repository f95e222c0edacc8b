package process

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// newShared makes memory that has no name and no place on a disk.
func newShared() (*shared, error) {
	fd, err := unix.MemfdCreate("functionmesh", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memory shared with the worker: %w", err)
	}
	file := os.NewFile(uintptr(fd), "shared memory")
	if err := unix.Ftruncate(fd, sharedBytes); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("memory shared with the worker: %w", err)
	}
	memory, err := unix.Mmap(fd, 0, sharedBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("memory shared with the worker: %w", err)
	}
	return &shared{file: file, memory: memory}, nil
}

func (s *shared) unmap() {
	_ = unix.Munmap(s.memory)
	_ = s.file.Close()
}
