data "functionmesh_namespace" "eu" {
  tenant = "shop"
  name   = "eu"
}
