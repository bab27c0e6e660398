"""What the OpenAI routes share: bodies, forms, transcripts, categories."""
