"""The nouns of the program: frozen data and pure functions, numpy only."""
