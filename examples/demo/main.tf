terraform {
  required_providers {
    functionmesh = { source = "functionmesh/functionmesh" }
  }
}

provider "functionmesh" {
  local = {} # the embedded platform, started on demand
}

resource "functionmesh_topic" "lines" {
  name = "lines"
}

resource "functionmesh_topic" "shouted" {
  name = "shouted"
}

# lines -> loud -> excited -> louder -> shouted; each function adds one exclamation mark.
resource "functionmesh_mesh" "exclaim" {
  name = "exclaim"

  functions = {
    loud = {
      runtime = { wasm = { file = "exclaim.wasm" } }
      inputs  = { (functionmesh_topic.lines.name) = {} }
      output  = { topic = "excited" }
    }
    louder = {
      runtime     = { wasm = { file = "exclaim.wasm" } }
      inputs      = { excited = {} }
      output      = { topic = functionmesh_topic.shouted.name }
      parallelism = 1
    }
  }
}
