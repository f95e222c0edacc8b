module github.com/functionmesh/terraform-provider-functionmesh/examples/functions/go

go 1.26.0

require github.com/functionmesh/terraform-provider-functionmesh/runner/sdk/go v0.0.0

replace github.com/functionmesh/terraform-provider-functionmesh/runner/sdk/go => ../../../runner/sdk/go
