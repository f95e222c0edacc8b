terraform import functionmesh_source.intake public/default/intake
