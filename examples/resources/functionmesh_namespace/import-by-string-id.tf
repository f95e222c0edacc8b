import {
  to = functionmesh_namespace.eu
  id = "shop/eu"
}
