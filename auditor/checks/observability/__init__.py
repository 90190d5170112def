"""Would we notice, and could we see why?"""
