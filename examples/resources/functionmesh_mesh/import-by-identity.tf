import {
  to = functionmesh_mesh.lines
  identity = {
    tenant    = "public"
    namespace = "default"
    name      = "lines"
  }
}
