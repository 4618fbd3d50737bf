"""One running program; of Qt, QtCore only."""
