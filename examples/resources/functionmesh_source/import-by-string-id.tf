import {
  to = functionmesh_source.intake
  id = "public/default/intake"
}
