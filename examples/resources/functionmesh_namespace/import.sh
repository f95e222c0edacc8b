terraform import functionmesh_namespace.eu shop/eu
