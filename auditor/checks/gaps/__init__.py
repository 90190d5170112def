"""Do the planes agree: what is declared, composed, running, configured, written and referenced?"""
