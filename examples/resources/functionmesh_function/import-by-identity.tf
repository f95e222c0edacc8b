import {
  to = functionmesh_function.enrich
  identity = {
    tenant    = "public"
    namespace = "default"
    name      = "enrich"
  }
}
