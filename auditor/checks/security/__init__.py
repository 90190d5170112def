"""What would an intruder thank us for?"""
