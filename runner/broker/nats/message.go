package nats

import "github.com/functionmesh/terraform-provider-functionmesh/runner/pipeline"

// Message is what a Producer takes and a Reader gives, under a name that tools can
// use without importing the pipeline.
type Message = pipeline.Message
