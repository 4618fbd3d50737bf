"""Long-axis images beside the stack."""
