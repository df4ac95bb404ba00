"""Images, labels and the task folder: everything about data that nnU-Net needn't be there for."""
