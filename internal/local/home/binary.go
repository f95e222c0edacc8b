package home

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/engine"
	"github.com/functionmesh/terraform-provider-functionmesh/internal/local/process"
)

// Program is what our binary calls itself in the answer to `version -o json`.
const Program = "functionmesh"

// EnvBinary names the binary to run the platform from.
const EnvBinary = "FUNCTIONMESH_BINARY"

const answerWithin = 20 * time.Second

// Binary is a program that the platform can be run from.
type Binary struct {
	Path    string `json:"path"`
	Digest  string `json:"digest"` // hex SHA-256 of the file
	Version string `json:"version"`

	// What tells that the file is still the one that was looked at.
	Size    int64  `json:"size"`
	ModTime int64  `json:"mod_time"`
	Inode   uint64 `json:"inode"`
}

// Find decides which binary is meant, the one given, the environment's or the running
// executable, and makes sure that it is ours by asking it. The answer is kept in the
// data directory until the file changes, so that only the first call costs anything.
func (d Dir) Find(ctx context.Context, path string) (Binary, error) {
	if path == "" {
		path = os.Getenv(EnvBinary)
	}
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return Binary{}, notOurs("the running executable", err)
		}
		path = self
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return Binary{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return Binary{}, notOurs(path, err)
	}
	b := Binary{Path: path, Size: info.Size(), ModTime: info.ModTime().UnixNano(), Inode: process.Inode(info)}
	if known, ok := d.remembered(b); ok {
		return known, nil
	}
	if b.Version, err = ask(ctx, path); err != nil {
		return Binary{}, notOurs(path, err)
	}
	if b.Digest, err = engine.FileDigest(path); err != nil {
		return Binary{}, notOurs(path, err)
	}
	return b, d.remember(b)
}

func notOurs(path string, err error) error {
	return &engine.Error{
		Class: engine.Invalid, Hint: "Set " + EnvBinary + " to the functionmesh binary (the provider binary is one)",
		Err: fmt.Errorf("%s cannot run the local platform: %w", path, err),
	}
}

// ask runs `version -o json`. The environment says that this is a question only, so
// that a program that is not ours has a chance to see it was not started for work.
func ask(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "version", "-o", "json") //nolint:gosec // the program that the user named
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("`version -o json`: %w", err)
	}
	var answer struct {
		Program string `json:"program"`
		Version string `json:"version"`
	}
	if err := json.Unmarshal(bytes.TrimSpace(out), &answer); err != nil || answer.Program != Program {
		return "", errors.New("`version -o json` does not answer as " + Program)
	}
	return answer.Version, nil
}

func (d Dir) remembered(b Binary) (Binary, bool) {
	text, err := os.ReadFile(d.known(b.Path))
	if err != nil {
		return Binary{}, false
	}
	var k Binary
	if json.Unmarshal(text, &k) != nil {
		return Binary{}, false
	}
	same := k.Path == b.Path && k.Size == b.Size && k.ModTime == b.ModTime && k.Inode == b.Inode && k.Digest != ""
	return k, same
}

func (d Dir) remember(b Binary) error {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	file := d.known(b.Path)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return d.unusable(err)
	}
	return d.unusable(WriteFile(file, text))
}

func (d Dir) known(path string) string {
	sum := sha256.Sum256([]byte(path))
	return d.Path("bin", "known", hex.EncodeToString(sum[:8])+".json")
}

// Adopt copies the binary into the data directory, named by its digest, and returns
// the copy: the original may vanish while daemon and instances run.
func (d Dir) Adopt(b Binary) (Binary, error) {
	copied := d.Path("bin", b.Digest)
	if b.Path == copied {
		return b, nil
	}
	if have, err := engine.FileDigest(copied); err != nil || have != b.Digest {
		if err := d.copyBinary(b.Path, copied); err != nil {
			return Binary{}, d.unusable(err)
		}
	}
	info, err := os.Stat(copied)
	if err != nil {
		return Binary{}, d.unusable(err)
	}
	b.Path, b.Size, b.ModTime, b.Inode = copied, info.Size(), info.ModTime().UnixNano(), process.Inode(info)
	return b, d.remember(b)
}

func (d Dir) copyBinary(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(to), ".new-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	err = errors.Join(err, out.Chmod(0o700), out.Sync(), out.Close())
	if err == nil {
		err = os.Rename(out.Name(), to)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(out.Name()))
	}
	return err
}

// Forget removes copies of binaries other than the one in use.
func (d Dir) Forget(inUse Binary) error {
	entries, err := os.ReadDir(d.Path("bin"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		// A young file may be somebody's who is about to replace us.
		if err != nil || info.IsDir() || e.Name() == inUse.Digest || time.Since(info.ModTime()) < time.Hour {
			continue
		}
		if err := os.Remove(d.Path("bin", e.Name())); err != nil {
			return err
		}
	}
	return nil
}
