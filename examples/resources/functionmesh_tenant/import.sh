terraform import functionmesh_tenant.shop shop
