"""Training and answering with Keras: batches, checkpoints, the recorder, fit. Importing a module here imports Keras."""
