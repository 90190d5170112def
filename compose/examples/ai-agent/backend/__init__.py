"""The back end of the AI agent system."""
