"""Who is reachable from where, who waits for whom, and what stands in the way of both?"""
