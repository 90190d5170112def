"""Do the documents tell the truth? What they claim is held against the default environment."""
