"""The region of a frame, and what another region is worth in millilitres."""
