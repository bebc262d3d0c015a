"""Values of which too few exist: masks of texts, kinds of text that follow a standard, coarse ranges."""
