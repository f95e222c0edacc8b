package spec

// ValidateTenant returns everything wrong with a tenant.
func ValidateTenant(t Tenant) []Problem { return nil }

// ValidateNamespace returns everything wrong with a namespace.
func ValidateNamespace(n Namespace) []Problem { return nil }

// ValidateTopic returns everything wrong with a topic.
func ValidateTopic(t Topic) []Problem { return nil }

// ValidateComponent returns everything wrong with a component.
func ValidateComponent(c Component) []Problem { return nil }

// ValidateMesh returns everything wrong with a mesh and its components.
func ValidateMesh(m Mesh) []Problem { return nil }

// Honour returns the settings of a component that a platform cannot honour.
func Honour(p Platform, c Component) []Problem { return nil }

// DecodeComponent reads a component from JSON.
func DecodeComponent(kind Kind, data []byte) (Component, []Problem) {
	return Component{Kind: kind}, nil
}

// DecodeMesh reads a mesh from JSON.
func DecodeMesh(data []byte) (Mesh, []Problem) { return Mesh{}, nil }

// Parse, Bytes, Canonical of Quantity.
func (q Quantity) Canonical() string { return string(q) }

// Bytes is the amount as a whole number.
func (q Quantity) Bytes() (int64, error) { return 0, nil }

// ParseJSON normalises a JSON document.
func ParseJSON(data []byte) (JSON, error) { return JSON(data), nil }

func (j JSON) normal() JSON { return j }

// Canonical is equal for equal documents, whatever the spelling of their numbers.
func (j JSON) Canonical() string { return string(j) }
