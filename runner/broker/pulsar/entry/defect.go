package entry

import "fmt"

// Defect is a class of entries that cannot be handed to a function as they are. It is
// an error, so that errors.Is tells one from another.
//
//nolint:errname // it classifies an Error and is none by itself
type Defect string

// What can be wrong with an entry. Encrypted, Chunked and Marker are not malformed:
// they are whole, and of a kind that this codec does not open.
//
//nolint:errname // classes of an Error
const (
	Truncated    Defect = "truncated"           // it ends before a length inside it says
	Checksum     Defect = "checksum"            // bytes were changed since it was sent
	Metadata     Defect = "metadata"            // the metadata is no valid message
	Compression  Defect = "unknown_compression" // a codec that is not known here
	Oversize     Defect = "oversize"            // it says that it is larger, unpacked, than is allowed
	Decompress   Defect = "decompression"       // the codec refuses it, or the size differs from the stated one
	BatchFraming Defect = "batch"               // the messages inside do not add up
	Encrypted    Defect = "encrypted"           // the value is for holders of a key
	Chunked      Defect = "chunked"             // it is a part of one message
	Marker       Defect = "marker"              // written by a broker for brokers: no message
)

// Error says what the class means.
func (d Defect) Error() string {
	switch d {
	case Encrypted:
		return "entry is encrypted and no key is configured here"
	case Chunked:
		return "entry is a part of a chunked message"
	case Marker:
		return "entry is a marker of the broker, not a message"
	default:
		return "malformed entry: " + string(d)
	}
}

// Error is one defect found, with what exactly was found.
type Error struct {
	Defect Defect
	Detail string
	Err    error // of the codec; nil: none
}

// Error joins class and detail.
func (e *Error) Error() string {
	s := e.Defect.Error()
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap makes errors.Is see both the class and what the codec said.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Defect}
	}
	return []error{e.Defect, e.Err}
}

func defect(d Defect, format string, args ...any) *Error {
	return &Error{Defect: d, Detail: fmt.Sprintf(format, args...)}
}
