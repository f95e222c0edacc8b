resource "functionmesh_tenant" "shop" {
  name = "shop"
}

resource "functionmesh_namespace" "eu" {
  tenant = functionmesh_tenant.shop.name
  name   = "eu"
}
