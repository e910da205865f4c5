"""The kinds of data set: one module a kind, with a class ``Settings`` (:mod:`compactvl.data.kind`)."""
