"""arfc inside the libraries where vectors are made, kept and searched; each needs its own extra."""
