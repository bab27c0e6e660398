"""Examples to arrays, a file each; numpy only."""
