import {
  to = functionmesh_mesh.lines
  id = "public/default/lines"
}
