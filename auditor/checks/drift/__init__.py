"""Is what runs what was written?"""
