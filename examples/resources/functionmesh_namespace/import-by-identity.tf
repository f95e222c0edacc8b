import {
  to = functionmesh_namespace.eu
  identity = {
    tenant = "shop"
    name   = "eu"
  }
}
