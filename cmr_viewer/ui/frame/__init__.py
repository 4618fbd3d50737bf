"""The image of a frame: what paints it, the mouse over it, and how a reader moves through the stack."""
