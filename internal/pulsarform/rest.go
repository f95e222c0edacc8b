package pulsarform

import (
	"encoding/json"
	"net/http"
)

// Headers that tell our own client more than Pulsar's answers can say. A real Pulsar
// sends none of them and ignores those of a request.
const (
	// HeaderPlatform identifies the platform on every answer.
	HeaderPlatform = "Functionmesh-Platform"
	// HeaderClass is the error class of a failure, HeaderField the field's path and
	// HeaderHint what to do.
	HeaderClass = "Functionmesh-Class"
	HeaderField = "Functionmesh-Field"
	HeaderHint  = "Functionmesh-Hint"
	// HeaderAbsent says of a 404 that the object is missing, and not its parent.
	HeaderAbsent = "Functionmesh-Absent"
	// HeaderReplace on a PUT says that the configuration is whole: a setting that is
	// not there is cleared. Without it absent settings keep their value, as with Pulsar.
	HeaderReplace = "Functionmesh-Replace"
)

// ExpandQuery on a GET of a component or of a namespace's list asks for Expanded
// answers. A real Pulsar ignores it.
const ExpandQuery = "functionmesh"

// Expanded is a component with its status, in one answer.
type Expanded struct {
	Config json.RawMessage `json:"config"`
	Status json.RawMessage `json:"status"`
}

// PropertyPrefix is reserved for our own marks among a topic's properties.
const PropertyPrefix = "functionmesh."

// The marks of a topic.
const (
	PropertyOwner    = PropertyPrefix + "owner"
	PropertyCreating = PropertyPrefix + "creating"
)

// classes maps error classes to HTTP statuses, both ways; the first line of a status
// is what it means where the server sends no class.
var classes = []struct {
	class  string
	status int
}{
	{"not found", http.StatusNotFound},
	{"already exists", http.StatusConflict},
	{"conflict", http.StatusConflict},
	{"invalid", http.StatusBadRequest},
	{"immutable", http.StatusPreconditionFailed},
	{"forbidden", http.StatusForbidden},
	{"forbidden", http.StatusUnauthorized},
	{"invalid", http.StatusMethodNotAllowed},
	{"invalid", http.StatusRequestEntityTooLarge},
	{"invalid", http.StatusUnsupportedMediaType},
	{"invalid", http.StatusUnprocessableEntity},
	{"unavailable", http.StatusServiceUnavailable},
	{"unavailable", http.StatusBadGateway},
	{"unavailable", http.StatusGatewayTimeout},
	{"unavailable", http.StatusRequestTimeout},
	{"unavailable", http.StatusTooManyRequests},
}

// StatusOf is the HTTP status of an error class; 500 for none.
func StatusOf(class string) int {
	for _, c := range classes {
		if c.class == class {
			return c.status
		}
	}
	return http.StatusInternalServerError
}

// ClassOf is the error class of an HTTP status; "" for none.
func ClassOf(status int) string {
	for _, c := range classes {
		if c.status == status {
			return c.class
		}
	}
	return ""
}
