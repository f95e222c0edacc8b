package pulsarform

import (
	"errors"

	"github.com/functionmesh/terraform-provider-functionmesh/internal/spec"
)

// Decode reads the configuration of a component of the kind: a FunctionConfig, a
// SourceConfig or a SinkConfig as JSON.
func Decode(_ spec.Kind, _ []byte) (Decoded, error) { return Decoded{}, errors.ErrUnsupported }

// Encode writes the configuration of d, the inverse of Decode.
func Encode(_ Decoded) ([]byte, error) { return nil, errors.ErrUnsupported }

// ParsePIP66 reads PIP-66's mesh YAML.
func ParsePIP66(_ []byte) (spec.Mesh, []spec.Problem, error) {
	return spec.Mesh{}, nil, errors.ErrUnsupported
}

// ParseMeshYAML reads a mesh from YAML in PIP-66's words or in those of the HCL,
// whichever it is, and refuses custom resources by their kind.
func ParseMeshYAML(_ []byte) (spec.Mesh, []spec.Problem, error) {
	return spec.Mesh{}, nil, errors.ErrUnsupported
}
