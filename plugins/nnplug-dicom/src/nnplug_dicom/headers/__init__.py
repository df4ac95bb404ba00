"""What the headers of files say: read quickly, kept, and split into planes."""
