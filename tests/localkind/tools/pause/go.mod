module modelberth.io/localkind/pause

go 1.26.0
