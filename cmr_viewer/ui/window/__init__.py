"""The main window: its parts, actions, messages, and what belongs to all of it."""
