package wire

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// VersionError says that a file is of a version this build cannot read. Which side is
// older shows in the numbers.
type VersionError struct {
	Version int // of the file; 0: it names none
}

// Error names both versions.
func (e *VersionError) Error() string {
	if e.Version == 0 {
		return fmt.Sprintf("wire file names no version; this build reads %d and %d", Version-1, Version)
	}
	return fmt.Sprintf("wire file is of version %d; this build reads %d and %d: use a platform and a runner of one release", e.Version, Version-1, Version)
}

// InvalidError lists everything wrong with a file, by path.
type InvalidError struct {
	Problems []spec.Problem
}

// Error lists the problems.
func (e *InvalidError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return "wire file: " + strings.Join(lines, " ")
}

// Encode validates the file and writes it in the current version. Version 0 in f means
// the current one.
func Encode(f File) ([]byte, error) {
	if f.Version == 0 {
		f.Version = Version
	}
	if f.Version != Version {
		return nil, &VersionError{Version: f.Version}
	}
	if problems := validate(f); len(problems) > 0 {
		return nil, &InvalidError{Problems: problems}
	}
	text, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode wire file: %w", err)
	}
	return append(text, '\n'), nil
}

// Decode reads and validates a file of the current or the previous version; the result
// is of the current one. The error is a *VersionError or an *InvalidError.
func Decode(data []byte) (File, error) {
	document, err := spec.ParseJSON(data)
	if err != nil {
		return File{}, invalid(err)
	}
	fields, err := document.Object()
	if err != nil {
		return File{}, invalid(err)
	}
	version, err := versionOf(fields)
	if err != nil {
		return File{}, err
	}
	var problems []spec.Problem
	if version == Version-1 {
		if data, problems = upgrade(fields); len(problems) > 0 {
			return File{}, &InvalidError{Problems: problems}
		}
	}
	f, problems := spec.DecodeStrict[File](data)
	if len(problems) == 0 {
		problems = validate(f)
	}
	if len(problems) > 0 {
		return File{}, &InvalidError{Problems: problems}
	}
	return f, nil
}

func invalid(err error) error {
	return &InvalidError{Problems: []spec.Problem{{Severity: spec.SeverityError, Message: err.Error() + "."}}}
}

func versionOf(fields map[string]any) (int, error) {
	number, ok := fields["version"].(json.Number)
	if !ok {
		return 0, &VersionError{}
	}
	version, err := number.Int64()
	if err != nil {
		return 0, &VersionError{}
	}
	if version != Version && version != Version-1 {
		return 0, &VersionError{Version: int(version)}
	}
	return int(version), nil
}
