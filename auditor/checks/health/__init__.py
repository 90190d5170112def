"""Does what runs work, and would anybody ask?"""
