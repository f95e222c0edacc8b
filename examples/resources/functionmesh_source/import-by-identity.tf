import {
  to = functionmesh_source.intake
  identity = {
    tenant    = "public"
    namespace = "default"
    name      = "intake"
  }
}
