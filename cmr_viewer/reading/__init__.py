"""The open study: its frames, every change to them, what follows from a change, and what is saved of it; without Qt."""
