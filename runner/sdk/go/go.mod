module github.com/functionmesh/terraform-provider-functionmesh/runner/sdk/go

go 1.26.0
