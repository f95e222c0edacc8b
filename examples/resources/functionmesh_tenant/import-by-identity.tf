import {
  to = functionmesh_tenant.shop
  identity = {
    name = "shop"
  }
}
