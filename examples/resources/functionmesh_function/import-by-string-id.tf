import {
  to = functionmesh_function.enrich
  id = "public/default/enrich"
}
