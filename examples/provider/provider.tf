terraform {
  required_providers {
    functionmesh = { source = "functionmesh/functionmesh" }
  }
}

provider "functionmesh" {
  local = {} # the embedded platform, started by the first read or write
}
