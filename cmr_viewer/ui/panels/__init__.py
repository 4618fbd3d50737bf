"""The panels left and right of the frame; none knows another, the main window wires them."""
