"""Statistics and machine learning on arrays: nothing here reads or writes a store."""

SEED = 20240229  # of every random draw, so that the same data give the same model
