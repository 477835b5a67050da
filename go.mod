module github.com/liftmesh/lift

go 1.26
