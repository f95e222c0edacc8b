terraform import functionmesh_mesh.lines public/default/lines
