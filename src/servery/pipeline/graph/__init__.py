"""Knowledge graphs made of documents: built, kept, exported, asked and drawn."""
