"""The edge: each module reads one kind of evidence and turns it into facts of the model."""
