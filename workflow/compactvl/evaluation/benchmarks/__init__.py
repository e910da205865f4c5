"""One file a kind of benchmark, found by its name (:mod:`compactvl.config.kinds`)."""
