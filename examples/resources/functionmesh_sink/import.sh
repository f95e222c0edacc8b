terraform import functionmesh_sink.store public/default/store
