terraform import functionmesh_function.enrich public/default/enrich
