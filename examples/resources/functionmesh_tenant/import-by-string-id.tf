import {
  to = functionmesh_tenant.shop
  id = "shop"
}
