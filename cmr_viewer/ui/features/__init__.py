"""What the window can do, one folder for each feature; `table` lists them."""
